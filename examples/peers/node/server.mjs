// The chatroom with Node.js' Socket.IO and its Redis adapter, as their documentation sets them up.
//
// Started with a port and the URL of Redis. Events and texts are those of the chat node.

import { createServer } from "node:http";
import process from "node:process";

import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const [port, url] = process.argv.slice(2);
const publisher = createClient({ url });
const subscriber = publisher.duplicate();
await Promise.all([publisher.connect(), subscriber.connect()]);

const http = createServer();
const io = new Server(http, { adapter: createAdapter(publisher, subscriber) });

io.on("connection", (socket) => {
  socket.send("Welcome to the chatroom!");
  socket.on("set_username", (name) => {
    socket.data.name = name;
    socket.send(`Your username is set to ${name}`);
  });
  socket.on("message", (text) => {
    io.send(`${socket.data.name}: ${text}`);
  });
});

http.listen(Number(port), "127.0.0.1");

// A service for the credential chain: gives keys at a URI, is the metadata service of an instance, and STS.
//
// What it answers names where it came from: `ROLE-of-KEY` is the key of a role that was asked for with a key.

import { once } from "node:events";
import { createServer } from "node:http";

const METADATA = "/latest/meta-data/ram/security-credentials/";

/** A running service; `metadata` says how the instance it speaks for behaves, see the table of cases. */
export class KeyServer {
  static async start(metadata) {
    const server = createServer((request, response) => void answer(request, response, metadata));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new KeyServer(server);
  }

  constructor(server) {
    this.server = server;
    this.address = `http://127.0.0.1:${server.address().port}`;
  }

  async end() {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, "close");
  }
}

async function answer(request, response, metadata) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const url = new URL(request.url, "http://service");
  const fields = new URLSearchParams([...url.searchParams, ...new URLSearchParams(Buffer.concat(chunks).toString())]);
  const [status, body] = decide(request, url.pathname, fields, metadata);
  response.writeHead(status, { "content-type": "application/json" });
  response.end(typeof body === "string" ? body : JSON.stringify(body));
}

function decide(request, path, fields, metadata) {
  if (path === "/garbled") return [200, "these are no keys"];
  if (path.startsWith("/keys/")) return [200, { Code: "Success", ...key(path.slice("/keys/".length)) }];
  if (path === "/latest/api/token" && metadata) return tokenOf(request, metadata);
  if (path.startsWith(METADATA) && metadata) return roleOf(request, path.slice(METADATA.length), metadata);
  const role = fields.get("RoleArn")?.split("/").at(-1);
  if (fields.get("Action") === "AssumeRole") return [200, { Credentials: key(`${role}-of-${fields.get("AccessKeyId")}`) }];
  if (fields.get("Action") === "AssumeRoleWithOIDC") return [200, { Credentials: key(`${role}-of-${fields.get("OIDCToken").trim()}`) }];
  return [404, { Code: "NotFound", Message: path }];
}

function tokenOf(request, metadata) {
  const asked = request.method === "PUT" && Number(request.headers["x-aliyun-ecs-metadata-token-ttl-seconds"]) > 0;
  return asked && metadata.token !== "refused" ? [200, "metadata-token"] : [404, ""];
}

function roleOf(request, role, metadata) {
  const token = request.headers["x-aliyun-ecs-metadata-token"];
  const good = token === "metadata-token" || (token === undefined && metadata.token !== "required");
  if (!good) return [403, "a token is needed"];
  return role === "" ? [200, metadata.role] : [200, { Code: "Success", ...key(`${role}-of-machine`) }];
}

function key(name) {
  const Expiration = new Date(Date.now() + 3_600_000).toISOString().replace(/\.\d+Z$/, "Z");
  return { AccessKeyId: name, AccessKeySecret: "secret", SecurityToken: `${name}-token`, Expiration };
}

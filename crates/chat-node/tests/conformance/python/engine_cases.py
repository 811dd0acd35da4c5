"""python-engineio's clients, one layer below: packets of Socket.IO are texts to them."""

import asyncio
import json

import engineio
from socket_cases_async import eventually as eventually_async
from support import MODES, eventually, url

PATH = "socket.io"


def cases(ports):
    for mode, transports in MODES.items():
        for name, body in CASES.items():
            yield f"threads, {mode}: {name}", lambda body=body, transports=transports: threads(
                ports[0], transports, body
            )
        for name, body in CASES.items():
            yield f"asyncio, {mode}: {name}", lambda body=body, transports=transports: on_asyncio(
                ports[0], transports, body
            )


def threads(port, transports, body):
    """Plays a case, which yields what to send and what to wait for."""
    client, heard, ends = engineio.Client(), [], []
    client.on("message", heard.append)
    client.on("disconnect", lambda *_: ends.append(True))
    client.connect(url(port), transports=transports, engineio_path=PATH)
    try:
        for action, value in body(client, heard, ends):
            if action == "send":
                client.send(value)
            elif action == "disconnect":
                client.disconnect()
            else:
                eventually(action, value)
    finally:
        client.disconnect()


async def on_asyncio(port, transports, body):
    client, heard, ends = engineio.AsyncClient(), [], []

    async def message(data):
        heard.append(data)

    async def disconnect(*_):
        ends.append(True)

    client.on("message", message)
    client.on("disconnect", disconnect)
    await client.connect(url(port), transports=transports, engineio_path=PATH)
    try:
        for action, value in body(client, heard, ends):
            if action == "send":
                await client.send(value)
            elif action == "disconnect":
                await client.disconnect()
            else:
                await eventually_async(action, value)
        await asyncio.sleep(0)
    finally:
        await client.disconnect()


def joins(client, heard, _ends):
    assert len(client.sid) == 20
    yield "send", "40{}"
    yield "two packets", lambda: len(heard) >= 2
    assert heard[0].startswith("0{") and len(json.loads(heard[0][1:])["sid"]) == 20, heard
    assert heard[1] == '2["message","Welcome to the chatroom!"]', heard


def joins_as_it_should(client, heard, ends):
    # The library adds the type of the message itself.
    for action, value in joins(client, heard, ends):
        yield action, value.removeprefix("4") if action == "send" else value


def speaks(_client, heard, _ends):
    yield "send", "0{}"
    yield "send", '2["set_username","Engineer"]'
    yield "send", '27["node"]'
    yield "an answer", lambda: '37["ecs01"]' in heard
    assert '2["message","Your username is set to Engineer"]' in heard, heard


def sends_bytes(_client, heard, _ends):
    yield "send", "0{}"
    yield "send", '51-["message",{"_placeholder":true,"num":0}]'
    yield "send", b"\x01\x02\x03"
    yield "a refusal", lambda: any("Specify a username first" in packet for packet in heard)


def is_closed(_client, heard, ends):
    yield "send", "0{}"
    yield "a welcome", lambda: len(heard) >= 2
    yield "send", "nonsense"
    yield "the end", lambda: ends


CASES = {
    "opens a session and joins": joins_as_it_should,
    "speaks and is acknowledged": speaks,
    "sends bytes": sends_bytes,
    "is closed after what is no packet": is_closed,
}

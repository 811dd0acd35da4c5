"""python-socketio's client on asyncio."""

import asyncio

import socketio
from support import MODES, PATIENCE, Relay, url, word


async def eventually(what, look):
    deadline = asyncio.get_running_loop().time() + PATIENCE
    while asyncio.get_running_loop().time() < deadline:
        if look():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"not in time: {what}")


class Person:
    """Somebody with a client, whose handler takes one value."""

    def __init__(self, port, transports):
        self.port, self.transports = port, transports
        self.client = socketio.AsyncClient(reconnection_delay=0.05, reconnection_delay_max=0.2)
        self.texts = []
        self.disconnects = 0
        self.client.on("message", self._message)
        self.client.on("disconnect", self._disconnect)

    async def _message(self, text):
        self.texts.append(text)

    async def _disconnect(self, *_):
        self.disconnects += 1

    async def __aenter__(self):
        await self.client.connect(url(self.port), transports=self.transports, wait_timeout=10)
        return self

    async def __aexit__(self, *_):
        await self.client.disconnect()

    async def hears(self, text):
        await eventually(f"{text!r} is heard", lambda: text in self.texts)

    async def named(self, stem):
        self.name = word(stem)
        await self.client.emit("set_username", self.name)
        await self.hears(f"Your username is set to {self.name}")
        return self

    def of(self, name):
        return [text for text in self.texts if text.startswith(f"{name}: ")]


def cases(ports):
    for mode, transports in MODES.items():
        for name, body in CASES.items():
            yield f"asyncio, {mode}: {name}", lambda body=body, transports=transports: body(ports, transports)


async def welcomed(ports, transports):
    async with Person(ports[0], transports) as ada:
        await ada.hears("Welcome to the chatroom!")
        assert len(ada.client.get_sid("/")) == 20
        wanted = "polling" if transports == ["polling"] else "websocket"
        assert ada.client.transport() == wanted, ada.client.transport()


async def speaks(ports, transports):
    async with Person(ports[0], transports) as ada:
        await ada.client.emit("message", "too early")
        await ada.hears("Failed to send the message. Specify a username first.")
        await ada.named("Ada")
        await ada.client.emit("message", "hello \U0001f600")
        await ada.hears(f"{ada.name}: hello \U0001f600")


async def acknowledged(ports, transports):
    async with Person(ports[1], transports) as ada:
        assert await ada.client.call("node", timeout=10) == "ecs02"
        await ada.named("Ada")
        first = await ada.client.call("message", ("once", "id-1"), timeout=10)
        assert first.keys() == {"offset"}, first
        assert await ada.client.call("message", ("once", "id-1"), timeout=10) == first
        await ada.client.call("message", "more", timeout=10)
        await ada.hears(f"{ada.name}: more")
        assert ada.of(ada.name) == [f"{ada.name}: once", f"{ada.name}: more"]


async def refused(ports, transports):
    async with Person(ports[0], transports) as ada:
        await ada.named("Ada")
        for message in (b"\x01\x02", {"not": "text"}, ["neither"], 7):
            before = ada.texts.count("Failed to send the message. It must be text.")
            await ada.client.emit("message", message)
            await eventually(
                "a refusal",
                lambda before=before: ada.texts.count("Failed to send the message. It must be text.") > before,
            )
        await ada.client.emit("message", {"deep": [b"\x03", b"\x04"]})
        await ada.client.emit("message", "still here")
        await ada.hears(f"{ada.name}: still here")
        assert ada.disconnects == 0


async def ordered(ports, transports):
    async with Person(ports[0], transports) as ada, Person(ports[1], transports) as bob:
        await ada.named("Ada")
        await bob.named("Bob")
        for number in range(30):
            await ada.client.emit("message", str(number))
            await bob.client.emit("message", str(number))
        for person in (ada, bob):
            await person.hears(f"{ada.name}: 29")
            await person.hears(f"{bob.name}: 29")
        names = (f"{ada.name}: ", f"{bob.name}: ")
        heard = [[text for text in person.texts if text.startswith(names)] for person in (ada, bob)]
        assert heard[0] == heard[1]
        assert ada.of(ada.name) == [f"{ada.name}: {number}" for number in range(30)]


async def nowhere(ports, transports):
    client = socketio.AsyncClient()
    try:
        await client.connect(url(ports[0]), transports=transports, namespaces=["/nowhere"], wait_timeout=5)
        raise AssertionError("it was let in")
    except socketio.exceptions.ConnectionError as error:
        assert "Invalid namespace" in str(error) or "failed to connect" in str(error), error
    finally:
        await client.disconnect()


async def comes_back(ports, transports):
    relay = Relay(ports[0])
    try:
        async with Person(relay.port, transports) as ada, Person(ports[1], transports) as bob:
            await ada.named("Ada")
            await bob.named("Bob")
            relay.target = ports[1]
            relay.cut()
            await eventually("it is welcomed again", lambda: ada.texts.count("Welcome to the chatroom!") == 2)
            await bob.client.emit("message", "after")
            await ada.hears(f"{bob.name}: after")
            await bob.hears(f"{ada.name} left the chatroom.")
    finally:
        relay.close()


async def leaves(ports, transports):
    async with Person(ports[1], transports) as bob:
        async with Person(ports[0], transports) as ada:
            await ada.named("Ada")
        await bob.hears(f"{ada.name} left the chatroom.")


async def kept_alive(ports, transports):
    async with Person(ports[0], transports) as ada:
        await ada.named("Ada")
        await asyncio.sleep(3.5)
        await ada.client.emit("message", "still here")
        await ada.hears(f"{ada.name}: still here")
        assert ada.disconnects == 0


CASES = {
    "joins and is welcomed": welcomed,
    "speaks under a name": speaks,
    "is acknowledged": acknowledged,
    "is refused what is not text, and stays": refused,
    "sees one order on both nodes": ordered,
    "may not join what does not exist": nowhere,
    "comes back after its connection was cut": comes_back,
    "leaves, and the others are told": leaves,
    "is kept alive by heartbeats": kept_alive,
}

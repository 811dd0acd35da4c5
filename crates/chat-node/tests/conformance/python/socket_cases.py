"""python-socketio's client with threads."""

import socketio
from support import MODES, Relay, eventually, url, word


class Person:
    """Somebody with a client. Its handler takes one value, as its documentation shows: two would be an error."""

    def __init__(self, port, transports, **options):
        self.client = socketio.Client(reconnection_delay=0.05, reconnection_delay_max=0.2, **options)
        self.texts = []
        self.disconnects = 0
        self.client.on("message", self._message)
        self.client.on("disconnect", self._disconnect)
        self.client.connect(url(port), transports=transports, wait_timeout=10)

    def _message(self, text):
        self.texts.append(text)

    def _disconnect(self, *_):
        self.disconnects += 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.disconnect()

    def hears(self, text):
        eventually(f"{text!r} is heard", lambda: text in self.texts)

    def named(self, stem):
        self.name = word(stem)
        self.client.emit("set_username", self.name)
        self.hears(f"Your username is set to {self.name}")
        return self

    def of(self, name):
        return [text for text in self.texts if text.startswith(f"{name}: ")]


def cases(ports):
    for mode, transports in MODES.items():
        for name, body in CASES.items():
            yield f"threads, {mode}: {name}", lambda body=body, transports=transports: body(ports, transports)


def welcomed(ports, transports):
    with Person(ports[0], transports) as ada:
        ada.hears("Welcome to the chatroom!")
        assert len(ada.client.get_sid("/")) == 20
        wanted = "polling" if transports == ["polling"] else "websocket"
        assert ada.client.transport() == wanted, ada.client.transport()


def speaks(ports, transports):
    with Person(ports[0], transports) as ada:
        ada.client.emit("message", "too early")
        ada.hears("Failed to send the message. Specify a username first.")
        ada.named("Ada")
        ada.client.emit("message", "hello \U0001f600")
        ada.hears(f"{ada.name}: hello \U0001f600")


def acknowledged(ports, transports):
    with Person(ports[1], transports) as ada:
        assert ada.client.call("node", timeout=10) == "ecs02"
        ada.named("Ada")
        first = ada.client.call("message", ("once", "id-1"), timeout=10)
        assert first.keys() == {"offset"}, first
        assert ada.client.call("message", ("once", "id-1"), timeout=10) == first
        ada.client.call("message", "more", timeout=10)
        ada.hears(f"{ada.name}: more")
        assert ada.of(ada.name) == [f"{ada.name}: once", f"{ada.name}: more"]


def refused(ports, transports):
    with Person(ports[0], transports) as ada:
        ada.named("Ada")
        for message in (b"\x01\x02", {"not": "text"}, ["neither"], 7):
            before = ada.texts.count("Failed to send the message. It must be text.")
            ada.client.emit("message", message)
            eventually(
                "a refusal",
                lambda before=before: ada.texts.count("Failed to send the message. It must be text.") > before,
            )
        ada.client.emit("message", {"deep": [b"\x03", b"\x04"]})
        ada.client.emit("message", "still here")
        ada.hears(f"{ada.name}: still here")
        assert ada.disconnects == 0


def ordered(ports, transports):
    with Person(ports[0], transports) as ada, Person(ports[1], transports) as bob:
        ada.named("Ada")
        bob.named("Bob")
        for number in range(30):
            ada.client.emit("message", str(number))
            bob.client.emit("message", str(number))
        for person in (ada, bob):
            person.hears(f"{ada.name}: 29")
            person.hears(f"{bob.name}: 29")

        def heard(person):
            names = (f"{ada.name}: ", f"{bob.name}: ")
            return [text for text in person.texts if text.startswith(names)]

        assert heard(ada) == heard(bob)
        assert ada.of(ada.name) == [f"{ada.name}: {number}" for number in range(30)]


def nowhere(ports, transports):
    client = socketio.Client()
    try:
        client.connect(url(ports[0]), transports=transports, namespaces=["/nowhere"], wait_timeout=5)
        raise AssertionError("it was let in")
    except socketio.exceptions.ConnectionError as error:
        assert "Invalid namespace" in str(error) or "failed to connect" in str(error), error
    finally:
        client.disconnect()


def comes_back(ports, transports):
    relay = Relay(ports[0])
    try:
        with Person(relay.port, transports) as ada, Person(ports[1], transports) as bob:
            ada.named("Ada")
            bob.named("Bob")
            relay.target = ports[1]
            relay.cut()
            eventually("it is welcomed again", lambda: ada.texts.count("Welcome to the chatroom!") == 2)
            bob.client.emit("message", "after")
            ada.hears(f"{bob.name}: after")
            bob.hears(f"{ada.name} left the chatroom.")
    finally:
        relay.close()


def leaves(ports, transports):
    with Person(ports[1], transports) as bob:
        with Person(ports[0], transports) as ada:
            ada.named("Ada")
        bob.hears(f"{ada.name} left the chatroom.")


def kept_alive(ports, transports):
    with Person(ports[0], transports) as ada:
        ada.named("Ada")
        ada.client.sleep(3.5)
        ada.client.emit("message", "still here")
        ada.hears(f"{ada.name}: still here")
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

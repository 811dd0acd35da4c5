"""What the cases share: transports, waiting, words nobody else says, and a relay that can be cut."""

import itertools
import socket
import threading
import time

MODES = {
    "websocket": ["websocket"],
    "polling": ["polling"],
    # What the client does when it is told nothing: it polls, then upgrades.
    "upgrade": None,
}
PATIENCE = 20

_numbers = itertools.count(1)


def word(stem):
    return f"{stem}-py{next(_numbers)}"


def url(port):
    return f"http://127.0.0.1:{port}"


def eventually(what, look):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if look():
            return
        time.sleep(0.01)
    raise AssertionError(f"not in time: {what}")


class Relay:
    """Leads connections to a port, and cuts them when it is told."""

    def __init__(self, target):
        self.target = target
        self.pairs = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
                far = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                return
            self.pairs.append((near, far))
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    @staticmethod
    def _pass(source, sink):
        try:
            while data := source.recv(65536):
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def cut(self):
        pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for end in pair:
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def close(self):
        self.listener.close()
        self.cut()

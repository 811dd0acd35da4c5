"""An address that keeps every request as its bytes were, and hands it on to a cloud or answers it itself."""

import http.client
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

#: Seconds the cloud behind may take.
PATIENCE = 30
#: A reply every model can read: nothing is in it.
EMPTY = b"{}"


@dataclass(frozen=True)
class Recorded:
    """One request."""

    method: str
    path: str
    #: As it was sent, still encoded.
    raw_query: str
    #: Lower-case names.
    headers: dict
    body: bytes
    #: What was answered.
    answer: bytes

    @property
    def query(self):
        """Decoded query parameters."""
        return dict(parse_qsl(self.raw_query, keep_blank_values=True))

    @property
    def form(self):
        """Decoded parameters of a form body."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def action(self):
        """The action, by header or by parameter."""
        return self.headers.get("x-acs-action") or self.query.get("Action")

    @property
    def version(self):
        """The version of its product."""
        return self.headers.get("x-acs-version") or self.query.get("Version")


class Recorder:
    """A listening recorder. To be used in a `with` statement."""

    def __init__(self, upstream=None):
        self.upstream = upstream
        self.recorded = []
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Without this the kernel holds back the second part of each reply for 40 ms.
            wbufsize = -1

            def do_POST(self):
                recorder.serve(self)

            do_GET = do_POST

            def log_message(self, *_):
                """Nothing: what matters is recorded."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05})

    @property
    def host(self):
        """Host and port."""
        return "{}:{}".format(*self.server.server_address)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def serve(self, handler):
        """Keeps a request and answers it."""
        body = handler.rfile.read(int(handler.headers.get("content-length") or 0))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        address = urlsplit(handler.path)
        status, kept, answer = (200, [], EMPTY) if self.upstream is None else self.hand_on(handler, headers, body)
        if not address.path.startswith("/_mock/"):
            request = Recorded(handler.command, address.path, address.query, headers, body, answer)
            self.recorded.append(request)
        handler.send_response_only(status)
        for name, value in kept:
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(answer)))
        handler.end_headers()
        handler.wfile.write(answer)
        handler.wfile.flush()

    def hand_on(self, handler, headers, body):
        """The same request to the cloud behind, header by header: the signature covers them."""
        connection = http.client.HTTPConnection(self.upstream, timeout=PATIENCE)
        try:
            connection.putrequest(handler.command, handler.path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers.items():
                if name != "connection":
                    connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            kept = [pair for pair in answer.getheaders() if pair[0].lower() in ("content-type", "x-acs-request-id", "x-acs-retry-after")]
            return answer.status, kept, answer.read()
        finally:
            connection.close()

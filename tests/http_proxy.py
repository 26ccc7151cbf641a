"""An HTTP proxy before a server, which changes, drops and refuses on demand, as proxies and filters do."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests import DEADLINE

_OF_CONNECTION = ("connection", "transfer-encoding", "content-length", "host")


@dataclass(slots=True)
class Passing:
    """A request on its way: its path, headers and body; `is_chunked` as it came."""

    path: str
    headers: list[tuple[str, str]]
    body: bytes
    is_chunked: bool


@dataclass(frozen=True, slots=True)
class Own:
    """The proxy's own answer. Status 0: the connection is closed without one."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b"<html>"


Change = Callable[[Passing], Own | None]  # changes the request in its place, or gives the answer instead


class _Handler(BaseHTTPRequestHandler):
    """One connection. `server` is the proxy."""

    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_POST(self) -> None:
        is_chunked = self.headers.get("Transfer-Encoding", "") == "chunked"
        body = self._chunks() if is_chunked else self.rfile.read(int(self.headers.get("Content-Length", 0)))
        passing = Passing(self.path, self.headers.items(), body, is_chunked)
        own = self.server.change(passing)
        if own is not None and own.status == 0:
            self.close_connection = True
        elif own is not None:
            self._answer(own.status, [*own.headers.items()], own.content)
        else:
            self._answer(*_pass_on(passing, self.server.upstream))

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _OF_CONNECTION:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, upstream: int, change: Change) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream
        self.change = change


def _pass_on(passing: Passing, upstream: int) -> tuple[int, list[tuple[str, str]], bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", upstream, timeout=DEADLINE)) as connection:
        connection.putrequest("POST", passing.path, skip_accept_encoding=True)
        for name, value in passing.headers:
            if name.lower() not in _OF_CONNECTION:
                connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(passing.body)))
        connection.endheaders(passing.body)
        answer = connection.getresponse()
        return answer.status, answer.getheaders(), answer.read()


@contextmanager
def http_proxy(upstream: int, change: Change) -> Iterator[int]:
    """A proxy on a port of its own, before the server on the port `upstream`."""
    with _Server(upstream, change) as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()

"""Lists of APIs, for tests: served by the simulator, or by a server that answers what a test says; and read."""

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from pathlib import Path

from ingest.simulator.list_server import CLIENT_ID, CLIENT_SECRET
from projections.participants.fields import DECLARED
from projections.truth.api.client import ApiClient
from projections.truth.api.config import ApiConfig, read_config
from projections.truth.api.listed import listing_of_rows
from projections.truth.api.reading import ListReading
from projections.truth.api.unfinished import Unfinished
from projections.truth.listing import Listing

SECRETS = {"ROSTERLOG_API_CLIENT_SECRET": CLIENT_SECRET, "ROSTERLOG_API_TOKEN": "a-plain-token"}
OAUTH = '[oauth]\ntoken_url = "{url}/oauth/token"\nclient_id = "' + CLIENT_ID + '"\n'
BEARER = "[bearer]\n"
STYLES = {
    "cursor": 'style = "cursor"\nparameter = "cursor"\nnext = "meta.next_cursor"\n',
    "link": 'style = "link"\n',
    "page": 'style = "page"\nparameter = "page"\n',
    "offset": 'style = "offset"\nparameter = "offset"\n',
}


def config_text(
    url: str, style: str = "cursor", *, path: str = "/participants", more: str = "", entry: str = OAUTH, rest: str = ""
) -> str:
    """A configuration. `more`: lines of the list itself; `rest`: other tables, after the one of pages."""
    lines = f'url = "{url}{path}"\nitems = "data"\n{more}\n[pages]\n{STYLES.get(style, style)}\n{rest}\n'
    return lines + entry.format(url=url)


def config_in(folder: Path, text: str) -> ApiConfig:
    path = folder / "api.toml"
    path.write_text(text)
    return read_config(path)


@dataclass(slots=True)
class Waited:
    """A clock that moves when it is waited on. `pauses`: how long each wait was."""

    now: float = 0.0
    pauses: list[float] = field(default_factory=list)

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now


@dataclass(frozen=True, slots=True)
class WhatWasRead:
    """A reading that came to its end."""

    rows: list[dict[str, str]]
    pages: int
    taken_at: datetime
    ceiling: str
    listing: Listing
    waited: Waited


def read_all(
    folder: Path,
    config: ApiConfig,
    *,
    events: tuple[str, ...] | None = None,
    now: datetime | None = None,
    stop_after: int | None = None,
) -> WhatWasRead:
    """Read a list. `stop_after`: so many pages, as if the process were killed then."""
    waited = Waited()
    now = now or datetime.now(UTC)
    with (
        closing(ApiClient(config, SECRETS, waited.pause, waited.clock)) as client,
        closing(Unfinished(folder / "api.toml", config.digest, now)) as kept,
    ):
        steps = ListReading(config, client, DECLARED, events, kept).pages(config.digest, now)
        *_, reached = steps if stop_after is None else islice(steps, stop_after + 1)
        listing = listing_of_rows(config, kept, reached)
        return WhatWasRead([*kept.rows()], reached.pages, reached.taken_at, reached.ceiling, listing, waited)


Answer = tuple[int, Mapping[str, str], bytes]
Answering = Callable[[str, str, Mapping[str, str]], Answer]
"""An answer to a request's method, target and headers. Status 0: the connection is closed without one."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65_536
    server: "_Server"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        status, headers, content = self.server.answering(self.command, self.path, dict(self.headers.items()))
        if not status:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self.do_GET()

    def send_response(self, code: int, message: str | None = None) -> None:
        self.send_response_only(code, message)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    answering: Answering

    def handle_error(self, request: object, client_address: object) -> None:
        """Nothing: a client that does not trust the certificate goes."""


@contextmanager
def answering_server(answering: Answering, certificate_in: Path | None = None) -> Iterator[str]:
    """A server that answers what the function says, over TLS with the certificate in a folder; gives its address."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        if certificate_in is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate_in / "certificate.pem", certificate_in / "key.pem")
            server.socket = context.wrap_socket(server.socket, server_side=True)
        server.answering = staticmethod(answering)
        thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
        thread.start()
        try:
            yield f"http{'s' if certificate_in else ''}://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()

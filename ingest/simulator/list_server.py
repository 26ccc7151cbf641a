"""An HTTP list of who is registered, as an API may have one, with what goes wrong there. On loopback alone.

WHAT MOVEMINT'S OWN LIST IS LIKE IS NOT PUBLISHED: addresses, keys and pages here are made up, as the people are.
"""

import base64
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from ingest.delivery import JsonObject

CLIENT_ID, CLIENT_SECRET = "simulated", "simulated-secret"
LIST_STYLES = ("cursor", "link", "page", "offset")
LIST_TROUBLES = ("limited", "failing", "changing")
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class ListManner:
    """`size`: rows of a page. `token_seconds`: how long a token is good.

    `troubles`: `limited` answers the second request for a page with 429 first, `failing` the third one with 500;
    `changing` gets somebody new in front once the first page was given. `retry_after`: what a 429 asks for, in seconds.
    """

    style: str = "cursor"
    size: int = 50
    token_seconds: int = 3_600
    troubles: frozenset[str] = frozenset()
    retry_after: str = "1"


@dataclass(slots=True)
class ServedList:
    """What is listed, and what was asked for. `first_page`: is called once, before the first page is answered."""

    rows: list[JsonObject]
    manner: ListManner
    first_page: Callable[[], None]
    url: str = ""
    token: str = ""
    tokens: int = 0
    asked: list[str] = field(default_factory=list)
    pages: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, method: str, target: str, authorization: str, form: str) -> tuple[int, dict[str, str], object]:
        """Status, headers and document of an answer."""
        with self.lock:
            self.asked.append(f"{method} {target}")
            parts = urlsplit(target)
            if method == "POST" and parts.path == "/oauth/token":
                return self._token(authorization, form)
            if authorization != f"Bearer {self.token}" or not self.token:
                return 401, {"WWW-Authenticate": "Bearer"}, {"error": "unauthorized"}
            *before, last = parts.path.strip("/").split("/")
            if last == "participants" and before[:1] in ([], ["events"]):
                return self._page(parts.path, parse_qs(parts.query), before[1] if before else None)
            found = [row for row in self.rows if before == ["participants"] and str(row["id"]) == unquote(last)]
            return (200, {}, {"data": found[0]}) if found else (404, {}, {"error": "not_found"})

    def _token(self, authorization: str, form: str) -> tuple[int, dict[str, str], object]:
        said = {name: values[0] for name, values in parse_qs(form).items()}
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        in_body = (said.get("client_id"), said.get("client_secret")) == (CLIENT_ID, CLIENT_SECRET)
        if said.get("grant_type") != "client_credentials" or not (authorization == f"Basic {basic}" or in_body):
            return 401, {}, {"error": "invalid_client"}
        self.tokens += 1
        self.token = f"simulated-token-{self.tokens}"
        answer = {"access_token": self.token, "token_type": "Bearer", "expires_in": self.manner.token_seconds}
        return 200, {}, answer

    def _page(self, path: str, query: dict[str, list[str]], event_id: str | None) -> tuple[int, dict[str, str], object]:
        self.pages += 1
        if self.pages == 1:
            self.first_page()
        if self.pages == 2 and "limited" in self.manner.troubles:
            return 429, {"Retry-After": self.manner.retry_after}, {"error": "slow_down"}
        if self.pages == 3 and "failing" in self.manner.troubles:
            return 500, {}, {"error": "internal"}
        listed = [row for row in self.rows if event_id is None or str(row["event_id"]) == event_id]
        for key in ("created", "updated"):
            ceiling = query.get(f"{key}_before", [""])[0]
            listed = [row for row in listed if not ceiling or str(row[f"{key}_at"]) <= ceiling]
        begin = self._begin(query)
        following = begin + self.manner.size if begin + self.manner.size < len(listed) else None
        if self.pages == 1 and "changing" in self.manner.troubles:
            self.rows.insert(0, {**self.rows[0], "id": 1, "email": "somebody.new@example.org"})
        return self._written(listed[begin : begin + self.manner.size], len(listed), following, f"{path}?{{}}", query)

    def _begin(self, query: dict[str, list[str]]) -> int:
        """The place of the page's first row."""
        if "cursor" in query:
            return int(base64.urlsafe_b64decode(query["cursor"][0]))
        if "page" in query:
            return (int(query["page"][0]) - 1) * self.manner.size
        return int(query.get("offset", ["0"])[0])

    def _written(
        self, rows: Sequence[JsonObject], total: int, following: int | None, target: str, query: dict[str, list[str]]
    ) -> tuple[int, dict[str, str], object]:
        style = self.manner.style
        meta: JsonObject = {"total": total}
        headers: dict[str, str] = {}
        if style == "cursor":
            meta["next_cursor"] = following and base64.urlsafe_b64encode(str(following).encode()).decode()
        elif style == "link":
            again = [(name, value) for name, [value] in query.items() if name != "offset"]
            address = self.url + target.format(urlencode([*again, ("offset", str(following))]))
            first = self.url + target.format(urlencode(again))
            links = [f'<{first}>; rel="first"', *([f'<{address}>; rel="next"'] if following else [])]
            headers["Link"] = ", ".join(links)
        return 200, headers, {"data": rows, "meta": meta}


class _Handler(BaseHTTPRequestHandler):
    """One connection. `server` has the list."""

    protocol_version = "HTTP/1.1"
    wbufsize = 65_536  # headers and content in one segment, which no delayed acknowledgement holds up
    server: "_Server"

    def do_GET(self) -> None:
        self._answer("")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", "0"))).decode())

    def _answer(self, form: str) -> None:
        authorization = self.headers.get("Authorization", "")
        try:
            status, headers, document = self.server.listed.answer(self.command, self.path, authorization, form)
        except ValueError:
            status, headers, document = 400, {}, {"error": "bad_request"}
        content = json.dumps(document, ensure_ascii=False).encode()
        self.send_response(status)
        headers = {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Nothing: the commands say what they do."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    listed: ServedList


@contextmanager
def served_list(
    rows: Sequence[JsonObject],
    manner: ListManner | None = None,
    port: int = 0,
    first_page: Callable[[], None] = lambda: None,
) -> Iterator[ServedList]:
    """Serve a list for the block. Port 0 takes a free one. Raises `OSError` if the port cannot be had."""
    with _Server((_LOOPBACK, port), _Handler) as server:
        server.listed = ServedList([*rows], manner or ListManner(), first_page)
        server.listed.url = f"http://{_LOOPBACK}:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
        thread.start()
        try:
            yield server.listed
        finally:
            server.shutdown()
            thread.join()

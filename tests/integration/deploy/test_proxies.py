"""The proxies of `deploy/` before the real server: every byte arrives, nothing is published but what is said."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from ingest import postgres
from ingest.settings import read_settings
from ingest.web.bounds import Bounds
from tests import model, tls_proxy
from tests.bounded_server import bounded_server
from tests.conftest import create
from tests.program import environ, free_port, running, until
from tests.raw_client import RawClient, bytes_of, delivery, head, signed
from tests.silent_upstream import upstream_that_hangs_up

LIMIT = read_settings({}).max_body_bytes
SIZES = (1, 2, 1_023, 65_536, 500_000, LIMIT - 1, LIMIT)
CLOSED = b"Connection: close"
BODY_SECONDS = 2.0

Start = Callable[[Path, Mapping[str, str]], AbstractContextManager[int]]
PROXIES: dict[str, Start] = {"nginx": tls_proxy.nginx, "caddy": tls_proxy.caddy}


class Site(NamedTuple):
    """A proxy, the server behind it, and its database."""

    port: int
    folder: Path
    database: str
    server: psutil.Process
    server_port: int

    def connected(self) -> AbstractContextManager[RawClient]:
        return tls_proxy.connected(self.port, self.folder / "certificate.pem")

    def answer(self, request: bytes) -> tuple[int, bytes]:
        with self.connected() as client:
            client.send(request)
            answer = client.answer()
            return answer.status, answer.content

    def log(self, name: str) -> str:
        """What nginx has written; Caddy writes no such file."""
        file = self.folder / name
        return file.read_text() if file.exists() else ""


@pytest.fixture(scope="module")
def behind(server: postgres.Server, template: str) -> Iterator[tuple[str, psutil.Process, int]]:
    database = create(server, template)
    with bounded_server(database, {"body_seconds": BODY_SECONDS, "sweep_seconds": 0.1}) as (program, port):
        yield database, psutil.Process(program.process.pid), port


@pytest.fixture(scope="module", params=PROXIES)
def site(
    request: pytest.FixtureRequest, behind: tuple[str, psutil.Process, int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    database, server, server_port = behind
    folder = tmp_path_factory.mktemp(request.param)
    changes = {"127.0.0.1:8000": f"127.0.0.1:{server_port}", **_shorter(request.param)}
    with PROXIES[request.param](folder, changes) as port:
        yield Site(port, folder, database, server, server_port)


def _shorter(kind: str) -> Mapping[str, str]:
    """The proxy's own patience, so that a test can wait for its end."""
    if kind == "nginx":
        return {"keepalive_timeout 30s": "keepalive_timeout 1s"}
    return {"keepalive 30s": "keepalive 1s", "read_body 35s": "read_body 3s"}


def chunked(content: bytes, size: int = 100_000) -> bytes:
    """A signed delivery in chunks."""
    pieces = [content[start : start + size] for start in range(0, len(content), size)]
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return head(signed(content), b"Transfer-Encoding: chunked") + body + b"0\r\n\r\n"


def test_deliveries_of_every_size_arrive_with_their_bytes_on_one_connection(site: Site) -> None:
    contents = [os.urandom(size) for size in SIZES]
    with site.connected() as client:
        for content in contents:
            client.send(delivery(content))
            assert client.answer().status == 200
    again = [os.urandom(size) for size in SIZES]
    with site.connected() as client:
        for content in again:
            client.send(chunked(content, 7 if len(content) < 2_000 else 100_000))
            assert client.answer().status == 200
    assert {*contents, *again} <= {*model.stored_bodies(site.database)}
    assert "buffered to a temporary file" not in site.log("error.log"), "bodies are on this machine's disk"


def test_bytes_that_look_compressed_or_are_no_text_stay_as_they_are(site: Site) -> None:
    """What is signed are the bytes on the way, whatever a header says of them."""
    contents = [b"\x1f\x8b\x08\x00" + os.urandom(100), b'\xff\xfe{"type": "\x00"}' + os.urandom(8)]
    for content in contents:
        request = delivery(
            content, b"Content-Encoding: gzip", b"Content-Type: application/json; charset=utf-16", CLOSED
        )
        assert site.answer(request)[0] == 200
    assert {*contents} <= {*model.stored_bodies(site.database)}


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_byte_more_than_the_limit_is_refused_by_the_server_itself(site: Site, *, is_chunked: bool) -> None:
    content = os.urandom(LIMIT + 1)
    status, said = site.answer(chunked(content) if is_chunked else delivery(content))
    assert status == 413
    assert b"ROSTERLOG_MAX_BODY_BYTES" in said, "otherwise nobody counts it"


def test_a_body_of_more_than_twice_the_limit_ends_at_the_proxy(site: Site) -> None:
    status, said = site.answer(delivery(os.urandom(2 * LIMIT + 1)))
    assert status == 413
    assert b"ROSTERLOG" not in said


def test_a_client_of_http_1_0_is_heard(site: Site) -> None:
    content = os.urandom(5_000)
    request = head(signed(content), b"Content-Length: 5000", first=b"POST /webhooks/movemint HTTP/1.0")
    assert site.answer(request + content)[0] == 200
    assert content in model.stored_bodies(site.database)


def test_the_proxy_closes_its_idle_connections_first_and_the_sender_goes_on(site: Site) -> None:
    with site.connected() as client:
        client.send(delivery(os.urandom(40)))
        assert client.answer().status == 200
        until(lambda: not _accepted(site.server, site.server_port))
        client.send(delivery(os.urandom(40)))
        assert client.answer().status == 200


def _accepted(server: psutil.Process, port: int) -> list[object]:
    connections = server.net_connections("tcp")
    return [one for one in connections if one.status == psutil.CONN_ESTABLISHED and one.laddr.port == port]


def test_a_slow_sender_is_ended_while_others_are_served(site: Site) -> None:
    with site.connected() as slow:
        slow.send(head(signed(b"x" * 1_000), b"Content-Length: 1000"), *bytes_of(b"x" * 10))
        for _ in range(10):
            assert site.answer(delivery(os.urandom(50), CLOSED))[0] == 200
        assert slow.answer().status == 408


PATHS = (
    "/", "/v1/participants", "/v1/status", "/metrics", "/docs", "/openapi.json", "/healthz", "/livez", "/readyz",
    "/readyz/webhook", "/webhooks", "/webhooks/../metrics", "/webhooks/%2e%2e/metrics", "/webhooks/..%2fmetrics",
    "//metrics", "/webhooks//../healthz", "/./healthz",
)  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_nothing_is_published_but_the_webhook(site: Site, path: str) -> None:
    assert site.answer(head(CLOSED, first=f"GET {path} HTTP/1.1".encode()))[0] == 404


def test_no_log_of_the_proxy_has_what_was_asked(site: Site) -> None:
    asked = head(CLOSED, first=b"POST /webhooks/movemint?q=Anna HTTP/1.1")
    assert site.answer(asked)[0] == 401
    if (site.folder / "access.log").exists():
        until(lambda: " 401 " in site.log("access.log"))
    assert "Anna" not in site.log("access.log") + site.log("output")


def test_the_id_of_a_request_is_passed_on_both_ways(site: Site) -> None:
    with site.connected() as client:
        client.send(delivery(b"named", b"X-Request-ID: sender-4711"))
        assert client.answer().headers["x-request-id"] == "sender-4711"
        client.send(delivery(b"named badly", b"X-Request-ID: '; drop"))
        assert "drop" not in client.answer().headers["x-request-id"]


@pytest.mark.parametrize("kind", PROXIES)
def test_what_the_server_gets_is_what_was_sent_and_a_post_is_sent_once(kind: str, tmp_path: Path) -> None:
    """Behind the proxy is a server that reads a whole delivery and hangs up: it may have kept it."""
    content = os.urandom(3_000)
    with upstream_that_hangs_up() as upstream:
        changes = {"127.0.0.1:8000": f"127.0.0.1:{upstream.port}"}
        with (
            PROXIES[kind](tmp_path, changes) as port,
            tls_proxy.connected(port, tmp_path / "certificate.pem") as client,
        ):
            client.send(delivery(content, b"X-Forwarded-For: 198.51.100.7", b"User-Agent: Movemint"))
            assert client.answer().status == 502
    [request] = upstream.requests
    headers, _, body = request.partition(b"\r\n\r\n")
    lines = {line.lower() for line in headers.split(b"\r\n")}
    assert body == content
    assert {signed(content).lower(), b"x-forwarded-for: 127.0.0.1", b"x-forwarded-proto: https"} <= lines


def test_what_the_proxies_are_told_fits_the_server() -> None:
    bounds, answer_seconds = Bounds(), read_settings({}).answer_seconds
    nginx = (tls_proxy.DEPLOY / "nginx" / "rosterlog.conf").read_text()
    caddy = (tls_proxy.DEPLOY / "caddy" / "Caddyfile").read_text()
    assert number(r"client_max_body_size (\d+)m;", nginx) * 2**20 == 2 * LIMIT
    assert number(r"max_size (\d+)MiB", caddy) * 2**20 == 2 * LIMIT
    for idle in (number(r"keepalive_timeout (\d+)s;", nginx), number(r"keepalive (\d+)s", caddy)):
        assert idle < bounds.idle_seconds
    for wait in (number(r"proxy_read_timeout (\d+)s;", nginx), number(r"response_header_timeout (\d+)s", caddy)):
        assert wait > bounds.body_seconds + answer_seconds
    assert bounds.body_seconds < number(r"read_body (\d+)s", caddy) < bounds.body_seconds + 10
    assert "non_idempotent;" not in nginx


def number(pattern: str, text: str) -> int:
    """The one number that the pattern finds."""
    [digits] = re.findall(pattern, text)
    return int(digits)


@contextmanager
def _api(database: str) -> Iterator[int]:
    port = free_port()
    with running("api", "--port", str(port), env=environ(DATABASE_URL=database)) as api:
        api.line('"roster":')
        yield port


PUBLISHED = {
    "/v1/participants": 401, "/openapi.json": 200, "/docs": 200, "/docs/style.css": 200, "/": 303, "/races/1": 303,
    "/participants/1": 303, "/find?q=a": 303, "/operations": 303, "/download/v1/participants.csv": 303,
    "/sign-in": 200, "/sign-out": 303, "/sign-in/no-link": 410,
    "/metrics": 404, "/readyz": 404, "/other": 404, "/sign-outs": 404,
}  # fmt: skip


@pytest.mark.parametrize("kind", PROXIES)
def test_the_other_blocks_publish_the_api_and_the_pages_and_still_no_metrics(
    kind: str, database: str, tmp_path: Path
) -> None:
    with _api(database) as api_port, PROXIES[kind](tmp_path, _with_api(kind, tmp_path, api_port)) as port:
        site = Site(port, tmp_path, database, psutil.Process(), api_port)
        sign_in = site.answer(head(CLOSED, first=b"GET /sign-in HTTP/1.1"))[1].decode()
        [style] = re.findall(r'href="(/pages/style[^"]*)"', sign_in)
        published = {**PUBLISHED, style: 200}
        statuses = {path: site.answer(head(CLOSED, first=f"GET {path} HTTP/1.1".encode()))[0] for path in published}
    assert statuses == published


@pytest.mark.parametrize("kind", PROXIES)
def test_a_link_that_signs_in_stands_in_no_log_of_a_proxy(kind: str, tmp_path: Path) -> None:
    """Nobody is behind the proxy, which nginx writes down; Caddy is told to write down every request."""
    logging = {"\thandle /webhooks/* {": "\tlog\n\thandle /webhooks/* {"} if kind == "caddy" else {}
    with PROXIES[kind](tmp_path, {**_with_api(kind, tmp_path, free_port()), **logging}) as port:
        site = Site(port, tmp_path, "", psutil.Process(), 0)
        for path in ("/sign-in/canary-link", "/sign-in/canary-link?x=1", "/find?q=x"):
            assert site.answer(head(CLOSED, first=f"GET {path} HTTP/1.1".encode()))[0] == 502
        until(lambda: "/find" in site.log("error.log") + site.log("output"))
        logged = [site.log(name) for name in ("error.log", "access.log", "output")]
    assert "canary" not in "".join(logged)


def _with_api(kind: str, folder: Path, api_port: int) -> Mapping[str, str]:
    address = {"127.0.0.1:8001": f"127.0.0.1:{api_port}"}
    if kind == "nginx":
        text = (tls_proxy.DEPLOY / "nginx" / "rosterlog-api.conf").read_text()
        (folder / "rosterlog-api.conf").write_text(tls_proxy.changed(text, address))
        return {tls_proxy.NGINX_API: f"include {folder}/rosterlog-api.conf;"}
    text = (tls_proxy.DEPLOY / "caddy" / "Caddyfile").read_text()
    block = [line for line in text.splitlines() if line.startswith("\t#") and not line.startswith("\t# ")]
    return {**{line: line.replace("#", "", 1) for line in block}, **address}

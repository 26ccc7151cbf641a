"""`doctor --url`: what proxies do to deliveries is told, by probes of which nothing is kept or counted."""

import asyncio
import json
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from ingest import postgres
from ingest.failures import WrongUsage
from ingest.probe import PROBE_HEADER
from ingest.sources import Secrets
from projections.doctor.contact import judge
from projections.doctor.finding import DoctorFinding
from projections.doctor.posting import ProbeAnswer
from projections.doctor.way import addresses, bodies, examine_way
from tests import DEADLINE, model
from tests.conftest import create
from tests.findings import of, only, worst
from tests.fold_all import query
from tests.http_proxy import Change, Own, Passing, http_proxy
from tests.program import deliver, environ, free_port, run, running, status_of, until

pytestmark = pytest.mark.acceptance

LIMIT = 200_000
PROBLEM = "application/problem+json"
SECRETS = {"movemint": (model.SECRET,)}
ENV = {"MOVEMINT_WEBHOOK_SECRET": model.SECRET.decode(), "ROSTERLOG_MAX_BODY_BYTES": str(LIMIT)}


class Site(NamedTuple):
    """A server of the webhook and its database."""

    port: int
    database: str


@contextmanager
def receiving(database: str) -> Iterator[Site]:
    port = free_port()
    with running("ingest", "--port", str(port), env=environ(DATABASE_URL=database, **ENV)):
        until(lambda: status_of(port, "/healthz") == 200)
        yield Site(port, database)


@pytest.fixture(scope="module")
def site(server: postgres.Server, template: str) -> Iterator[Site]:
    with receiving(create(server, template)) as site:
        yield site


def examined(port: int, secrets: Mapping[str, Secrets] = SECRETS, limit: int = LIMIT) -> list[DoctorFinding]:
    return asyncio.run(examine_way(f"http://127.0.0.1:{port}/webhooks/movemint", secrets, limit))


def through(site: Site, change: Change) -> list[DoctorFinding]:
    with http_proxy(site.port, change) as port:
        return examined(port)


def passes(_passing: Passing) -> None:
    """Change nothing."""


def rewrites_json(passing: Passing) -> None:
    with suppress(ValueError):
        passing.body = json.dumps(json.loads(passing.body.decode("utf-8-sig"))).encode()


def without(name: str) -> Change:
    def change(passing: Passing) -> None:
        passing.headers = [(key, value) for key, value in passing.headers if key.lower() != name.lower()]

    return change


def prefixes_signature(passing: Passing) -> None:
    passing.headers = [
        (name, f"sha256={value}" if name.lower() == "x-signature" else value) for name, value in passing.headers
    ]


def test_promise_1_nothing_of_a_probe_is_kept_or_counted(database: str) -> None:
    """The one delivery that is refused after all of them is the only one that is counted."""
    with receiving(database) as site:
        url = f"http://127.0.0.1:{site.port}/"
        said = run("doctor", "--url", url, env=environ(DATABASE_URL=database, **ENV), code=1)  # it does not sync
        assert "ok    address" in said
        assert "7 bodies of all kinds arrived exactly as they were sent" in said
        too_large = examined(site.port, limit=LIMIT + 1)
        assert "its ROSTERLOG_MAX_BODY_BYTES is lower than here" in only(too_large, "limit")[1]
        assert deliver(site.port, b"{}", signature="0" * 64)[0] == 401
        until(lambda: query(database, "select * from refused_delivery"))
    assert query(database, "select reason, count from refused_delivery") == [("signature_wrong", 1)]
    assert query(database, "select * from event_log") == []


def test_a_proxy_that_changes_nothing_is_well(site: Site) -> None:
    assert [(finding.check, finding.level.value) for finding in through(site, passes)] == [
        ("address", "ok"), ("bytes", "ok"), ("signature", "ok"),
    ]  # fmt: skip


def test_a_proxy_that_writes_json_again_is_told(site: Site) -> None:
    found = through(site, rewrites_json)
    assert worst(found) == [("bytes", "fail")]
    assert "JSON with a byte order mark, blanks, CR LF and escapes (57 bytes sent, " in only(found, "bytes")[1]


def test_a_proxy_that_drops_or_changes_the_signature_is_told(site: Site) -> None:
    found = through(site, without("X-Signature"))
    assert worst(found) == [("signature", "fail")]
    assert "does not arrive" in only(found, "signature")[1]
    assert "arrives changed" in only(through(site, prefixes_signature), "signature")[1]
    both = through(site, lambda passing: without("X-Signature")(passing) or without(PROBE_HEADER)(passing))
    assert "does not reach it" in only(both, "signature")[1]


def test_a_proxy_that_limits_bodies_is_told(site: Site) -> None:
    found = through(site, lambda passing: Own(413) if len(passing.body) > 50_000 else None)
    assert worst(found) == [("limit", "fail")]
    assert "a proxy refuses bodies of 97.7 kB" in only(found, "limit")[1]
    assert only(found, "bytes")[1].startswith("4 bodies of all kinds")


def test_a_proxy_that_refuses_some_bodies_is_told(site: Site) -> None:
    found = through(site, lambda passing: Own(411) if passing.is_chunked else None)
    assert worst(found) == [("bodies", "fail")]
    assert "in chunks is answered 411 by a proxy" in only(found, "bodies")[1]
    found = through(site, lambda passing: Own(400) if b"\xff" in passing.body else None)
    assert [level for check, level in worst(found) if check == "bodies"] == ["warn"]
    found = through(site, lambda passing: Own(0) if passing.is_chunked else None)
    assert "the connection was closed without an answer" in only(found, "bodies")[1]
    full = Own(507, {"Content-Type": PROBLEM}, b'{"status": 507, "request_id": "1", "detail": "%b"}' % (b"x" * 999))
    found = through(site, lambda passing: full if passing.is_chunked else None)
    assert "in chunks is answered 507 by the server (xxx" in only(found, "bodies")[1]
    assert len(only(found, "bodies")[1]) < 400
    found = through(site, lambda passing: None if b"rosterlog.probe" in passing.body else Own(0))
    assert [check for check, _ in worst(found)] == ["bodies", "bodies"], "given up after two of seven"


def test_a_proxy_that_leads_past_the_source_is_told(site: Site) -> None:
    level, said = only(through(site, without(PROBE_HEADER)), "address")
    assert (level, "does not know the probe" in said) == ("warn", True)
    level, said = only(through(site, lambda passing: setattr(passing, "path", "/webhooks/other")), "address")
    assert (level, "has no source movemint" in said) == ("fail", True)


def test_of_several_sources_the_first_that_is_reached_has_all_bodies_sent(site: Site) -> None:
    asked: list[bytes] = []

    def leads_here(passing: Passing) -> None:
        asked.append(passing.body)
        passing.path = "/webhooks/movemint"

    with http_proxy(site.port, leads_here) as port:
        two = {**SECRETS, "spring": SECRETS["movemint"]}
        found = asyncio.run(examine_way(f"http://127.0.0.1:{port}", two, LIMIT))
    assert [level for level, _ in of(found, "address")] == ["ok", "ok"]
    assert only(found, "bytes")[1].startswith("7 bodies of all kinds")
    assert len(asked) == 2 + 7, "one that finds out the secret of each"


def test_a_server_with_another_secret_is_told(site: Site) -> None:
    [(level, said)] = of(examined(site.port, {"movemint": (b"another",)}), "address")
    assert (level, "its secret of movemint is another one" in said) == ("warn", True)
    found = examined(site.port, {"movemint": (b"the newest", model.SECRET)})
    assert worst(found) == [("address", "fail")]
    assert "knows secret 2 of movemint and not the newest one" in only(found, "address")[1]


def test_an_address_where_nobody_answers_is_told() -> None:
    def said(url: str, seconds: float = 20) -> str:
        return only(asyncio.run(examine_way(url, SECRETS, LIMIT, seconds)), "address")[1]

    assert "nothing listens there" in said(f"http://127.0.0.1:{free_port()}")
    assert "its host is not known here" in said("http://host.invalid")
    assert "the connection was closed" in said("http://\u00e9..invalid"), "a host that cannot be"


@contextmanager
def saying(first: bytes, again: bytes) -> Iterator[int]:
    """A server that says this to each client, and then the other for as long as the client is there."""

    def serve(listener: socket.socket) -> None:
        pause = threading.Event()
        with suppress(OSError), closing(listener.accept()[0]) as client:
            client.recv(65_536)
            client.sendall(first)
            while True:
                client.sendall(again)
                pause.wait(0.01)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=[listener])
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_promise_16_an_answer_that_never_ends_is_given_up() -> None:
    with saying(b"HTTP/1.1 401 Unauthorized\r\nX-Slow: ", b"x") as port:
        [finding] = asyncio.run(
            asyncio.wait_for(examine_way(f"http://127.0.0.1:{port}", SECRETS, LIMIT, seconds=0.6), DEADLINE)
        )
        assert "no answer within 1 s" in finding.says
    with saying(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 10_000) as port:
        [finding] = asyncio.run(asyncio.wait_for(examine_way(f"http://127.0.0.1:{port}", SECRETS, LIMIT), DEADLINE))
        assert "answers 200 to a wrong signature" in finding.says


def test_a_clock_that_is_off_is_told_from_the_answers_date() -> None:
    """Then the server takes no probe, whatever its secret is."""
    problem = {"status": 401, "detail": "X-Signature is of another secret", "request_id": "1"}
    now = datetime.now(UTC)
    dates = [format_datetime(now + timedelta(hours=hours), usegmt=True) for hours in (-1, 1, 0)]
    for date, says in zip([*dates, "", "yesterday"], ["s off"] * 2 + ["does not know the probe"] * 3, strict=True):
        answer = ProbeAnswer(401, {"date": date}, problem)
        assert says in judge(answer, "https://example.org", "movemint").says


def test_what_is_wrong_with_tls_is_told(site: Site, tmp_path: Path) -> None:
    [finding] = asyncio.run(examine_way(f"https://127.0.0.1:{site.port}", SECRETS, LIMIT))
    assert "TLS fails" in finding.says
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificate")
    make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost"
    files = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "certificate")]
    subprocess.run(["openssl", *make.split(), *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate", tmp_path / "key")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_shake_hands, args=[listener, context])
        thread.start()
        [finding] = asyncio.run(examine_way(f"https://127.0.0.1:{listener.getsockname()[1]}", SECRETS, LIMIT))
        thread.join()
    assert "its certificate is not trusted: self-signed certificate" in finding.says


def _shake_hands(listener: socket.socket, context: ssl.SSLContext) -> None:
    with closing(listener.accept()[0]) as client, pytest.raises(ssl.SSLError):
        context.wrap_socket(client, server_side=True)


def test_http_on_the_way_is_told() -> None:
    found = asyncio.run(examine_way("http://host.invalid/webhooks/movemint", SECRETS, LIMIT))
    assert only(found, "tls")[0] == "warn"


def test_the_address_is_the_webhooks_or_the_servers() -> None:
    two = {**SECRETS, "spring": (b"x",)}
    for url in ("https://example.org/", "https://example.org/webhooks", "https://example.org/webhooks/"):
        assert addresses(url, two) == {
            "movemint": "https://example.org/webhooks/movemint", "spring": "https://example.org/webhooks/spring",
        }  # fmt: skip
    assert addresses("https://webhooks", SECRETS) == {"movemint": "https://webhooks/webhooks/movemint"}
    assert addresses("https://example.org/a/webhooks/", SECRETS) == {
        "movemint": "https://example.org/a/webhooks/movemint"
    }
    with pytest.raises(WrongUsage, match="ends with a slash, with which a webhook is answered 404"):
        addresses("https://example.org/a/webhooks/spring/", two)
    for url in (
        "example.org",
        "ftp://example.org",
        "http://",
        "http://[",
        "http://h:x",
        "https://h/?a=1",
        "https://h/#a",
        "https://h/\n",
        "https://me:hush@example.org",
        "https://me:hush@example.org/webhooks/movemint",
    ):
        with pytest.raises(WrongUsage, match="no http or https address") as caught:
            addresses(url, two)
        assert "hush" not in str(caught.value)
    with pytest.raises(WrongUsage, match="which has no secret here"):
        addresses("https://example.org/webhooks/other", two)
    with pytest.raises(WrongUsage, match="needs a secret"):
        addresses("https://example.org/", {})


@pytest.mark.parametrize("limit", [1, 2, 3, 100, 1_000_000])
def test_no_body_is_larger_than_the_limit(limit: int) -> None:
    sizes = [len(body.content) for body in bodies(limit)]
    assert max(sizes) == limit
    assert min(sizes) == 1
    assert max(len(body.content) for body in bodies(2**30)) == 2**24, "whatever the limit is"

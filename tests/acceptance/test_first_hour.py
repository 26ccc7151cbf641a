"""The first hour with a server: a delivery by hand, what a wrong signature or address is told, the page at `/`."""

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingest import postgres
from ingest.database import sync_engine
from ingest.settings import SettingsError, read_settings
from tests import DEADLINE, ROOT, model
from tests.api_client import make_token
from tests.conftest import create
from tests.doc_examples import programs
from tests.fold_all import query
from tests.program import Running, environ, free_port, get, running, status_of, until
from tests.raw_client import Answer, connected, head

pytestmark = pytest.mark.acceptance

README = (ROOT / "README.md").read_text(encoding="utf-8")
BODY = model.body("by-hand")
DIGEST = model.signature(BODY)
PUBLIC_URL = "https://example.org/rosterlog"
OF_KUBERNETES = {"ROSTERLOG_PORT": "tcp://10.0.0.1:8000", "MOVEMINT_RELAY_SERVICE_HOST": "10.0.0.1"}


@contextmanager
def served(command: str, database: str, **settings: str) -> Iterator[tuple[int, Running]]:
    port = free_port()
    env = environ(DATABASE_URL=database, MOVEMINT_WEBHOOK_SECRET=model.SECRET.decode(), **settings)
    with running(command, "--port", str(port), env=env) as server:
        until(lambda: status_of(port, "/healthz") == 200)
        yield port, server


@pytest.fixture(scope="module")
def both(server: postgres.Server, template: str) -> Iterator[tuple[int, str]]:
    """A server of webhook and API, for all tests of this module; its port and its database."""
    database = create(server, template)
    with served("serve", database) as (port, _):
        yield port, database


def asked(port: int, first: bytes, *lines: bytes, content: bytes = b"") -> Answer:
    """The answer to a request whose bytes are these."""
    with connected(port) as client:
        client.send(head(*lines, b"Content-Length: %d" % len(content), first=first + b" HTTP/1.1") + content)
        return client.answer()


def posted(port: int, *lines: bytes) -> Answer:
    return asked(port, b"POST /webhooks/movemint", *lines, content=BODY)


@pytest.mark.skipif(
    shutil.which("openssl") is None or shutil.which("curl") is None, reason="this machine has no openssl or no curl"
)
def test_the_readmes_delivery_by_hand_is_stored(both: tuple[int, str], tmp_path: Path) -> None:
    """With the lines before and after it, as they are printed there but for the port."""
    port, database = both
    [connect, by_hand] = re.findall(r"```sh\n((?:make setup|printf) .*?)```", README, re.DOTALL)
    token, erase = re.search("^TOKEN=.*$", connect, re.M), re.search("`(rosterlog erase by-hand .*?)`", README)
    read = re.search(r"`(curl -H .*?)`", README)
    assert token and erase and read  # noqa: PT018 - found in the text
    script = "\n".join((token[0], by_hand, read[1], f"echo y | {erase[1]}", "rosterlog log list"))
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace("127.0.0.1:8000", f"127.0.0.1:{port}")],
        env=environ(
            PATH=programs(tmp_path), PYTHONPATH=str(ROOT), DATABASE_URL=database,
            MOVEMINT_WEBHOOK_SECRET=f"{model.SECRET.decode()},an older one",
        ),
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=DEADLINE,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert '"stored"' in done.stdout
    assert '"position":0' in done.stdout, "no worker runs here"
    assert re.search("erased .*by-hand$", done.stdout, re.M), done.stdout


def test_the_readmes_exports_are_settings_that_a_server_takes() -> None:
    [connect] = re.findall(r"```sh\n(make setup .*?)```", README, re.DOTALL)
    exported = dict(re.findall(r"^export ([A-Z_]+)=(\S+)", connect, re.M))
    assert exported.pop("PATH") == '"$PWD/.venv/bin:$PATH"'
    assert exported.keys() == {"ROSTERLOG_DATA_DIR", "MOVEMINT_WEBHOOK_SECRET"}
    with pytest.raises(SettingsError, match="put the subscription's secret there"):
        read_settings(exported)
    assert read_settings({**exported, "MOVEMINT_WEBHOOK_SECRET": "a secret"}).sources == {"movemint": (b"a secret",)}


@pytest.mark.parametrize("blanks", [b"", b" ", b"\t", b"  \t "])
def test_blanks_around_a_signature_are_no_part_of_it(both: tuple[int, str], blanks: bytes) -> None:
    answer = posted(both[0], b"X-Signature:" + blanks + DIGEST.encode() + blanks)
    assert answer.status == 200, answer.content


MALFORMED = {
    "a prefix": (f"sha256={DIGEST}", "begins with sha256="),
    "a prefix in capitals": (f"SHA256={DIGEST}", "begins with sha256="),
    "base64": (base64.b64encode(bytes.fromhex(DIGEST)).decode(), "is base64"),
    "base64 for addresses": (base64.urlsafe_b64encode(b"\xff" * 32).decode().rstrip("="), "is base64"),
    "another algorithm": ("0" * 40, "has 40 hex digits, as SHA-1 makes them"),
    "cut off": (DIGEST[:-1], "has 63 hex digits:"),
    "no digits": ("z" * 64, "has characters that are no hex digits"),
    "a blank between": (f"{DIGEST[:32]} {DIGEST[32:]}", "has characters that are no hex digits"),
    "nothing": ("", "is empty"),
}


@pytest.mark.parametrize(("value", "said"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_signature_is_told_what_it_is(both: tuple[int, str], value: str, said: str) -> None:
    answer = posted(both[0], b"X-Signature: " + value.encode())
    assert answer.status == 401
    detail = answer.document["detail"]
    assert detail.startswith(f"X-Signature {said}")
    assert "it must be 64 hex digits" in detail
    assert DIGEST not in detail


def test_a_missing_a_doubled_and_a_wrong_signature_are_told_apart(both: tuple[int, str]) -> None:
    for lines, said in (
        ([], "is missing"), ([b"X-Signature: " + DIGEST.encode()] * 2, "is there 2 times"),
        ([b"X-Signature: " + b"0" * 64], "is of another secret, or of other bytes"),
    ):  # fmt: skip
        answer = posted(both[0], *lines)
        assert (answer.status, answer.document["detail"][: len(said) + 12]) == (401, f"X-Signature {said}")


@pytest.mark.parametrize(
    ("path", "right"),
    [
        ("/webhooks/movemint/", "/webhooks/movemint."), ("/webhooks//movemint", "/webhooks/movemint."),
        ("/webhooks/spring//", "/webhooks/spring."), ("//webhooks/movemint", "/webhooks/movemint."),
        ("/webhooks", "/webhooks/movemint, for one"), ("/webhooks/", "/webhooks/movemint, for one"),
        ("/webhooks/a/b", "/webhooks/movemint, for one"), ("/webhooks/%3Cb%3E/", "/webhooks/movemint, for one"),
    ],
)  # fmt: skip
def test_a_delivery_to_almost_the_right_address_is_told_it_and_not_redirected(
    both: tuple[int, str], path: str, right: str
) -> None:
    signed = b"X-Signature: " + DIGEST.encode()
    answer = asked(both[0], b"POST " + path.encode(), signed, content=BODY)
    assert (answer.status, "location" in answer.headers) == (404, False)
    assert answer.headers["content-type"] == "application/problem+json"
    assert right in answer.document["detail"]
    assert "<b>" not in answer.document["detail"]


def test_deliveries_to_almost_the_right_address_are_counted(both: tuple[int, str]) -> None:
    port, database = both
    counted = "select coalesce(sum(count), 0) from refused_delivery where source = '' and reason = 'unknown_source'"
    [(before,)] = query(database, counted)
    for path in (b"/webhooks/movemint/", b"/webhooks", b"/webhooks/"):
        assert asked(port, b"POST " + path, content=BODY).status == 404
    until(lambda: query(database, counted)[0][0] >= before + 3)


def test_a_slash_too_many_is_told_the_right_address_of_the_api(both: tuple[int, str]) -> None:
    port, database = both
    engine = sync_engine(database)
    token = make_token(engine)
    engine.dispose()
    for path, right in (
        ("/v1/participants/", "/v1/participants."), ("/v1/participants/7/", "/v1/participants/7."),
        ("/v1/events/", "/v1/events."), ("/v1/participants//history", None), ("/v1/participants/7%2F", None),
        ("/v1/status/", "/v1/status."), ("//v1/participants", "/v1/participants."), ("/docs/", "/docs."),
        ("/v1/participants.csv/", "/v1/participants.csv."), ("/healthz/", "/healthz."), ("/nothing/", None),
        ("//", None),
    ):  # fmt: skip
        status, headers, problem = get(port, path, token)
        assert (status, headers["content-type"]) == (404, "application/problem+json"), path
        assert problem["detail"].endswith(right) if right else "slash" not in problem["detail"], problem


def test_the_page_at_the_root_leads_to_signing_in(both: tuple[int, str]) -> None:
    port, _ = both
    answer = asked(port, b"GET /")
    assert (answer.status, answer.headers["location"]) == (303, "/sign-in?next=%2F")
    answer = asked(port, b"GET /sign-in")
    page = answer.content.decode()
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
    assert "rosterlog token create NAME" in page
    assert not re.search(r"<(style|img|iframe)|https?:", page)
    linked = [reference for reference in re.findall(r'(?:href|src)="([^"]+)"', page) if reference[0] == "/"]
    assert {"/docs", "/healthz", "/openapi.json", "/readyz"} < {*linked}
    for reference in linked:
        assert asked(port, f"GET {reference}".encode()).status in (200, 303, 503), reference
    assert asked(port, b"POST /").status == 405


def test_the_root_answers_head(both: tuple[int, str]) -> None:
    status, headers, content = get(both[0], "/sign-in", method="HEAD")
    assert (status, headers["content-type"], content) == (200, "text/html; charset=utf-8", None)


def test_a_server_that_only_receives_says_so_with_its_public_address(database: str) -> None:
    with served("ingest", database, ROSTERLOG_PUBLIC_URL=f"{PUBLIC_URL}/", **OF_KUBERNETES) as (port, server):
        page = asked(port, b"GET /").content.decode()
        assert f"{PUBLIC_URL}/webhooks/movemint" in page
        assert "nothing else" in page
        assert "docs" not in page
        server.line(re.escape(f'"webhooks":"{PUBLIC_URL}/webhooks/'))
        lines = [json.loads(line) for line in server.lines if "variables of Kubernetes" in line]
        assert [line["names"] for line in lines] == [sorted(OF_KUBERNETES)]
        assert lines[0]["level"] == "info"

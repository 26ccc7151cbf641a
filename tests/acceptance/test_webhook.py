"""The webhook as strangers and Movemint meet it: over HTTP, with whatever bytes they like."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from tests import DEADLINE, model
from tests.integration.folding.test_worker import HOSTILE
from tests.program import deliver, environ, free_port, get, running, status_of, until

pytestmark = pytest.mark.acceptance


@pytest.fixture
def port(database: str) -> Iterator[int]:
    port = free_port()
    env = environ(
        DATABASE_URL=database,
        MOVEMINT_WEBHOOK_SECRET=f"the newer one,{model.SECRET.decode()}",
        ROSTERLOG_SOURCES='{"spring": ["x"]}',
        ROSTERLOG_MAX_BODY_BYTES="1000000",
    )
    with running("ingest", "--port", str(port), env=env):
        until(lambda: status_of(port, "/healthz") == 200)
        yield port


def raw(port: int, request: bytes, *, chunks: bytes = b"") -> bytes:
    """Send bytes as they are and read the answer up to the end of its head."""
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as connection:
        connection.sendall(request + chunks)
        answer = b""
        while b"\r\n\r\n" not in answer and (more := connection.recv(65536)):
            answer += more
        return answer


def head(*lines: bytes) -> bytes:
    return b"\r\n".join((b"POST /webhooks/movemint HTTP/1.1", b"Host: x", *lines, b"", b""))


def test_promise_1_every_verified_body_is_stored_and_answered_200(port: int, database: str) -> None:
    for position, content in enumerate(HOSTILE, 1):
        assert deliver(port, content) == (200, {"status": "stored", "source": "movemint", "position": position})
    assert deliver(port, HOSTILE[3]) == (200, {"status": "duplicate", "source": "movemint", "position": 4})
    assert model.stored_bodies(database) == HOSTILE


def test_each_live_secret_and_either_case_of_hex_is_right(port: int) -> None:
    content = model.body(1)
    for secret in (model.SECRET, b"the newer one"):
        for signature in (model.signature(content, secret), model.signature(content, secret).upper()):
            assert deliver(port, content, signature=signature)[0] == 200


def test_promise_1_an_unverified_request_leaves_no_trace(port: int, database: str) -> None:
    content = model.body(1)
    good = model.signature(content)
    length = b"Content-Length: %d" % len(content)
    for value in ("", good[:-1], good + "0", "g" * 64, "sha256=" + good, model.signature(content, b"x"), "0" * 64):
        assert deliver(port, content, signature=value)[0] == 401
    assert raw(port, head(length) + content).startswith(b"HTTP/1.1 401")
    signed = b"X-Signature: " + good.encode()
    assert raw(port, head(length, signed, signed) + content).startswith(b"HTTP/1.1 401")
    assert raw(port, head(length, b"X-Signature: " + "é".encode() * 32) + content).startswith(b"HTTP/1.1 401")
    assert raw(port, head(length, b"X-Signature: " + b"\xff" * 64) + content).startswith(b"HTTP/1.1 401")
    assert deliver(port, content, source="spring")[0] == 401
    with psycopg.connect(database) as connection:
        assert connection.execute("select count(*) from event_log").fetchone() == (0,)
        assert connection.execute("select count(*) from event_redelivery").fetchone() == (0,)


def test_unknown_sources_and_methods_are_refused_as_problems(port: int) -> None:
    assert deliver(port, b"", source="winter")[0] == 404
    assert deliver(port, b"", source="movemint/")[0] == 404
    status, headers, content = get(port, "/webhooks/movemint")
    assert (status, headers["allow"], headers["content-type"]) == (405, "POST", "application/problem+json")
    assert content["status"] == 405


def test_a_body_over_the_limit_is_refused_declared_or_chunked(port: int, database: str) -> None:
    limit = 1_000_000
    assert deliver(port, b"x" * limit)[0] == 200
    assert deliver(port, b"x" * (limit + 1))[0] == 413
    assert deliver(port, b"x" * (20 * limit))[0] == 413
    signed = b"X-Signature: " + model.signature(b"x" * (limit + 1)).encode()
    chunk = b"186a0\r\n" + b"x" * 100_000 + b"\r\n"
    chunked = head(signed, b"Transfer-Encoding: chunked")
    assert raw(port, chunked, chunks=chunk * 10 + b"1\r\nx\r\n0\r\n\r\n").startswith(b"HTTP/1.1 413")
    assert raw(port, head(b"Content-Length: 99999999999")).startswith(b"HTTP/1.1 413")
    assert len(model.stored_bodies(database)) == 1


def test_a_chunked_body_within_the_limit_is_kept_whole(port: int, database: str) -> None:
    content = b"y" * 300_000
    request = head(b"X-Signature: " + model.signature(content).encode(), b"Transfer-Encoding: chunked")
    chunks = (b"186a0\r\n" + b"y" * 100_000 + b"\r\n") * 3 + b"0\r\n\r\n"
    assert raw(port, request, chunks=chunks).startswith(b"HTTP/1.1 200")
    assert model.stored_bodies(database) == [content]


def test_a_client_that_goes_away_in_the_middle_disturbs_nobody(port: int, database: str) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head(b"X-Signature: " + b"0" * 64, b"Content-Length: 1000") + b"half")
    assert deliver(port, model.body(1))[0] == 200
    assert len(model.stored_bodies(database)) == 1


def test_promise_6_the_same_delivery_raced_50_times_over_http_is_stored_once(port: int, database: str) -> None:
    content = model.body(1)
    with ThreadPoolExecutor(50) as pool:
        answers = [
            future.result(timeout=DEADLINE) for future in [pool.submit(deliver, port, content) for _ in range(50)]
        ]
    assert {(status, answer["position"]) for status, answer in answers} == {(200, 1)}
    assert sorted(answer["status"] for _, answer in answers) == ["duplicate"] * 49 + ["stored"]
    assert model.stored_bodies(database) == [content]


def test_a_server_stops_even_if_the_database_hangs(database: str) -> None:
    port = free_port()
    env = environ(DATABASE_URL=database, MOVEMINT_WEBHOOK_SECRET=model.SECRET.decode(), ROSTERLOG_ANSWER_SECONDS="0.3")
    with running("ingest", "--port", str(port), env=env) as server, psycopg.connect(database) as blocker:
        until(lambda: status_of(port, "/readyz") == 200)
        blocker.execute("lock table event_log in access exclusive mode")
        assert deliver(port, model.body(1))[0] == 503
        assert server.stop() == 0
        blocker.rollback()
    assert model.stored_bodies(database) in ([], [model.body(1)])


def test_promise_2_a_stopped_server_has_answered_and_committed_what_it_accepted(database: str) -> None:
    port = free_port()
    env = environ(DATABASE_URL=database, MOVEMINT_WEBHOOK_SECRET=model.SECRET.decode())
    with running("ingest", "--port", str(port), env=env) as server, ThreadPoolExecutor(8) as pool:
        until(lambda: status_of(port, "/healthz") == 200)
        sending = [pool.submit(deliver, port, model.body(number)) for number in range(400)]
        until(lambda: sum(future.done() for future in sending) > 50)
        assert server.stop() == 0
        answered = set()
        for number, future in enumerate(sending):
            if future.exception(timeout=DEADLINE) is None and future.result()[0] == 200:
                answered.add(model.body(number))
    assert len(answered) > 50
    assert set(model.stored_bodies(database)) == answered

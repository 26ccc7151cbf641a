"""Requests as strangers make them, by the byte, against a real server: each is answered as stated or closed cleanly."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import pytest

from ingest import postgres
from tests import model
from tests.bounded_server import bounded_server
from tests.conftest import create
from tests.program import Running, deliver
from tests.raw_client import bytes_of, connected, delivery, head, signed
from tests.strange_requests import BODY, CASES, CHUNKED, HEX, UPGRADES, get


@dataclass(frozen=True, slots=True)
class Served:
    process: Running
    port: int
    database: str
    stored: list[bytes]  # what the log must hold: what was signed, whole and answered 200
    numbers: Iterator[int]

    def store(self) -> bytes:
        """An honest delivery, which the server must take now."""
        content = model.body(next(self.numbers))
        assert deliver(self.port, content)[0] == 200
        self.stored.append(content)
        return content


@pytest.fixture(scope="module")
def served(server: postgres.Server, template: str) -> Iterator[Served]:
    database = create(server, template)
    bounds = {"head_seconds": 3, "body_seconds": 3, "linger_seconds": 3, "sweep_seconds": 0.1}
    with bounded_server(database, bounds) as running:
        yield Served(*running, database, [], count(1))


@pytest.fixture(autouse=True)
def _nothing_is_stored_but_what_was_signed_and_whole(served: Served) -> Iterator[None]:
    yield
    served.store()
    assert model.stored_bodies(served.database) == served.stored
    assert not [line for line in served.process.lines if "traceback" in line.lower()]


HONEST = {"blank lines before": model.body("after blank lines"), "expectation that nobody knows": model.body("expects")}


@pytest.mark.parametrize("name", CASES)
def test_a_strange_request_is_answered_as_stated_and_disturbs_nobody(served: Served, name: str) -> None:
    request, statuses, closes = CASES[name]
    if name in HONEST:
        served.stored.append(HONEST[name])
    with connected(served.port) as client:
        client.send(request)
        for status in statuses:
            answer = client.answer()
            assert answer.status == status, answer
            if status >= 400:
                assert answer.headers["content-type"] == "application/problem+json"
                assert answer.document["status"] == status
                assert answer.document["request_id"] == answer.headers["x-request-id"]
            assert answer.headers["x-content-type-options"] == "nosniff"
        if closes:
            assert answer.headers["connection"] == "close"
            assert client.is_closed()
        else:
            client.send(head(first=get(b"/healthz")))
            assert client.answer().status == 200


@pytest.mark.parametrize("lines", UPGRADES, ids=lambda lines: b" ".join(lines).decode()[:40])
def test_a_delivery_that_asks_for_another_protocol_is_read_as_it_is(served: Served, lines: tuple[bytes, ...]) -> None:
    bodies = [model.body(f"{next(served.numbers)} upgraded") for _ in range(4)]
    with connected(served.port) as client:
        client.send(delivery(bodies[0], *lines))
        assert client.answer().status == 200
        client.send(*bytes_of(delivery(bodies[1], *lines)))
        assert client.answer().status == 200
        chunk = b"%x\r\n" % len(bodies[2]) + bodies[2] + b"\r\n0\r\n\r\n"
        client.send(head(signed(bodies[2]), CHUNKED, *lines) + chunk + delivery(bodies[3], *lines))
        assert client.statuses(2) == [200, 200]
    served.stored.extend(bodies)


def test_a_request_without_a_body_may_ask_for_another_protocol_too(served: Served) -> None:
    with connected(served.port) as client:
        client.send(head(*UPGRADES[2], first=get(b"/healthz")) * 3)
        assert client.statuses(3) == [200, 200, 200]


@pytest.mark.parametrize("lines", [(), UPGRADES[0]], ids=["plain", "upgraded"])
def test_a_client_that_waits_for_100_continue_gets_it(served: Served, lines: tuple[bytes, ...]) -> None:
    content = model.body(f"{next(served.numbers)} continues")
    request = delivery(content, b"Expect: 100-Continue ", *lines)
    with connected(served.port) as client:
        client.send(request.removesuffix(content))
        assert client.answer().status == 100
        client.send(content)
        assert client.answer().status == 200
    served.stored.append(content)


def test_trailers_are_bounded_in_whichever_segment_they_come(served: Served) -> None:
    with connected(served.port) as client:
        client.send(head(CHUNKED, signed(BODY), b"Expect: 100-continue"))
        assert client.answer().status == 100
        client.send(HEX + b"\r\n" + BODY + b"\r\n0\r\n" + b"A: b\r\n" * 101 + b"\r\n")
        assert client.answer().status == 431
        assert client.is_closed()


@pytest.mark.parametrize(
    "signature", [b"X-Signature:%s", b"X-Signature:  %s  ", b"X-Signature:\t%s\t ", b"x-signature: %s\t"]
)
def test_blanks_around_a_header_are_no_part_of_it(served: Served, signature: bytes) -> None:
    content = model.body(f"{next(served.numbers)} blanks")
    with connected(served.port) as client:
        length = b"Content-Length: %d" % len(content)
        client.send(head(signature % model.signature(content).encode(), length) + content)
        assert client.answer().status == 200
    served.stored.append(content)


def test_a_hundred_deliveries_sent_at_once_are_answered_in_their_order(served: Served) -> None:
    bodies = [model.body(f"{next(served.numbers)} pipelined") for _ in range(100)]
    with connected(served.port) as client:
        client.send(b"".join(delivery(content) for content in bodies))
        answers = [client.answer() for _ in bodies]
    assert [answer.status for answer in answers] == [200] * 100
    positions = [answer.document["position"] for answer in answers]
    assert positions == list(range(positions[0], positions[0] + 100))
    served.stored.extend(bodies)


def test_a_request_that_is_refused_behind_another_never_reaches_the_application(served: Served) -> None:
    """It has begun to: its head was good. The earlier one is answered first."""
    with connected(served.port) as client:
        client.send(head(first=get(b"/healthz")) + head(CHUNKED, signed(BODY)) + b"zz\r\n")
        assert client.statuses(2) == [200, 400]
        assert client.is_closed()


def test_two_thousand_requests_sent_at_once_are_all_answered(served: Served) -> None:
    with connected(served.port) as client:
        client.send(head(first=get(b"/healthz")) * 2_000)
        assert client.statuses(2_000) == [200] * 2_000


def test_a_delivery_byte_by_byte_is_kept(served: Served) -> None:
    content = model.body(f"{next(served.numbers)} slowly")
    with connected(served.port) as client:
        client.send(*bytes_of(delivery(content)))
        assert client.answer().status == 200
    served.stored.append(content)


def test_a_client_may_go_away_after_every_byte(served: Served) -> None:
    content = model.body(f"{next(served.numbers)} broken off")
    request = delivery(content, b"Connection: close")
    for size in range(len(request)):
        with socket.create_connection(("127.0.0.1", served.port)) as connection:
            connection.sendall(request[:size])
    served.store()
    assert model.stored_bodies(served.database) == served.stored
    with connected(served.port) as client:
        client.send(request)
        assert client.answer().status == 200
    served.stored.append(content)


@pytest.mark.parametrize("count", [1, 30])
def test_a_client_that_ends_its_side_after_its_requests_gets_every_answer(served: Served, count: int) -> None:
    """As `nc -N` does, and whoever takes the end of its requests for a part of HTTP."""
    bodies = [model.body(f"{next(served.numbers)} half closed") for _ in range(count)]
    with connected(served.port) as client:
        client.send(b"".join(delivery(content) for content in bodies))
        client.connection.shutdown(socket.SHUT_WR)
        assert client.statuses(count) == [200] * count
        assert client.is_closed()
    served.stored.extend(bodies)


def test_half_a_request_is_not_waited_for_when_its_client_has_ended_its_side(served: Served) -> None:
    content = model.body(f"{next(served.numbers)} before half of another")
    with connected(served.port) as client:
        client.send(delivery(content) + delivery(model.body("half"))[:-1])
        client.connection.shutdown(socket.SHUT_WR)
        assert client.answer().status == 200
        assert client.is_closed()
    with connected(served.port) as client:
        client.send(delivery(model.body("half"))[:-1])
        client.connection.shutdown(socket.SHUT_WR)
        assert client.is_closed()
    served.stored.append(content)

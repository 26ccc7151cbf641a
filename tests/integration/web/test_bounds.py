"""What one stranger may send, hold, and take its time with: bounds of size and of time, with times made short."""

import signal
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import cycle, repeat
from typing import NamedTuple

import psutil
import pytest

from ingest import postgres
from tests import DEADLINE, model
from tests.bounded_server import LARGE, bounded_server
from tests.conftest import create
from tests.program import Running, deliver, until
from tests.raw_client import FIRST, RawClient, connected, delivery, head

_MEGABYTE = 1_000_000
_HEALTH = head(first=b"GET /healthz HTTP/1.1")


class Served(NamedTuple):
    process: Running
    port: int

    def memory(self) -> int:
        """The bytes that the server's process has in memory."""
        return int(psutil.Process(self.process.process.pid).memory_info().rss)


@pytest.fixture(scope="module")
def served(server: postgres.Server, template: str) -> Iterator[Served]:
    bounds = dict.fromkeys(("first_byte_seconds", "head_seconds", "body_seconds", "idle_seconds"), 2.0)
    bounds |= {"unread_seconds": 3, "linger_seconds": 2, "sweep_seconds": 0.1}
    with bounded_server(create(server, template), bounds) as running:
        yield Served(*running)


@contextmanager
def slow_reader(port: int, *lines: bytes) -> Iterator[RawClient]:
    """A client that has asked for more than it and the kernel keep for it, and has read nothing."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        connection.settimeout(DEADLINE)
        connection.connect(("127.0.0.1", port))
        client = RawClient(connection)
        client.send(head(*lines, first=b"GET /large HTTP/1.1"))
        yield client


ENDLESS: dict[str, tuple[bytes, Iterable[bytes]]] = {
    "many headers": (FIRST + b"\r\n", repeat(b"A: b\r\n" * 10_000)),
    "many headers by the packet": (FIRST + b"\r\n", repeat(b"A: b\r\n" * 200)),
    "one header": (FIRST + b"\r\nA: ", repeat(b"b" * 60_000)),
    "one name": (FIRST + b"\r\n", repeat(b"b" * 60_000)),
    "target": (b"GET /", repeat(b"a" * 60_000)),
    "blank lines": (b"", repeat(b"\r\n" * 30_000)),
    "trailers": (head(b"Transfer-Encoding: chunked") + b"0\r\n", repeat(b"A: b\r\n" * 10_000)),
    "chunk extension": (head(b"Transfer-Encoding: chunked") + b"1;", repeat(b"a" * 60_000)),
    "chunk size": (head(b"Transfer-Encoding: chunked"), repeat(b"0" * 60_000)),
    "chunk extensions": (head(b"Transfer-Encoding: chunked"), repeat((b"1;" + b"a" * 500 + b"\r\nx\r\n") * 100)),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_150_megabytes_of_what_is_no_body_are_refused_and_take_no_memory(served: Served, name: str) -> None:
    first, more = ENDLESS[name]
    deliver(served.port, model.body("before"))
    before, most, sent = served.memory(), 0, 0
    with connected(served.port) as client:
        client.send(first)
        for piece in more:
            client.send(piece)
            sent += len(piece)
            most = max(most, served.memory())
            if sent > 150 * _MEGABYTE:
                break
        assert deliver(served.port, model.body(name))[0] == 200
    assert most - before < 16 * _MEGABYTE


@pytest.mark.parametrize("name", ENDLESS)
def test_the_refusal_of_what_has_no_end_can_be_read(served: Served, name: str) -> None:
    first, more = ENDLESS[name]
    with connected(served.port) as client:
        client.send(first, *(piece for piece, _ in zip(more, range(60), strict=False)))
        answer = client.answer()
        assert (answer.status, answer.headers["connection"]) == (431, "close")
        assert client.is_closed()


def drip(client: RawClient, pieces: Iterable[bytes]) -> None:
    """Send pieces one by one with a moment between them, until the server answers or closes."""
    client.connection.settimeout(0.05)
    for piece in pieces:
        client.send(piece)
        try:
            if client.connection.recv(1, socket.MSG_PEEK) is not None:
                break
        except TimeoutError:
            continue
    client.connection.settimeout(DEADLINE)


def test_a_connection_that_says_nothing_is_closed(served: Served) -> None:
    with connected(served.port) as client:
        assert client.is_closed()


def test_blank_lines_are_no_beginning_of_a_request(served: Served) -> None:
    with connected(served.port) as client:
        drip(client, repeat(b"\r\n"))
        assert client.is_closed()


def test_headers_have_to_be_whole_in_time_however_they_come(served: Served) -> None:
    for first in (b"P", FIRST + b"\r\n", FIRST + b"\r\nA: "):
        with connected(served.port) as client:
            client.send(first)
            drip(client, cycle([b"A", b":", b" ", b"b", b"\r\n"]) if first.endswith(b"\r\n") else [b""])
            assert client.answer().status == 408
            assert client.is_closed()


def test_a_body_has_to_be_whole_in_time_however_it_comes(served: Served) -> None:
    for request in (head(b"Content-Length: 100000"), head(b"Transfer-Encoding: chunked")):
        with connected(served.port) as client:
            client.send(request)
            drip(client, repeat(b"1\r\nx\r\n"))
            assert client.answer().status == 408
            assert client.is_closed()


def test_between_two_requests_a_connection_is_kept_for_a_while(served: Served) -> None:
    with connected(served.port) as client:
        client.send(_HEALTH)
        assert client.answer().status == 200
        client.send(_HEALTH)
        assert client.answer().status == 200
        assert client.is_closed()


def test_the_rest_of_a_body_that_was_refused_at_once_does_not_go_on_for_ever(served: Served) -> None:
    request = head(b"Content-Length: 999999", first=b"POST /webhooks/nobody HTTP/1.1")
    with connected(served.port) as client:
        client.send(request)
        assert client.answer().status == 404
        drip(client, repeat(b"x"))
        assert client.is_closed()
    with connected(served.port) as client:
        client.send(request, b"x" * 999_999, _HEALTH)
        assert client.statuses(2) == [404, 200]


def test_time_in_which_the_server_stood_still_is_not_counted_against_a_client(served: Served) -> None:
    request = delivery(model.body("stood still"))
    with connected(served.port) as client:
        client.send(request[:20])
        served.process.process.send_signal(signal.SIGSTOP)
        stopped = time.monotonic()
        until(lambda: time.monotonic() > stopped + 3)
        client.send(request[20:])
        served.process.process.send_signal(signal.SIGCONT)
        assert client.answer().status == 200


def test_a_refused_client_that_goes_on_sending_is_cut_off(served: Served) -> None:
    with connected(served.port) as client:
        client.send(head(b"Content-Length: x"))
        assert client.answer().status == 400
        until(lambda: _is_cut_off(client))


def _is_cut_off(client: RawClient) -> bool:
    try:
        client.connection.sendall(b"x" * 1000)
    except ConnectionError:
        return True
    return False


@pytest.mark.parametrize("close", [b"Connection: close", b"Connection: keep-alive"])
def test_a_client_that_takes_nothing_of_its_answer_is_cut_off(served: Served, close: bytes) -> None:
    with slow_reader(served.port, close) as client:
        until(client.is_reset)


def test_a_client_that_reads_slowly_but_steadily_gets_its_whole_answer(served: Served) -> None:
    with slow_reader(served.port) as client:
        begun = time.monotonic()
        while time.monotonic() < begun + 7:  # twice what a client may take nothing for
            client.read(30_000)
            pause = time.monotonic() + 0.3
            until(lambda: time.monotonic() > pause)  # noqa: B023 - called at once
        assert len(client.answer().content) == LARGE


def test_a_server_that_stops_finishes_its_answers_and_waits_for_no_stranger(
    server: postgres.Server, template: str
) -> None:
    with (
        bounded_server(create(server, template), {}) as (process, port),
        connected(port) as silent,
        connected(port) as half_a_head,
        connected(port) as half_a_body,
        connected(port) as honest,
        connected(port) as refused,
        slow_reader(port) as reader,
    ):
        half_a_head.send(FIRST)
        half_a_body.send(head(b"Content-Length: 10") + b"{}")
        request = delivery(model.body("whole in a moment"))
        honest.send(request[:-20])
        refused.send(head(b"Content-Length: x"))
        assert refused.answer().status == 400
        assert deliver(port, model.body(1))[0] == 200
        process.process.send_signal(signal.SIGINT)
        assert silent.is_closed()
        assert half_a_head.is_closed()
        honest.send(request[-20:])
        assert honest.answer().status == 200
        assert half_a_body.answer().status == 408  # after a moment, in which an honest body comes
        process.process.send_signal(signal.SIGINT)  # from somebody who does not want to wait
        assert len(reader.answer().content) == LARGE
        assert process.process.wait(DEADLINE) == 0
        assert not [line for line in process.lines if "traceback" in line.lower()]

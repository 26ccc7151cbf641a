"""Many strangers at once: beyond a bound of the whole server they make room, and honest deliveries go on."""

import fcntl
import socket
import termios
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count

import pytest

from ingest import postgres
from tests import model
from tests.bounded_server import LARGE, bounded_server
from tests.conftest import create
from tests.program import deliver, until
from tests.raw_client import FIRST, RawClient, connected, delivery, head, signed

_HEALTH = head(first=b"GET /healthz HTTP/1.1")
_LARGE = head(first=b"GET /large HTTP/1.1")

# Long enough that nobody is closed for being slow, on however busy a machine.
_PATIENT = {f"{name}_seconds": 300 for name in ("first_byte", "head", "body", "idle", "unread")}


@pytest.fixture(scope="module")
def crowded(server: postgres.Server, template: str) -> str:
    return create(server, template)


@contextmanager
def strangers(port: int, number: int, *pieces: bytes) -> Iterator[list[RawClient]]:
    """So many connections at a time, each of which has sent this."""
    with ExitStack() as stack:
        clients = []
        for _ in range(number):
            clients.append(stack.enter_context(connected(port)))
            clients[-1].send(*pieces)
        yield clients


_numbers = count(1)


def in_two_segments(port: int) -> int:
    """The status of an honest delivery whose body comes in two segments."""
    content = model.body(f"honest {next(_numbers)}")
    with connected(port) as client:
        client.send(head(signed(content), b"Content-Length: %d" % len(content)) + content[:20])
        until(lambda: _is_read(client.connection))
        client.send(content[20:])
        return client.answer().status


def _is_read(connection: socket.socket) -> bool:
    """Whether the other side's kernel has all that was sent."""
    return int.from_bytes(fcntl.ioctl(connection, termios.TIOCOUTQ, b"\0" * 4), "little") == 0


@pytest.mark.parametrize("sent", [b"", b"P", FIRST + b"\r\nA: b\r\n", head(b"Content-Length: 99")])
def test_honest_deliveries_go_on_while_strangers_take_all_descriptors(crowded: str, sent: bytes) -> None:
    with bounded_server(crowded, _PATIENT, descriptors=128) as (process, port):
        with strangers(port, 400, sent):
            for _ in range(20):
                assert in_two_segments(port) == 200
            assert deliver(port, model.body(f"honest {next(_numbers)}"))[0] == 200
        process.line('"connections refused".*"too_many_connections":.*"most":64')  # 128 less the reserve
        assert sum('"connections refused"' in line for line in process.lines) <= 2  # one line in ten seconds


def test_the_longest_idle_goes_first_and_what_is_answered_never(crowded: str) -> None:
    with bounded_server(crowded, {**_PATIENT, "connections": 10}) as (_, port), ExitStack() as stack:
        idle, reader = stack.enter_context(connected(port)), stack.enter_context(connected(port))
        idle.send(_HEALTH)
        assert idle.answer().status == 200
        reader.send(_LARGE)
        reader.read(1)
        silent = stack.enter_context(strangers(port, 8))
        with strangers(port, 7, FIRST):
            assert idle.is_closed()
            for client in silent[:6]:
                assert client.is_closed()
            silent[7].send(_HEALTH)
            assert silent[7].answer().status == 200
            with strangers(port, 20):
                assert silent[7].is_closed()
        assert len(reader.answer().content) == LARGE


def test_a_newcomer_has_a_moment_to_speak(crowded: str) -> None:
    """However many strangers have begun to speak. (The server's clock stands still, so that the test has time.)"""
    content = model.body(f"honest {next(_numbers)}")
    with (
        bounded_server(crowded, {**_PATIENT, "connections": 100, "sweep_seconds": 1000}) as (_, port),
        strangers(port, 164, FIRST) as earlier,
        connected(port) as newcomer,
        strangers(port, 70, FIRST) as later,
    ):
        until(lambda: sum(client.has_answer() for client in (*earlier, newcomer, *later)) == 135)  # are closed
        newcomer.send(delivery(content))
        assert newcomer.answer().status == 200


def test_a_client_that_leaves_ends_its_answer_though_another_request_waits_behind(crowded: str) -> None:
    with bounded_server(crowded, _PATIENT) as (process, port):
        with connected(port) as client:
            client.send(_LARGE + _HEALTH)
            client.read(1)
        assert int(process.line(r"large: (\d+)")[1]) < LARGE


def test_a_newcomer_is_told_when_every_connection_is_being_answered(crowded: str) -> None:
    with bounded_server(crowded, {**_PATIENT, "connections": 3}) as (_, port):
        with strangers(port, 3, _LARGE) as readers:
            for reader in readers:
                reader.read(1)
            with connected(port) as newcomer:
                answer = newcomer.answer()
                assert (answer.status, answer.headers["connection"]) == (503, "close")
                assert answer.headers["retry-after"] == "2"
                assert newcomer.is_closed()
            assert [len(reader.answer().content) for reader in readers] == [LARGE] * 3
        assert deliver(port, model.body(f"honest {next(_numbers)}"))[0] == 200


@pytest.mark.parametrize(
    ("number", "sent"),
    [
        (40, head(b"Content-Length: 1000000") + b"x" * 900_000),
        (400, head(b"Content-Length: 1000000") + b"x" * 20_000),
        (40, head(b"Transfer-Encoding: chunked") + b"dbba0\r\n" + b"x" * 900_000),
        (900, FIRST + b"\r\n" + (b"A: " + b"b" * 900 + b"\r\n") * 10),
    ],
    ids=["large bodies", "small bodies", "chunked bodies", "headers"],
)
def test_honest_deliveries_go_on_while_strangers_hold_the_whole_bound(crowded: str, number: int, sent: bytes) -> None:
    with bounded_server(crowded, {**_PATIENT, "arriving_bytes": 4_000_000}) as (process, port), ExitStack() as stack:
        clients = stack.enter_context(strangers(port, number // 2, sent))
        for _ in range(number // 20):
            assert in_two_segments(port) == 200
            clients += stack.enter_context(strangers(port, 10, sent))
        content = model.body(f"honest {next(_numbers)}", text="x" * 900_000)
        assert deliver(port, content)[0] == 200
        process.line('"connections refused".*"too_much_arriving":')
        refused = next(client for client in clients if client.has_answer())
        answer = refused.answer()
        assert (answer.status, answer.headers["connection"], answer.headers["retry-after"]) == (503, "close", "2")
        assert refused.is_closed()


def test_what_waits_behind_an_answer_counts_as_arriving(crowded: str) -> None:
    """A client that does not read, but goes on asking: the answer it waits for is not taken from it."""
    with (
        bounded_server(crowded, {**_PATIENT, "arriving_bytes": 2_000_000}) as (process, port),
        strangers(port, 20, _LARGE + _HEALTH * 4_000) as clients,
    ):
        for _ in range(10):
            assert in_two_segments(port) == 200
        process.line('"connections refused".*"too_much_arriving":')
        assert len(clients[0].answer().content) == LARGE
        assert clients[0].answer().status in (200, 503)


def test_the_largest_body_is_taken_when_nothing_else_arrives(crowded: str) -> None:
    with bounded_server(crowded, {**_PATIENT, "arriving_bytes": 500_000, "body_bytes": 1_000_000}) as (_, port):
        content = model.body(f"honest {next(_numbers)}", text="x" * 900_000)
        with connected(port) as client:
            request = delivery(content)
            client.send(*(request[place : place + 50_000] for place in range(0, len(request), 50_000)))
            assert client.answer().status == 200

"""A client that sends whatever bytes it is given, and reads answers as they come."""

import json
import select
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from tests import DEADLINE, model

FIRST = b"POST /webhooks/movemint HTTP/1.1"
HOST = b"Host: example.org"


class Answer(NamedTuple):
    """Status, headers with lower-case names, and the body."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def document(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.content)


class RawClient:
    """One connection. `is_closed` waits for the server to close it, and fails if it is reset instead."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._received = bytearray()

    def send(self, *pieces: bytes) -> None:
        """Send each piece by itself. The server may have refused and closed in the middle."""
        with suppress(ConnectionError):
            for piece in pieces:
                self.connection.sendall(piece)

    def answer(self) -> Answer:
        while b"\r\n\r\n" not in self._received:
            self.read()
        head, _, self._received = self._received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        size = int(headers.get("content-length", 0))
        while len(self._received) < size:
            self.read()
        content, self._received = bytes(self._received[:size]), self._received[size:]
        return Answer(int(first.split(" ")[1]), headers, content)

    def has_answer(self) -> bool:
        """Whether something has come that can be read."""
        return bool(select.select([self.connection], [], [], 0)[0])

    def is_reset(self) -> bool:
        """Whether the server has aborted the connection, whatever of it is still to be read."""
        return self.connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0

    def statuses(self, count: int) -> list[int]:
        return [self.answer().status for _ in range(count)]

    def is_closed(self) -> bool:
        """Whether nothing more comes, up to the end of the connection."""
        return not self._received and self.connection.recv(65_536) == b""

    def read(self, most: int = 65_536) -> None:
        """Read some bytes, for `answer` to take."""
        received = self.connection.recv(most)
        assert received, f"closed after {len(self._received)} bytes: {self._received[:2000]!r}"
        self._received += received


@contextmanager
def connected(port: int) -> Iterator[RawClient]:
    with socket.create_connection(("127.0.0.1", port), timeout=DEADLINE) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield RawClient(connection)


def head(*lines: bytes, first: bytes = FIRST, host: bytes = HOST) -> bytes:
    """A request's head with these header lines."""
    return b"\r\n".join(line for line in (first, host, *lines) if line) + b"\r\n\r\n"


def signed(content: bytes) -> bytes:
    """The header that signs a body."""
    return b"X-Signature: " + model.signature(content).encode()


def delivery(content: bytes, *lines: bytes) -> bytes:
    """A signed delivery with more header lines."""
    return head(signed(content), b"Content-Length: %d" % len(content), *lines) + content


def bytes_of(data: bytes) -> Iterable[bytes]:
    """One byte at a time."""
    return (data[place : place + 1] for place in range(len(data)))

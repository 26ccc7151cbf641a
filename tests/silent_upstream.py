"""A server that reads a whole request and closes the connection without a word."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests import DEADLINE

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


class SilentUpstream:
    """`requests`: what came, a whole request each."""

    def __init__(self, listener: socket.socket) -> None:
        self.port: int = listener.getsockname()[1]
        self.requests: list[bytes] = []
        self._listener = listener

    def serve(self) -> None:
        with suppress(OSError):  # the listener is closed at the end
            while True:
                connection, _ = self._listener.accept()
                connection.settimeout(DEADLINE)
                with connection:
                    self._read(connection)

    def _read(self, connection: socket.socket) -> None:
        received = b""
        while not _is_whole(received):
            piece = connection.recv(65_536)
            if not piece:
                return
            received += piece
        self.requests.append(received)


def _is_whole(received: bytes) -> bool:
    headers, ended, body = received.partition(b"\r\n\r\n")
    length = _LENGTH.search(headers + b"\r\n")
    return bool(ended) and length is not None and len(body) >= int(length.group(1))


@contextmanager
def upstream_that_hangs_up() -> Iterator[SilentUpstream]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        upstream = SilentUpstream(listener)
        thread = threading.Thread(target=upstream.serve, daemon=True)
        thread.start()
        yield upstream
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(timeout=DEADLINE)

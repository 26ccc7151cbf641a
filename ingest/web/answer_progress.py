"""Whether a client takes what is written to it: a slow one is waited for, one that has stopped is not."""

import asyncio
import socket
import struct

_ACKNOWLEDGED = struct.Struct("120xQ")  # bytes that the other side has taken, in Linux's `tcp_info`
_TCP_INFO = getattr(socket, "TCP_INFO", None)


class AnswerProgress:
    """How far the client of a transport has taken what is written to it."""

    __slots__ = ("_taken", "_taken_at", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._taken: int | None = None
        self._taken_at = 0.0

    def is_stuck(self, now: float, seconds: float) -> bool:
        """Whether the client has taken nothing for so long, as far as the calls of this method tell."""
        waiting = self._transport.get_write_buffer_size()
        if waiting == 0:
            self._taken = None
            return False
        taken = self._acknowledged(-waiting)
        if taken != self._taken:
            self._taken, self._taken_at = taken, now
        return now - self._taken_at > seconds

    def _acknowledged(self, otherwise: int) -> int:
        """Bytes that the client's side has taken. Our own buffer shows it much later, behind the kernel's."""
        if _TCP_INFO is None:
            return otherwise
        try:
            info = self._transport.get_extra_info("socket").getsockopt(
                socket.IPPROTO_TCP, _TCP_INFO, _ACKNOWLEDGED.size
            )
            return int(_ACKNOWLEDGED.unpack(info)[0])
        except (OSError, struct.error):
            return otherwise

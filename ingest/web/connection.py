"""The life of one connection, on uvicorn's protocol: how long it may take, how a request is refused, how it ends."""

import asyncio
import contextlib
import socket
import struct
from typing import Any, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from ingest.web.answer_progress import AnswerProgress
from ingest.web.clients import Clients, Stage
from ingest.web.problems import problem_bytes
from ingest.web.request_head import Fault

_IDLE, _HEAD, _BODY, _COMPLETE, _CLOSING = Stage
REFUSED = "refused"  # in the state of a request: the kind of the fault for which its client was sent away
_STOPPING_SECONDS = 2.0  # for a body to arrive whole while the server stops
_RESET = struct.pack("ii", 1, 0)  # do not linger
_HEAD_SLOW = Fault(408, "The headers did not arrive in time.", "head_too_slow")
_BODY_SLOW = Fault(408, "The body did not arrive in time.", "body_too_slow")
_BUSY = Fault(503, "Too many connections are open; try again.", "too_many_connections")


class AnswerTransport:
    """What answers are written to. Its `close` lets a client that is still sending read its answer first."""

    __slots__ = ("close", "is_closing", "write")

    def __init__(self, transport: asyncio.Transport, protocol: "ClientConnection") -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self.close = protocol.finish


class ClientConnection(HttpToolsProtocol):
    """A connection that keeps the bounds of time of its `Clients`, and is refused and closed so that a client can read
    why. Reading requests is for `BoundedProtocol` to do.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        clients: Clients,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.clients = clients
        self.stage = _IDLE
        self.since = clients.now
        self.held = 0
        self.heard_at = 0.0
        self._socket: asyncio.Transport
        self._answers: AnswerTransport
        self._progress: AnswerProgress
        self._running: RequestResponseCycle | None = None  # the request that is being answered, or was the last
        self._rest = b""  # bytes of later requests, not parsed before the earlier ones are answered
        self._fault: Fault | None = None  # the refusal that ends the connection
        self._is_half_closed = False  # the client sends nothing more

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._socket = cast("asyncio.Transport", transport)
        super().connection_made(self._socket)
        self._answers = AnswerTransport(self._socket, self)
        self.transport = cast("asyncio.Transport", self._answers)
        self._progress = AnswerProgress(self._socket)
        if not self.clients.admit(self):
            self._socket.write(problem_bytes(_BUSY.status, _BUSY.detail))
            self.stage = _CLOSING
            self._socket.close()

    def eof_received(self) -> bool:  # type: ignore[override]  # the loop takes what uvicorn's method leaves out
        """The client sends nothing more. What it has sent whole is answered, and only then the connection is closed."""
        self._is_half_closed = self.is_answered()
        return self._is_half_closed

    def connection_lost(self, exc: Exception | None) -> None:
        self.clients.forget(self)
        self.stage = _CLOSING
        self._rest = b""
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()
        super().connection_lost(exc)
        self._answers.close = self._socket.close  # no more this object's: freed now, not by the garbage collector

    def shutdown(self) -> None:
        """The server stops: an answer under way is finished; a request that has not arrived is not waited for."""
        if self.stage is _BODY:  # it gets a moment, as an honest sender needs no more
            self.since = min(self.since, self.clients.now - self.clients.bounds.body_seconds + _STOPPING_SECONDS)
        if self.is_answered() or self.stage is _BODY:
            super().shutdown()
        else:
            self._socket.close()

    def is_answered(self) -> bool:
        """Whether a request is complete and its answer is not."""
        if self.stage is _COMPLETE or self.pipeline:
            return True
        if self.stage is _CLOSING:
            return self._socket.is_closing() and self._socket.get_write_buffer_size() > 0
        return self.stage is _HEAD and self._running is not None and not self._running.response_complete

    def drop(self) -> None:
        """End the connection now; what was answered on it is still sent if the client reads it."""
        self.stage = _CLOSING
        self._socket.abort() if self._socket.get_write_buffer_size() else self._socket.close()

    def check(self, now: float) -> None:
        """Keep the bounds of time. `now` is the clock of `Clients`."""
        waited, bounds = now - self.since, self.clients.bounds
        if self._progress.is_stuck(now, bounds.unread_seconds):
            self.clients.count("answer_not_read")
            self._reset()
        elif self.is_answered():
            return
        elif self.stage is _IDLE:
            if waited > (bounds.idle_seconds if self._running else bounds.first_byte_seconds):
                self.drop()
        elif self.stage is _HEAD:
            if waited > bounds.head_seconds:
                self.refuse(_HEAD_SLOW)
        elif self.stage is _BODY:
            if waited > bounds.body_seconds:
                self.refuse(_BODY_SLOW)
        elif waited > bounds.linger_seconds:
            self._reset()

    def refuse(self, fault: Fault) -> None:
        """Answer with a problem and close, once earlier requests are answered. The app knows the client as gone."""
        if self._fault is not None or self.stage is _CLOSING:
            return
        self.clients.count(fault.kind)
        self.clients.hold(self, 0)
        self._fault = fault
        self._rest = b""
        must_wait = self.is_answered()
        if self.stage is _BODY:
            self.cycle.scope["state"][REFUSED] = fault.kind
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.pipeline:
                self.pipeline.popleft()  # the request that is refused
        if must_wait:
            self.stage = _COMPLETE
        else:
            self._end(fault)

    def finish(self) -> None:
        """Close after an answer; a client that is still sending gets the time to read it."""
        if self._socket.is_closing() or self.stage is _CLOSING:
            return
        if self.stage is _BODY or self.stage is _HEAD or self._rest:
            self._linger()
        else:
            self.stage = _CLOSING
            self._socket.close()

    def _reset(self) -> None:
        """Give the connection up, with what the kernel still keeps for a client that does not take it."""
        with contextlib.suppress(OSError):
            self._socket.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._socket.abort()

    def _end(self, fault: Fault) -> None:
        is_begun = self.stage is _BODY and self.cycle.response_started
        if not is_begun and not self._socket.is_closing():
            self._socket.write(problem_bytes(fault.status, fault.detail, self.server_state.default_headers))
        self._linger()

    def _linger(self) -> None:
        """Send the end of our side, and drop what still comes: closed at once, most clients would see a reset."""
        self.stage = _CLOSING
        self.since = self.clients.now
        self.clients.hold(self, 0)
        if not self._socket.is_closing():
            self.flow.resume_reading()
            self._socket.write_eof()

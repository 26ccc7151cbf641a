"""Puts the requests of a connection to the application, or to a shortcut, and goes on after each answer."""

import asyncio
import urllib.parse
from functools import partial
from typing import Any, NamedTuple, cast

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.server import ServerState

from ingest.web.clients import Clients, Stage
from ingest.web.connection import ClientConnection
from ingest.web.request_head import expects_continue
from ingest.web.shortcut import MakeRefusal, Shortcuts, Take, WholeRequest

_IDLE, _HEAD, _BODY, _COMPLETE, _CLOSING = Stage


class RequestHead(NamedTuple):
    """What a request says before its body."""

    method: bytes
    version: str
    headers: list[tuple[bytes, bytes]]
    keep_alive: bool


class ExchangingConnection(ClientConnection):
    """A connection whose requests are answered in their order. Reading them is for `BoundedProtocol` to do.

    A request that may be taken by a shortcut is held back until it has arrived whole or its segment ends.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        clients: Clients,
        shortcuts: Shortcuts,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop, clients=clients)
        self._shortcuts = shortcuts
        # Of the request that is held back; None between two feeds of the parser, since whoever feeds it releases the
        # request at the end of the segment. A request that is held back has no cycle, and `cycle` is that of the one
        # before. So nothing but the parser's callbacks may meet such a request: no bound of time, no stop of the server
        # and no lost connection, which end the request that they find under way, by its cycle.
        self._take: Take | None = None
        self._head: RequestHead
        self._body = b""  # of the request that is held back, as far as it has come

    def read_slices(self, data: bytes) -> None:
        """Parse what has come after an answered request."""
        raise NotImplementedError

    def begin(self, head: RequestHead) -> None:
        """Begin with a request whose head is complete. Raises `HttpParserInvalidURLError`."""
        if head.method == b"POST" and not self._is_answering() and not self.flow.write_paused:
            self._take = self._shortcuts.get(self.url)
        if self._take is None:
            self._run(self._cycle(head))
        else:
            self._head, self._body = head, b""

    def add_body(self, body: bytes) -> RequestResponseCycle | None:
        """Take a piece of the body; the cycle that has it, None if the request is held back or answered."""
        if self._take is not None:
            self._body += body
            return None
        if self.cycle.response_complete:
            return None
        self.cycle.body += body
        self.cycle.message_event.set()
        return self.cycle

    def complete(self) -> None:
        """End a request that has arrived whole and is not answered: it is taken by the shortcut, or run."""
        if self._take is not None:
            take, self._take = self._take, None
            request = WholeRequest(self._head.headers, keep_alive=self._head.keep_alive)
            if request.is_taken(take, self._body, partial(self._answer, request)):
                self.cycle = self._running = cast("RequestResponseCycle", request)
                return
            self._run_held_back()
        self.cycle.more_body = False
        self.cycle.message_event.set()

    def release(self) -> None:
        """Run a request that is held back, of which more is to come."""
        if self._take is not None:
            self._take = None
            self._run_held_back()

    def _run_held_back(self) -> None:
        cycle = self._cycle(self._head)
        cycle.body += self._body
        cycle.message_event.set()
        self._run(cycle)

    def _is_answering(self) -> bool:
        return bool(self.pipeline) or (self._running is not None and not self._running.response_complete)

    def _answer(self, request: WholeRequest, answer: bytes | MakeRefusal) -> None:
        """Send the answer of a request that a shortcut took; if its client is gone, it is only made."""
        data = request.answer(answer, self.server_state.default_headers)
        if request.disconnected:
            return
        self.transport.write(data)
        request.response_started = request.response_complete = True
        if not request.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _cycle(self, head: RequestHead) -> RequestResponseCycle:
        """The request as the application gets it. Raises `HttpParserInvalidURLError`."""
        target = httptools.parse_url(self.url)
        raw_path = target.path or b"/"
        path = raw_path.decode("ascii")
        self.scope = {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": head.version,
            "server": self.server,
            "client": self.client,
            "scheme": "http",
            "method": head.method.decode("ascii"),
            "root_path": self.root_path,
            "path": urllib.parse.unquote(path) if "%" in path else path,
            "raw_path": raw_path,
            "query_string": target.query or b"",
            "headers": head.headers,
            "state": self.app_state.copy(),
        }
        return RequestResponseCycle(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=expects_continue(head.version, head.headers),
            keep_alive=head.keep_alive,
            on_response=self.on_response_complete,
        )

    def _run(self, cycle: RequestResponseCycle) -> None:
        """Run the application for a request, or queue the request behind an earlier one."""
        self.cycle = cycle
        if self._running is None or self._running.response_complete:
            self._running = cycle
            self._start_asgi_task(cycle, self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, self.app))

    def on_response_complete(self) -> None:
        self.server_state.total_requests += 1
        if self.stage is _CLOSING:
            return
        self._go_on()
        if self._is_half_closed and not self.is_answered() and not self._socket.is_closing():
            self._socket.close()

    def _go_on(self) -> None:
        """Begin with what has come after the request that is answered now."""
        self.since = self.clients.now
        if self.pipeline:
            self._running, app = self.pipeline.pop()
            self._start_asgi_task(self._running, app)
            if self.stage is not _BODY or self.pipeline:
                return  # the request is complete; else the rest of its body is still to be parsed
        elif self.stage is _COMPLETE:
            self.stage = _IDLE
        if self._fault is not None:
            self._end(self._fault)
            return
        self.flow.resume_reading()
        if self._rest:
            rest, self._rest = self._rest, b""
            self.clients.hold(self, 0)
            self.read_slices(rest)

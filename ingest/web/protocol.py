"""Reads the requests of a connection within bounds; what is refused here never reaches the application."""

import asyncio
import logging
from typing import Any

import httptools
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.server import ServerState

from ingest.web.clients import Clients, Stage
from ingest.web.exchange import ExchangingConnection, RequestHead
from ingest.web.request_head import MALFORMED, TOO_LARGE, Fault, fault_in, is_too_large, line_sizes, without_upgrade
from ingest.web.shortcut import Shortcuts

logger = logging.getLogger(__name__)

_HEADS = b"\r\n\r\n"  # what a request's head ends with
_IDLE, _HEAD, _BODY, _COMPLETE, _CLOSING = Stage  # looked up here once: enum members are found slowly
_SLICE = 512  # bytes that are parsed at once where several requests may be in them: some thirty at most
_BYTES_OF_CHUNK = 24  # of a chunk's size and line ends; more than that counts as head


class RequestRefused(Exception):
    """Raised to the parser, which stops: the request has a fault."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault


class BoundedProtocol(ExchangingConnection):
    """A connection whose requests keep the bounds of size of its `Clients`, and are put to the application.

    A segment with one whole request, the usual case, costs no more than with uvicorn's own protocol: bytes are counted
    only if something is still missing after it.
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
        super().__init__(config, server_state, app_state, _loop, clients=clients, shortcuts=shortcuts)
        self.headers = []
        self._bounds = clients.bounds
        self._turns = 0  # beginnings and ends of requests
        self._segment = 0  # bytes that are being parsed now
        self._received = 0  # bytes since the last turn, before this segment
        self._body_size = 0
        self._chunks = 0

    def data_received(self, data: bytes) -> None:
        stage = self.stage
        if self._rest or self.pipeline or (stage is not _IDLE and stage is not _BODY and self._must_wait()):
            self._put_by(data)
        elif data.count(_HEADS) > 1:
            self.read_slices(data)
        else:
            self._feed(data)

    # -- bytes to the parser

    def _must_wait(self) -> bool:
        return self.stage is _CLOSING or bool(self._rest) or self.is_answered()

    def _put_by(self, data: bytes) -> None:
        """Keep bytes of later requests until the earlier ones are answered, and read no more."""
        if self._fault is None and self.stage is not _CLOSING:
            self._rest += data
            self.flow.pause_reading()
            self.heard_at = self.loop.time()
            self.clients.hold(self, len(self._rest))

    def read_slices(self, data: bytes) -> None:
        """Parse until a request is complete; the rest waits for its answer."""
        for start in range(0, len(data), _SLICE):
            if self._must_wait():
                self._put_by(data[start:])
                return
            self._feed(data[start : start + _SLICE])

    def _feed(self, data: bytes) -> None:
        turns, was_idle = self._turns, self.stage is _IDLE
        self._segment = len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._read_without_upgrade(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError as error:
            self.release()
            self.refuse(_fault_of(error))
        if self._take is not None:
            self.release()
        if self.stage is not _COMPLETE:
            self._count(self._turns - turns, was_idle=was_idle)

    def _count(self, turns: int, *, was_idle: bool) -> None:
        """Keep the bounds of size after a segment that left a request incomplete."""
        if self.stage is _CLOSING:
            return
        # Where in the segment a request ended is not known: what followed its end is not counted.
        self._received = self._received + self._segment if turns <= was_idle else 0
        bounds, beside_body = self._bounds, self._received
        if self.stage is _BODY:
            beside_body -= self._body_size + _BYTES_OF_CHUNK * self._chunks
        if (
            beside_body > bounds.head_bytes
            or len(self.headers) > bounds.headers
            or (self.stage is _HEAD and self._received > bounds.line_bytes and self._has_long_line())
        ):
            self.refuse(TOO_LARGE)
        else:
            self.heard_at = self.loop.time()
            self.clients.hold(self, min(self._received, bounds.head_bytes + bounds.body_bytes))

    def _has_long_line(self) -> bool:
        lines = line_sizes(self.url, self.headers)
        return max(*lines, self._received - sum(lines)) > self._bounds.line_bytes

    def _read_without_upgrade(self, rest: bytes) -> None:
        """Begin the request again without its `Upgrade`, with which the parser would not read its body."""
        parser = self.parser
        head = without_upgrade(parser.get_method(), self.url, parser.get_http_version(), self.headers)
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.stage = _IDLE
        self._received = 0
        self._feed(head)
        self.read_slices(rest)

    # -- the parser's calls

    def on_message_begin(self) -> None:
        self._turns += 1
        self.stage = _HEAD
        self.since = self.clients.now
        self.url = b""
        self.headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value.strip(b" \t")))  # the parser leaves blanks at the end

    def on_headers_complete(self) -> None:
        parser, headers, bounds = self.parser, self.headers, self._bounds
        if len(headers) > bounds.headers or (
            self._received + self._segment > bounds.line_bytes
            and is_too_large(self.url, headers, bounds.line_bytes, bounds.head_bytes)
        ):
            raise RequestRefused(TOO_LARGE)
        method, version = parser.get_method(), parser.get_http_version()
        if (fault := fault_in(method, version, headers)) is not None:
            raise RequestRefused(fault)
        if parser.should_upgrade():
            return  # `_read_without_upgrade` comes next
        self.begin(RequestHead(method, version, headers, version != "1.0" and parser.should_keep_alive()))
        self.headers = []  # for trailers, which are no headers
        self.stage = _BODY
        self.since = self.clients.now
        self._body_size = self._chunks = 0

    def on_chunk_header(self) -> None:
        self._chunks += 1

    def on_body(self, body: bytes) -> None:
        self._body_size += len(body)
        cycle = self.add_body(body)
        if cycle is not None and len(cycle.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()

    def on_message_complete(self) -> None:
        if self.stage is _HEAD:
            return  # the parser believes in the upgrade
        if len(self.headers) > self._bounds.headers:
            raise RequestRefused(TOO_LARGE)
        self._turns += 1
        self._received = 0
        if self.held:
            self.clients.hold(self, 0)
        if self._take is None and self.cycle.response_complete:
            self.stage = _IDLE
            self.since = self.clients.now
            return
        self.stage = _COMPLETE
        self.complete()


def _fault_of(error: httptools.HttpParserError) -> Fault:
    """The fault that a callback raised, or that of a request which is none."""
    cause = error.__context__
    if isinstance(cause, RequestRefused):
        return cause.fault
    if cause is not None and not isinstance(cause, httptools.HttpParserError):
        logger.error("request could not be read", exc_info=cause)  # a fault of ours
    return MALFORMED

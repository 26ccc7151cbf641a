"""The open connections of a server: how many there are, what they hold together, and which has to go."""

import asyncio
import heapq
import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from enum import Enum
from typing import Protocol

from ingest.metrics import ARRIVING_BYTES, CONNECTIONS, CONNECTIONS_REFUSED, Reading
from ingest.web.bounds import Bounds
from ingest.web.request_head import Fault

logger = logging.getLogger(__name__)

_LOG_SECONDS = 10.0  # between two lines about connections that were refused
_FOUND_AT_ONCE = 64  # connections that may go, found with one look at all
_SLOW_SECONDS = 1.0  # in which an honest client has begun to speak, and its request has come
_TOO_MUCH = Fault(503, "Too many requests are arriving; send it again.", "too_much_arriving")


class Stage(Enum):
    """What arrives on a connection. COMPLETE: a whole request, not answered yet. CLOSING: nothing is read any more."""

    IDLE = 0
    HEAD = 1
    BODY = 2
    COMPLETE = 3
    CLOSING = 4


class Client(Protocol):
    """One connection. `since`: when its stage began, on the clock of `Clients`. `held`: bytes of what still arrives.
    `heard_at`: the loop's time when the last of these bytes came.
    """

    stage: Stage
    since: float
    held: int
    heard_at: float

    def check(self, now: float) -> None: ...
    def is_answered(self) -> bool: ...
    def refuse(self, fault: Fault) -> None: ...
    def drop(self) -> None: ...


class Clients:
    """All connections of one server. Beyond a bound the one goes that is least likely to be an honest sender's.

    `now` are the seconds in which the server ran: time in which it stood still is not counted against a client.
    """

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.now = 0.0
        self._open: dict[Client, None] = {}  # in the order of their coming
        self._found: list[tuple[float, Client]] = []  # that may go, with their `since`; the first to go is the last
        self._held = 0
        # A largest body must be able to arrive when nothing else does.
        self._most_held = max(bounds.arriving_bytes, bounds.body_bytes + bounds.head_bytes)
        self._refused: Counter[str] = Counter()
        self._logged_at = -_LOG_SECONDS
        self._refused_in_all: Counter[str] = Counter()

    def limit(self, connections: int) -> None:
        """Allow fewer connections, such as there are descriptors for."""
        self.bounds = replace(self.bounds, connections=min(self.bounds.connections, connections))

    def readings(self) -> list[Reading]:
        """The metrics of the connections."""
        refused = [Reading(CONNECTIONS_REFUSED, (kind,), number) for kind, number in self._refused_in_all.items()]
        return [Reading(CONNECTIONS, (), len(self._open)), Reading(ARRIVING_BYTES, (), self._held), *refused]

    def admit(self, client: Client) -> bool:
        """Take a new connection in. If there are too many, another goes; False if each of them is being answered."""
        if len(self._open) >= self.bounds.connections:
            self.count("too_many_connections")
            if not self._make_room():
                return False
        self._open[client] = None
        return True

    def forget(self, client: Client) -> None:
        self.hold(client, 0)
        self._open.pop(client, None)

    def hold(self, client: Client, size: int) -> None:
        """Note how many bytes a client holds now; if all hold too many, the slowest or largest are refused."""
        self._held += size - client.held
        client.held = size
        if size and self._held > self._most_held:
            self._refuse_some()

    def count(self, kind: str) -> None:
        """Count a refusal."""
        self._refused[kind] += 1
        self._refused_in_all[kind] += 1

    async def watch(self) -> None:
        """Look after the connections, until cancelled."""
        loop = asyncio.get_running_loop()
        looked_at = loop.time()
        while True:
            await asyncio.sleep(self.bounds.sweep_seconds)
            elapsed, looked_at = loop.time() - looked_at, loop.time()
            self._sweep(min(elapsed, 2 * self.bounds.sweep_seconds))

    def _sweep(self, elapsed: float) -> None:
        self.now += elapsed
        for client in tuple(self._open):
            client.check(self.now)
        if self._refused and self.now - self._logged_at >= _LOG_SECONDS:
            fields = {**self._refused, "open": len(self._open), "most": self.bounds.connections}
            logger.warning("connections refused", extra={"fields": fields})
            self._refused.clear()
            self._logged_at = self.now

    def _make_room(self) -> bool:
        """Drop one connection. The order is looked up for many at once, or each newcomer would cost a look at all."""
        for _ in range(2):
            while self._found:
                since, client = self._found.pop()
                if client in self._open and client.since == since and not client.is_answered():
                    client.drop()
                    self.forget(client)
                    return True
            waiting = (client for client in self._open if not client.is_answered())
            first = heapq.nsmallest(_FOUND_AT_ONCE, waiting, key=self._order_of_going)
            self._found = [(client.since, client) for client in reversed(first)]
        return False

    def _order_of_going(self, client: Client) -> tuple[bool, float]:
        """Idle ones first, but for newcomers, who must have a moment to speak; of each kind the longest first."""
        is_idle = client.stage in (Stage.IDLE, Stage.CLOSING) and self.now - client.since > _SLOW_SECONDS
        return (not is_idle, client.since)

    def _refuse_some(self) -> None:
        """Refuse the worst until a sixteenth of the bound is free, so that this happens rarely."""
        for client in self._worst_first():
            client.refuse(_TOO_MUCH)
            self.hold(client, 0)
            if self._held <= self._most_held * 15 // 16:
                return

    def _worst_first(self) -> Iterable[Client]:
        """Those that have been arriving for long, the longest first; then those that hold much and have fallen silent.

        An honest sender is neither: its request arrives within a second, a large one without a pause.
        """
        time = asyncio.get_running_loop().time()

        def order(client: Client) -> tuple[bool, float]:
            waited = self.now - client.since
            return (True, waited) if waited > _SLOW_SECONDS else (False, client.held * (time - client.heard_at))

        return sorted((client for client in self._open if client.held), key=order, reverse=True)

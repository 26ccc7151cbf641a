"""Counts the deliveries that were refused: in the process, per hour in the database, and in a line of the log."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from enum import Enum

import psycopg

from ingest.metrics import OTHER_SOURCES
from ingest.occurrences import Occurrences
from ingest.source_labels import SourceLabels

logger = logging.getLogger(__name__)

FLUSH_SECONDS = 3.0  # between two writes to the database, however many deliveries were refused
_MOST_SAID = 10  # sources in a line of the log
_MOST_KEPT = 5_000  # (source, reason, hour) whose numbers wait for the database; there are seven reasons


class Reason(Enum):
    """Why a delivery was refused; the values are in the database, the metrics and the log."""

    SIGNATURE_MISSING = "signature_missing"
    SIGNATURE_MALFORMED = "signature_malformed"
    SIGNATURE_WRONG = "signature_wrong"
    TOO_LARGE = "too_large"
    BODY_TIMEOUT = "body_timeout"
    UNAVAILABLE = "unavailable"
    UNKNOWN_SOURCE = "unknown_source"


RefusalKey = tuple[str, Reason, datetime]  # a source, or "" for an unknown one; why; the hour in which it was refused
Numbers = dict[RefusalKey, tuple[int, datetime]]  # how many, and when the last one was
Write = Callable[[Numbers], Awaitable[None]]


class Refusals:
    """The refused deliveries of a server. `write` adds numbers to the database's; it raises `psycopg.Error`.

    Counting costs a request one addition; what is written and said is done beside the requests, every few seconds.
    `total`: by label of the source and reason.
    """

    def __init__(self, write: Write, labels: SourceLabels | None = None) -> None:
        self._write = write
        self._labels = labels or SourceLabels()
        self._unwritten: Numbers = {}
        self._unsaid: Occurrences[tuple[str, Reason]] = Occurrences()
        self.total: Counter[tuple[str, Reason]] = Counter()

    def count(self, source: str, reason: Reason) -> None:
        """Count one refused delivery. Nothing of what was sent is kept, of an unknown source not even the name."""
        known = "" if reason is Reason.UNKNOWN_SOURCE else source
        self.total[self._labels.of(known), reason] += 1
        now = datetime.now(UTC)
        key = (known, reason, now.replace(minute=0, second=0, microsecond=0))
        self._unwritten[key] = (self._unwritten.get(key, (0, now))[0] + 1, now)
        self._unsaid.count((known, reason))

    async def run(self) -> None:
        """Write and say the numbers every few seconds, for ever; to be run as a task of the server."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            self._say(asyncio.get_running_loop().time())
            await self.flush()

    async def flush(self) -> None:
        """Write the numbers to the database. What cannot be written is kept for the next time."""
        unwritten, self._unwritten = self._unwritten, {}
        if not unwritten:
            return
        try:
            await self._write(unwritten)
        except (psycopg.Error, TimeoutError):
            self._keep(unwritten)
        except asyncio.CancelledError:
            self._keep(unwritten)
            raise

    def _keep(self, unwritten: Numbers) -> None:
        """Put back what was not written, before what was counted meanwhile; of too much the oldest is forgotten."""
        for key, (number, last_at) in self._unwritten.items():
            unwritten[key] = (unwritten.get(key, (0, last_at))[0] + number, last_at)
        self._unwritten = dict(list(unwritten.items())[-_MOST_KEPT:])

    def _say(self, now: float) -> None:
        taken = self._unsaid.take(now)
        if taken is None:
            return
        numbers, last_request = taken
        by_source: dict[str, dict[str, int]] = {}
        for (source, reason), number in sorted(numbers.items(), key=lambda item: (item[0][0], item[0][1].value)):
            by_source.setdefault(source or "(unknown)", {})[reason.value] = number
        most = sorted(by_source, key=lambda source: -sum(by_source[source].values()))[:_MOST_SAID]
        shown = {source: by_source[source] for source in sorted(most)}
        if len(by_source) > len(shown):
            shown[OTHER_SOURCES] = {"sources": len(by_source) - len(shown)}
        fields = {"refused": numbers.total(), "sources": shown, "last_request_id": last_request}
        logger.warning("deliveries refused", extra={"fields": fields})

"""The load of a run and its record: when each delivery was answered 200, and when a page of the roster was."""

import http.client
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field

from tests import DEADLINE
from tests.cluster.services import Services
from tests.program import until
from tests.sender import senders

_SENDERS, _READERS = 3, 2
_READ_EVERY_SECONDS = 0.1
_ANSWERED_SECONDS = 120.0
_LONGEST_SECONDS = 3.0  # that a reader waits for a page


@dataclass(slots=True)
class Record:
    """`answered`: the bodies that were answered 200, with the positions. The rest: the moments, monotonic."""

    answered: dict[bytes, int] = field(default_factory=dict)
    delivered_at: list[float] = field(default_factory=list)
    refused_at: list[float] = field(default_factory=list)
    paged_at: list[float] = field(default_factory=list)

    def until_answered(self, number: int) -> None:
        """Wait until so many more deliveries are answered 200."""
        before = len(self.delivered_at)
        until(lambda: len(self.delivered_at) >= before + number, _ANSWERED_SECONDS)


@contextmanager
def loaded(programs: Services, token: str, sources: Sequence[str] = ("movemint",)) -> Iterator[Record]:
    """Senders that deliver again until they are answered 200, and readers of the roster, for the block."""
    record = Record()
    over = threading.Event()

    def heard(status: int) -> None:
        (record.delivered_at if status == 200 else record.refused_at).append(time.monotonic())

    with ThreadPoolExecutor(_READERS) as pool, senders(programs.ingest, _SENDERS, heard, sources) as answered:
        record.answered = answered
        reading = [pool.submit(_read, programs.api, token, record, over) for _ in range(_READERS)]
        try:
            yield record
        finally:
            over.set()
            for future in reading:
                future.result(DEADLINE)


def _read(port: int, token: str, record: Record, over: threading.Event) -> None:
    while not over.is_set():
        if _page(port, token) == 200:
            record.paged_at.append(time.monotonic())
        over.wait(_READ_EVERY_SECONDS)


def _page(port: int, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    with (
        suppress(OSError, http.client.HTTPException),
        closing(http.client.HTTPConnection("127.0.0.1", port, timeout=_LONGEST_SECONDS)) as connection,
    ):
        connection.request("GET", "/v1/participants?limit=5", headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    return 0

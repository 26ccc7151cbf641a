"""Counts what would fill the log line by line, for one line every ten seconds at most."""

from collections import Counter
from typing import Generic, TypeVar

from ingest.logs import request_id

K = TypeVar("K")

LINE_SECONDS = 10.0  # between two lines


class Occurrences(Generic[K]):
    """How often something happened since the last line, by kind. Seconds are of any one clock."""

    def __init__(self) -> None:
        self._numbers: Counter[K] = Counter()
        self._last_request: str | None = None
        self._taken_at = float("-inf")

    def count(self, kind: K) -> None:
        """Count once, and keep the id of the request that is being answered."""
        self._numbers[kind] += 1
        self._last_request = request_id.get()

    def take(self, now: float) -> tuple[Counter[K], str | None] | None:
        """The numbers for a line and the id of the last request, which begin anew; None if no line is due."""
        if not self._numbers or now - self._taken_at < LINE_SECONDS:
            return None
        numbers, self._numbers = self._numbers, Counter()
        self._taken_at = now
        return numbers, self._last_request

"""How many requests somebody may make: token buckets, in this process's memory. No clock of its own."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """So many a second in the long run, and so many at once."""

    per_second: float
    at_once: float


class Buckets:
    """One bucket for each key, full at first. Those longest unused are forgotten, so memory is bounded."""

    def __init__(self, limit: Limit, most_keys: int = 10_000) -> None:
        self._limit = limit
        self._most_keys = most_keys
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()  # what is left, and as of when

    def left(self, key: Hashable, now: float) -> float:
        """How many more could be made now. `now`: seconds of a clock that never goes back."""
        left, since = self._left.get(key, (self._limit.at_once, now))
        return min(self._limit.at_once, left + (now - since) * self._limit.per_second)

    def take(self, key: Hashable, now: float) -> float:
        """Count one. Gives 0 if it may be made, else the seconds until one may; then it is not counted."""
        left = self.left(key, now)
        if left < 1:
            return (1 - left) / self._limit.per_second
        self._left[key] = (left - 1, now)
        self._left.move_to_end(key)
        if len(self._left) > self._most_keys:
            self._left.popitem(last=False)
        return 0.0

    def give_back(self, key: Hashable, now: float) -> None:
        """Take back one that was counted."""
        self._left[key] = (min(self._limit.at_once, self.left(key, now) + 1), now)

"""How many requests a key may make: token buckets in this process's memory, without a clock of their own."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """Requests per second in the long run, and requests at once."""

    per_second: float
    at_once: float

    def among(self, processes: int) -> "Limit":
        """That of each process, so that all processes of a server together keep this one; a first request may always
        be made.
        """
        return Limit(self.per_second / processes, max(1.0, self.at_once / processes))


class Buckets:
    """One bucket per key, full at first. The longest unused buckets are forgotten, so memory is bounded."""

    def __init__(self, limit: Limit, most_keys: int = 10_000) -> None:
        self._limit = limit
        self._most_keys = most_keys
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()  # per key: what was left, and when

    def left(self, key: Hashable, now: float) -> float:
        """How many requests may be made now. `now`: seconds of a monotonic clock."""
        left, since = self._left.get(key, (self._limit.at_once, now))
        return min(self._limit.at_once, left + (now - since) * self._limit.per_second)

    def take(self, key: Hashable, now: float) -> float:
        """Count a request and return 0. If it may not be made, it is not counted: return the seconds until one may."""
        left = self.left(key, now)
        if left < 1:
            return (1 - left) / self._limit.per_second
        self._left[key] = (left - 1, now)
        self._left.move_to_end(key)
        if len(self._left) > self._most_keys:
            self._left.popitem(last=False)
        return 0.0

    def give_back(self, key: Hashable, now: float) -> None:
        """Undo the count of a request."""
        self._left[key] = (self.left(key, now) + 1, now)

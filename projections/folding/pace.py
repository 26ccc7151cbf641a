"""How many events of each source are folded at once, and when: fewer and later after a failure. Without a database."""

from collections.abc import Hashable
from dataclasses import dataclass

_TRIES_ALONE = 3  # failures of one event by itself, in a row, until it is taken for their cause
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # seconds until the next try


@dataclass(slots=True)
class _Lane:
    limit: int
    failures: int = 0
    alone: int = 0
    not_before: float = 0.0


class Pace:
    """The pace of each lane: half as many events after each failure, twice as many after each success."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lanes: dict[Hashable, _Lane] = {}

    def limit(self, lane: Hashable) -> int:
        """How many events to fold at once."""
        return self._lanes[lane].limit if lane in self._lanes else self._most

    def may_try(self, lane: Hashable, now: float) -> bool:
        """Whether the pause after the last failure is over. `now`: seconds of a monotonic clock."""
        return lane not in self._lanes or now >= self._lanes[lane].not_before

    def succeeded(self, lane: Hashable) -> None:
        state = self._lanes.get(lane)
        if state is not None:
            state.limit, state.failures, state.alone = min(2 * state.limit, self._most), 0, 0
            if state.limit == self._most:
                del self._lanes[lane]

    def failed(self, lane: Hashable, now: float) -> bool:
        """Count a failure. Gives True once the next event has failed by itself again and again."""
        state = self._lanes.setdefault(lane, _Lane(self._most))
        state.alone += state.limit == 1
        state.failures += 1
        state.limit = max(1, state.limit // 2)
        state.not_before = now + min(_FIRST_PAUSE * 2 ** (state.failures - 1), _LONGEST_PAUSE)
        return state.alone >= _TRIES_ALONE

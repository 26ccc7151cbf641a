"""How many events of each source are folded at once, and when: fewer and later after a failure. Without a database."""

from collections.abc import Hashable
from dataclasses import dataclass

_FIRST = 8  # events: a worker that was replaced must not begin with the batch that its predecessor could not fold
_TRIES_ALONE = 3  # failures of one event by itself, in a row, until it is taken for their cause
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # seconds until the next try


@dataclass(slots=True)
class _Lane:
    limit: int
    failures: int = 0
    alone: int = 0
    not_before: float = 0.0


class Pace:
    """The pace of each lane: few events at first, twice as many after each success, half as many after each failure."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lanes: dict[Hashable, _Lane] = {}

    def limit(self, lane: Hashable) -> int:
        """How many events to fold at once."""
        return self._of(lane).limit

    def may_try(self, lane: Hashable, now: float) -> bool:
        """Whether the pause after the last failure is over. `now`: seconds of a monotonic clock."""
        return now >= self._of(lane).not_before

    def succeeded(self, lane: Hashable) -> None:
        state = self._of(lane)
        state.limit, state.failures, state.alone = min(2 * state.limit, self._most), 0, 0

    def failed(self, lane: Hashable, now: float, *, is_to_blame: bool, took_long: bool = False) -> bool:
        """Count a failure. `is_to_blame`: the events may have caused it. `took_long`: it cost seconds, so that the next
        try is with one event.

        Gives True once the next event has failed by itself, and may be to blame, again and again.
        """
        state = self._of(lane)
        state.alone += is_to_blame and state.limit == 1
        state.failures += 1
        state.limit = 1 if took_long else max(1, state.limit // 2)
        state.not_before = now + min(_FIRST_PAUSE * 2 ** min(state.failures - 1, 10), _LONGEST_PAUSE)
        return is_to_blame and state.alone >= _TRIES_ALONE

    def _of(self, lane: Hashable) -> _Lane:
        return self._lanes.setdefault(lane, _Lane(min(_FIRST, self._most)))

"""How many events of each source are folded at once, when, and in what time. Without a database.

A failure makes them fewer and later. Time makes them fewer, too, but one event has all the time there is before it is
taken for the cause: the tries before that one are short, so that a source is not kept for long.
"""

from collections.abc import Hashable
from dataclasses import dataclass

_FIRST = 8  # events: a worker that was replaced must not begin with the batch that its predecessor could not fold
_TRIES_ALONE = 3  # failures of one event by itself, in a row, until it is taken for their cause
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0  # seconds until the next try
_SEARCHED = 8  # parts of a batch that took too long, one of which is tried at a time
# Of all the time there is: what is well takes a fraction of it. One event has all of it once it has failed twice.
_SHARE, _SHORT_SHARE = 0.2, 0.1
_SHORT_TRIES = 2


@dataclass(slots=True)
class _Lane:
    limit: int
    most: int  # events at once that are known not to take too long
    suspected: int = 0  # events that are left of a batch that took too long
    failures: int = 0
    alone: int = 0
    slow_alone: int = 0  # tries of one event, in a row, that took too long
    not_before: float = 0.0
    is_apart: bool = False  # until it has succeeded by itself


class Pace:
    """The pace of each lane: few events at first, twice as many after each success, half as many after each failure."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lanes: dict[Hashable, _Lane] = {}

    def limit(self, lane: Hashable) -> int:
        """How many events to fold at once."""
        return self._of(lane).limit

    def share(self, lane: Hashable) -> float:
        """What part of all the time there is the next try may take."""
        state = self._of(lane)
        if state.slow_alone >= _SHORT_TRIES:
            return 1.0
        return _SHORT_SHARE if state.suspected else _SHARE

    def is_suspect(self, lane: Hashable) -> bool:
        """Whether the next try may take too long, as one of before did."""
        return self._of(lane).suspected > 0

    def may_share(self, lane: Hashable) -> bool:
        """Whether it may share a transaction with others: whatever has failed, or took long, goes by itself first."""
        state = self._of(lane)
        return not (state.is_apart or self.is_suspect(lane) or state.slow_alone)

    def part(self, lane: Hashable) -> None:
        """What it shared with others has failed: it goes by itself, at once."""
        self._of(lane).is_apart = True

    def may_try(self, lane: Hashable, now: float) -> bool:
        """Whether the pause after the last failure is over. `now`: seconds of a monotonic clock."""
        return now >= self._of(lane).not_before

    def succeeded(self, lane: Hashable, *, took_long: bool = False) -> None:
        """`took_long`: so that the next try has as much time, if this one had all."""
        state = self._of(lane)
        state.most = min(state.most + 1, self._most)
        state.suspected = max(0, state.suspected - state.limit)
        if not state.suspected:
            state.limit = min(2 * state.limit, state.most)
        state.failures, state.alone, state.is_apart = 0, 0, False
        state.slow_alone = state.slow_alone if took_long else 0

    def parked(self, lane: Hashable) -> None:
        """The cause of the failures was found, and is out of the way."""
        state = self._of(lane)
        state.limit, state.suspected, state.failures, state.alone, state.slow_alone = state.most, 0, 0, 0, 0

    def failed(self, lane: Hashable, now: float, *, is_to_blame: bool, took_long: bool = False) -> bool:
        """Count a failure. `is_to_blame`: the events may have caused it. `took_long`: its time is the reason.

        Gives True once the next event has failed by itself, and may be to blame, again and again; if that took long,
        only once it has had all the time there is.
        """
        state = self._of(lane)
        had_all = self.share(lane) == 1
        state.is_apart = True
        state.alone += is_to_blame and state.limit == 1
        if took_long:
            self._search(state)
            state.not_before = now + _FIRST_PAUSE  # the try itself was a pause
        else:
            state.failures += 1
            state.limit = max(1, state.limit // 2)
            state.not_before = now + min(_FIRST_PAUSE * 2 ** min(state.failures - 1, 10), _LONGEST_PAUSE)
        return is_to_blame and state.alone >= _TRIES_ALONE and (had_all or not took_long)

    def _search(self, state: _Lane) -> None:
        """Try a part of what took too long, and the other parts after it."""
        state.slow_alone += state.limit == 1
        if not state.suspected:
            state.most = max(1, state.limit // 2)
        state.suspected = state.limit
        state.limit = max(1, state.limit // _SEARCHED)

    def _of(self, lane: Hashable) -> _Lane:
        return self._lanes.setdefault(lane, _Lane(min(_FIRST, self._most), self._most))

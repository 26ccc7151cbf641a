"""How far a replica is behind, in seconds by this process's clock: since when the primary has been further than it."""

from bisect import bisect_right


class Lag:
    """Where the primary's write-ahead log was, and when. `kept_seconds`: for how long it is remembered.

    An idle primary stands still, so no replica seems late because of it; a replica that receives nothing more is late
    from the primary's next change on, though it cannot know. No clock of a server is compared with that of another.
    """

    def __init__(self, kept_seconds: float) -> None:
        self._kept_seconds = kept_seconds
        self._positions: list[int] = []
        self._times: list[float] = []  # by the monotonic clock, when the primary was seen at each position first

    def note(self, position: int, now: float) -> None:
        """The primary is at this position now; at a smaller one than before it is another, or was restored."""
        if self._positions and position < self._positions[-1]:
            self._positions, self._times = [], []
        if not self._positions or position > self._positions[-1]:
            self._positions.append(position)
            self._times.append(now)
        old = bisect_right(self._times, now - self._kept_seconds) - 1
        if old > 0:
            del self._positions[:old], self._times[:old]

    def seconds(self, position: int, now: float, since_replayed: float | None) -> float:
        """How far a replica at this position is behind, to a second.

        `since_replayed`: how old the newest transaction is that it has; that counts where nothing older was noted of
        the primary, as when this process has just started.
        """
        beyond = bisect_right(self._positions, position)
        if beyond == len(self._positions):
            return 0.0
        noted = now - self._times[beyond]
        return noted if beyond else max(noted, since_replayed or 0.0)

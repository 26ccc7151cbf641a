"""Which sources share a transaction: those with little to do of which no batch has failed. Without a database."""

from collections.abc import Sequence

from projections.folding.pace import Pace
from projections.folding.projection import Behind

_FEW = 8  # events of a source in a transaction that it shares
_LEAST, _FIRST, _MOST = 2, 8, 64  # sources in one
_LONG_SECONDS = 0.1  # for one: with more sources it would cost each of them hardly less, and all wait for it


class Sharing:
    """How many sources share a transaction: twice as many after one that was quick, half as many after another one.

    `most`: events of a source in one transaction.
    """

    def __init__(self, pace: Pace, most: int) -> None:
        self._pace = pace
        self.sources = _FIRST  # in the next transaction
        self.events = min(_FEW, most)  # of each
        self._is_refused = False

    def may_share(self, pairs: Sequence[Behind]) -> bool:
        """Whether a source may share its transactions. `pairs`: one per projection."""
        return not self._is_refused and all(
            each.events <= self.events and self._pace.may_share(each.lane) for each in pairs
        )

    def failed(self, pairs: Sequence[Behind]) -> list[Behind]:
        """Those of a source's that may share no longer."""
        return [each for each in pairs if not self._pace.may_share(each.lane)]

    def refused(self) -> None:
        """Let every source go by itself from now on: this database has no transaction for several, as Citus."""
        self._is_refused = True

    def ended(self, seconds: float | None) -> None:
        """Learn how long a shared transaction took; None if it failed."""
        is_quick = seconds is not None and seconds < _LONG_SECONDS
        self.sources = min(2 * self.sources, _MOST) if is_quick else max(self.sources // 2, _LEAST)

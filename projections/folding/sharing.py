"""Which sources share a transaction: those with little to do of which no batch has failed. Without a database."""

import time
from collections.abc import Callable, Sequence

from projections.folding.pace import Pace
from projections.folding.projection import Behind

_FEW = 8  # events of a source in a transaction that it shares
_LEAST, _FIRST, _MOST = 2, 8, 64  # sources in one
_REFUSED_SECONDS = 60.0  # without sharing, where the database has no transaction for several sources
_LONG_SECONDS = 0.1  # for one: with more sources it would cost each of them hardly less, and all wait for it


class Sharing:
    """How many sources share a transaction: twice as many after one that was quick, half as many after another one.

    `most`: events of a source in one transaction. `clock`: gives seconds that only grow.
    """

    def __init__(self, pace: Pace, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._pace = pace
        self._clock = clock
        self.sources = _FIRST  # in the next transaction
        self.events = min(_FEW, most)  # of each
        self._refused_until = 0.0

    @property
    def is_possible(self) -> bool:
        """Whether the database supports it, as far as is known."""
        return self._clock() >= self._refused_until

    def may_share(self, pairs: Sequence[Behind]) -> bool:
        """Whether a source may share its transactions. `pairs`: one per projection."""
        return self.is_possible and all(
            each.events <= self.events and self._pace.may_share(each.lane) for each in pairs
        )

    def failed(self, pairs: Sequence[Behind]) -> list[Behind]:
        """Those of a source's that may share no longer."""
        return [each for each in pairs if not self._pace.may_share(each.lane)]

    def refused(self) -> None:
        """Let every source go by itself for a while: the database does not support such a transaction.

        On Citus it never does; on plain PostgreSQL it may be so once, as after a migration that changed a column.
        """
        self._refused_until = self._clock() + _REFUSED_SECONDS

    def ended(self, seconds: float | None) -> None:
        """Learn how long a shared transaction took; None if it failed."""
        is_quick = seconds is not None and seconds < _LONG_SECONDS
        self.sources = min(2 * self.sources, _MOST) if is_quick else max(self.sources // 2, _LEAST)

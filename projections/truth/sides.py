"""Keeps the lines of file and roster until both are read. Those that are alike go as soon as both of them have come."""

from collections.abc import Collection, Sequence
from itertools import islice

from projections.truth.buckets import LineBuckets
from projections.truth.pairing import ListedTwice, first_listed_twice

_IN_MEMORY = 160_000_000  # bytes of lines that wait for their like
_PER_LINE = 100  # bytes that a line in a set needs besides
_AT_A_TIME = 10_000  # lines


class BothSides:
    """The lines of both sides. Close it.

    `keeps_alike`: also those are kept that are alike. `alike`: how many pairs went.
    """

    def __init__(self, *, keeps_alike: bool) -> None:
        self.alike = 0
        self._keeps_alike = keeps_alike
        self._listed, self._stored = LineBuckets(), LineBuckets()
        self._listed_waiting: set[bytes] = set()
        self._stored_waiting: set[bytes] = set()
        self._size = 0  # of those that wait

    def add(self, listed: Sequence[bytes], stored: Sequence[bytes]) -> None:
        """Add lines of each side. Raises `ListedTwice` for most lines that are listed twice, unless all are kept."""
        if self._keeps_alike:
            self._listed.add(listed)
            self._stored.add(stored)
            return
        self._wait(listed, stored)
        if self._size > _IN_MEMORY:
            self._let_go()

    def _wait(self, listed: Sequence[bytes], stored: Sequence[bytes]) -> None:
        of_file = {*listed}
        if len(of_file) != len(listed) or not of_file.isdisjoint(self._listed_waiting):
            raise ListedTwice(first_listed_twice([*self._listed_waiting, *listed]))
        alike = of_file & self._stored_waiting
        self._stored_waiting -= alike
        of_file -= alike
        self._listed_waiting |= of_file
        of_roster = {*stored}
        others = of_roster & self._listed_waiting
        self._listed_waiting -= others
        of_roster -= others
        self._stored_waiting |= of_roster
        self.alike += len(alike) + len(others)
        self._size += _size(of_file) + _size(of_roster) - _size(alike) - _size(others)

    def _let_go(self) -> None:
        """No more wait for the like of the lines that are there: their pairs are found when all have come."""
        for kept, waiting in ((self._listed, self._listed_waiting), (self._stored, self._stored_waiting)):
            lines = iter(waiting)
            while some := [*islice(lines, _AT_A_TIME)]:
                kept.add(some)
            waiting.clear()
        self._size = 0

    def lines(self, bucket: int) -> tuple[list[bytes], list[bytes]]:
        """The lines of a bucket, of the file and of the roster. No more can be added."""
        self._let_go()
        return self._listed.lines(bucket), self._stored.lines(bucket)

    def close(self) -> None:
        self._listed.close()
        self._stored.close()


def _size(lines: Collection[bytes]) -> int:
    return sum(map(len, lines)) + _PER_LINE * len(lines)

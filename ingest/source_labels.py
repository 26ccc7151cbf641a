"""Which sources the counters of a process name. Pure."""

from collections import Counter
from collections.abc import Iterable

from ingest.metrics import MOST_NAMED_SOURCES, OTHER_SOURCES

_NO_NAMES = ("", OTHER_SOURCES)  # the unknown sources, which are one; and the others, of another process


class SourceLabels:
    """The label of each source: its name, or `OTHER_SOURCES` once fifty have theirs.

    A source keeps its label for as long as the process runs. Were names to move to whoever is worst now, a source that
    loses its name would take what it counted from one label to another, and a counter would go back.
    """

    def __init__(self) -> None:
        self._of = {label: label for label in _NO_NAMES}

    def name(self, sources: Iterable[str]) -> None:
        """Give these sources their labels now, in this order, before any of them is counted."""
        for source in sources:
            self.of(source)

    def of(self, source: str) -> str:
        """The label of a source."""
        label = self._of.get(source)
        if label is None:
            if len(self._of) == MOST_NAMED_SOURCES + len(_NO_NAMES):
                return OTHER_SOURCES
            label = self._of[source] = source
        return label

    def sums(self, numbers: Iterable[tuple[tuple[str, str], int]]) -> Counter[tuple[str, str]]:
        """Numbers by source and something else, as sums by label and that."""
        sums: Counter[tuple[str, str]] = Counter()
        for (source, other), number in numbers:
            sums[self.of(source), other] += number
        return sums

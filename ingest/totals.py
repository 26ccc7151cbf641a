"""The readings of several processes as those of one. Pure."""

from collections.abc import Iterable

from ingest.metrics import Histogram, Labels, Metric, Reading

_Numbers = dict[tuple[Metric, Labels], float | Histogram]


class Totals:
    """The sums of what each process said last. What a process counted stays when it ends: no counter ever goes back."""

    def __init__(self) -> None:
        self._of: dict[int, _Numbers] = {}  # by process, those that run
        self._ended: _Numbers = {}

    def note(self, process: int, readings: Iterable[Reading]) -> None:
        """Take readings of a process in place of those that it said before."""
        self._of.setdefault(process, {}).update({(each.metric, each.labels): each.value for each in readings})

    def end(self, process: int) -> None:
        """The process has ended: what it held is gone, what it counted is not."""
        _add(self._ended, {key: value for key, value in self._of.pop(process, {}).items() if key[0].kind != "gauge"})

    def readings(self) -> list[Reading]:
        """All processes together, those that have ended too."""
        sums = dict(self._ended)
        for numbers in self._of.values():
            _add(sums, numbers)
        return [Reading(metric, labels, value) for (metric, labels), value in sums.items()]


def _add(sums: _Numbers, numbers: _Numbers) -> None:
    for key, value in numbers.items():
        sums[key] = _sum(sums[key], value) if key in sums else value


def _sum(one: float | Histogram, other: float | Histogram) -> float | Histogram:
    if isinstance(one, Histogram) and isinstance(other, Histogram):
        return one.plus(other)
    assert not isinstance(one, Histogram)  # noqa: S101 - both are of one metric
    assert not isinstance(other, Histogram)  # noqa: S101
    return one + other

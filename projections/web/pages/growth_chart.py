"""The chart of a race's growth, and the same numbers as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from projections.roster.growth import Growth
from projections.web.pages.chart import ChartLine, line_chart
from projections.web.pages.shown_values import shown_day


@dataclass(frozen=True, slots=True)
class _Titled:
    """A line of the chart, which is a column of the table."""

    title: str
    kind: str
    numbers: Sequence[int | None]


def drawn_growth(growth: Growth) -> Mapping[str, Any]:
    """What the template writes of a race's growth."""
    titled = [_Titled("in all", "line total", growth.total.numbers)]
    titled += [_Titled(line.name, f"line line-{place}", line.numbers) for place, line in enumerate(growth.sub_events)]
    if growth.previous is not None:
        titled.append(_Titled("last edition", "line before", growth.previous.numbers))
    head = "until" if growth.days_before is None else "days before the start"
    drawn = [ChartLine(each.kind, each.numbers) for each in reversed(titled)]  # the first one above the others
    return {
        "chart": line_chart(drawn, _ends(growth), f"{max(_known(titled[0])):,} registrations so far"),
        "until_start": growth.days_before is not None,
        "lines": titled,
        "titles": [head, *(each.title for each in titled)],
        "rows": [[_point(growth, place), *_cells(titled, place)] for place in range(len(growth.points))],
    }


def _known(line: _Titled) -> list[int]:
    return [number for number in line.numbers if number is not None]


def _cells(titled: Sequence[_Titled], place: int) -> list[str]:
    numbers = (line.numbers[place] for line in titled)
    return ["" if number is None else f"{number:,}" for number in numbers]


def _point(growth: Growth, place: int) -> str:
    return shown_day(growth.points[place]) if growth.days_before is None else f"{growth.days_before[place]:,}"


def _ends(growth: Growth) -> tuple[str, str]:
    """The first and the last point in words."""
    if growth.days_before is None:
        return shown_day(growth.points[0]), shown_day(growth.points[-1])
    return _from_start(growth.days_before[0]), _from_start(growth.days_before[-1])


def _from_start(days: int) -> str:
    if days == 0:
        return "the start"
    return f"{abs(days):,} day{'s' if abs(days) > 1 else ''} {'before' if days > 0 else 'after'} the start"

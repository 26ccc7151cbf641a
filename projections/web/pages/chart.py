"""Charts as SVG, drawn on the server."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from markupsafe import Markup, escape

_BAR, _GAP, _HEIGHT = 3, 1, 28
_WIDE, _HIGH, _LEFT, _TOP, _BOTTOM = 720, 240, 56, 12, 24  # of a chart of lines: in all, and the room for its words
_BESIDE = 240  # how wide a bar beside another is
_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class ChartLine:
    """A number per point, None where there is none. `kind`: how it is drawn, a class of the style sheet."""

    kind: str
    numbers: Sequence[int | None]


@lru_cache(1_024)
def bars(numbers: tuple[int, ...], what: str) -> Markup:
    """A bar per number, from left to right. `what`: the numbers in words, for those who cannot see it.

    Kept, since of many races few have other numbers than when they were last shown.
    """
    most = max(*numbers, 1)
    width = len(numbers) * (_BAR + _GAP)
    drawn = {"none": "", "bar": ""}
    for place, number in enumerate(numbers):
        height = max(round(_HEIGHT * number / most), 1)
        drawn["bar" if number else "none"] += f"M{place * (_BAR + _GAP)} {_HEIGHT}v-{height}h{_BAR}v{height}z"
    paths = "".join(f'<path class="{kind}" d="{path}"/>' for kind, path in drawn.items() if path)
    title = escape(f"{what}: {sum(numbers):,} in all, at most {max(numbers, default=0):,}")
    return Markup(  # noqa: S704 - numbers, and a title that is escaped
        f'<svg class="bars" viewBox="0 0 {width} {_HEIGHT}" width="{width}" height="{_HEIGHT}" role="img">'
        f"<title>{title}</title>{paths}</svg>"
    )


def bar_beside(now: int, before: int) -> Markup:
    """A bar over a paler one, as wide as the numbers are to each other."""
    most = max(now, before, 1)
    widths = [round(_BESIDE * number / most) for number in (before, now)]
    drawn = "".join(
        f'<rect class="{kind}" y="{y}" width="{width}" height="{height}"/>'
        for kind, y, width, height in (("none", 0, widths[0], 12), ("bar", 3, widths[1], 6))
    )
    return Markup(  # noqa: S704 - numbers
        f'<svg class="bars" viewBox="0 0 {_BESIDE} 12" width="{_BESIDE}" height="12" aria-hidden="true">{drawn}</svg>'
    )


def line_chart(drawn: Sequence[ChartLine], ends: tuple[str, str], what: str) -> Markup:
    """Lines over the same points. `ends`: the first and the last point in words. `what`: the numbers in words."""
    most = _round(max((number or 0 for line in drawn for number in line.numbers), default=0))
    parts = [f"<title>{escape(what)}</title>", *_grid(most)]
    middle = _HIGH - 6
    parts.append(f'<text x="{_LEFT}" y="{middle}">{escape(ends[0])}</text>')
    parts.append(f'<text x="{_WIDE - 2}" y="{middle}" text-anchor="end">{escape(ends[1])}</text>')
    parts += [f'<polyline class="{line.kind}" points="{_points(line.numbers, most)}"/>' for line in drawn]
    return Markup(  # noqa: S704 - numbers, our own classes, and texts that are escaped
        f'<svg class="lines" viewBox="0 0 {_WIDE} {_HIGH}" role="img">{"".join(parts)}</svg>'
    )


def _round(most: int) -> int:
    """A round number that is as large or somewhat larger."""
    size: int = 10 ** max(len(str(most)) - 1, 0)
    return max(next(int(size * step) for step in _STEPS if size * step >= most), 1)


def _grid(most: int) -> Iterator[str]:
    for part in (0, 1) if most < 2 else (0, 0.5, 1):
        height = _height(most * part, most)
        yield f'<line class="grid" x1="{_LEFT}" x2="{_WIDE}" y1="{height}" y2="{height}"/>'
        yield f'<text x="{_LEFT - 6}" y="{height + 4}" text-anchor="end">{round(most * part):,}</text>'


def _height(number: float, most: int) -> int:
    return round(_HIGH - _BOTTOM - (_HIGH - _BOTTOM - _TOP) * number / most)


def _points(numbers: Sequence[int | None], most: int) -> str:
    step = (_WIDE - _LEFT) / max(len(numbers) - 1, 1)
    known = ((place, number) for place, number in enumerate(numbers) if number is not None)
    return " ".join(f"{round(_LEFT + step * place)},{_height(number, most)}" for place, number in known)

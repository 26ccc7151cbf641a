"""The deliveries of the last hours as stacked bars, drawn on the server."""

from collections.abc import Sequence

from markupsafe import Markup, escape

from ingest.log.hours import HourOfDeliveries

_BAR, _GAP, _HEIGHT = 18, 4, 96


def hour_bars(hours: Sequence[HourOfDeliveries], what: str) -> Markup:
    """A bar per hour, from the oldest: what was stored, upon it what came again and was refused. `what`: in words."""
    most = max([hour.deliveries for hour in hours] + [1])
    width = len(hours) * (_BAR + _GAP)
    title = escape(f"{what}, by hour, at most {most:,} in one")
    bars = "".join(_bar(hour, place, most) for place, hour in enumerate(hours))
    return Markup(  # noqa: S704 - numbers, and a title that is escaped
        f'<svg class="hours" viewBox="0 0 {width} {_HEIGHT}" role="img"><title>{title}</title>{bars}</svg>'
    )


def _bar(hour: HourOfDeliveries, place: int, most: int) -> str:
    """The parts of an hour, from the ground up; a line on the ground where there was nothing."""
    parts = []
    below = 0.0
    for kind, number in (("stored", hour.stored), ("again", hour.redelivered), ("refused", hour.refused_in_all)):
        if number:
            height = max(round(_HEIGHT * number / most, 2), 1)
            parts.append(_part(kind, place, below, height))
            below += height
    return "".join(parts) or _part("none", place, 0, 1)


def _part(kind: str, place: int, below: float, height: float) -> str:
    top = round(max(_HEIGHT - below - height, 0), 2)
    return f'<rect class="{kind}" x="{place * (_BAR + _GAP)}" y="{top}" width="{_BAR}" height="{height}"/>'

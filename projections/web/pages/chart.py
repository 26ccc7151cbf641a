"""Charts as SVG, drawn on the server."""

from collections.abc import Sequence

from markupsafe import Markup, escape

_BAR, _GAP, _HEIGHT = 3, 1, 28


def bars(numbers: Sequence[int], what: str) -> Markup:
    """A bar per number, from left to right. `what`: the numbers in words, for those who cannot see it."""
    most = max(*numbers, 1)
    width = len(numbers) * (_BAR + _GAP)
    parts = []
    for place, number in enumerate(numbers):
        height = max(round(_HEIGHT * number / most), 1)
        x, kind = place * (_BAR + _GAP), "bar" if number else "none"
        parts.append(f'<rect class="{kind}" x="{x}" y="{_HEIGHT - height}" width="{_BAR}" height="{height}"/>')
    title = escape(f"{what}: {sum(numbers):,} in all, at most {max(numbers, default=0):,}")
    return Markup(  # noqa: S704 - numbers, and a title that is escaped
        f'<svg class="bars" viewBox="0 0 {width} {_HEIGHT}" width="{width}" height="{_HEIGHT}" role="img">'
        f"<title>{title}</title>{''.join(parts)}</svg>"
    )

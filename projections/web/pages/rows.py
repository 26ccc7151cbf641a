"""The rows of a table of people, as HTML: written here, for a page has a thousand cells, and a template takes long."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from markupsafe import Markup

from projections.web.pages.columns import ShownColumn
from projections.web.pages.dots import page_segment
from projections.web.pages.shown_values import exact_time, needs_no_span, shown, shown_time

_ANY_DIRECTION = ' dir="auto"'
_TICK = '<td class="tick" data-of="here"><span></span></td>'

_Row = Mapping[str, Any]
"""A participant as an answer of the API has it, by column."""


def rows_of_people(
    people: Sequence[_Row], columns: Sequence[ShownColumn], people_at: str, past: str, zone: str, *, has_boxes: bool
) -> Markup:
    """`people_at`: the path of the pages about people; `past`: their query. `has_boxes`: a box to tick before each."""
    first = _TICK if has_boxes else ""

    def address(person: _Row) -> str:
        return escape(people_at + page_segment(person["participant_id"], past))

    cells = [_cell_of(column, address, zone) for column in columns]
    rows = (f"<tr>{first}{''.join(cell(person) for cell in cells)}</tr>" for person in people)
    return Markup("\n".join(rows))  # noqa: S704 - whatever is not ours is escaped


def _cell_of(column: ShownColumn, address: Callable[[_Row], str], zone: str) -> Callable[[_Row], str]:
    """Writes the cell of a person in this column."""
    begin, name, is_time = f'<td data-of="{escape(column.title)}">', column.name, column.is_time

    def cell(person: _Row) -> str:
        value = column.of(person)
        text, is_plain = escape(str(shown(value))), needs_no_span(value)
        if column.leads_on:
            text = f'<a href="{address(person)}"{"" if is_plain else _ANY_DIRECTION}>{text}</a>'
        elif is_time and isinstance(value, str):
            text = f'<time datetime="{exact_time(value)}">{shown_time(value, zone)}</time>'
        elif not is_plain:
            text = f"<span{_ANY_DIRECTION}>{text}</span>"
        return f"{begin}{text}{_mark(person, name)}</td>"

    return cell


def _mark(person: _Row, column: str) -> str:
    """Of a value that could not be read, why."""
    why = (person["field_errors"] or {}).get(column)
    return f' <details class="unread"><summary>not readable</summary>{escape(why)}</details>' if why else ""

"""By what a row of a file and a participant are the same one: an id, or a key of several columns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ingest.delivery import identifier
from projections.participants.convert import WillNotConvert
from projections.participants.keys import text_key
from projections.participants.taken import ID_COLUMN
from projections.truth.cells import Convert
from projections.truth.conclusion import NothingConcluded
from projections.truth.mapping import CONFIRMATION

BETWEEN = "\x1f"  # the parts of a key
_OBJECT = "coalesce(p.attributes, convert_from(e.body, 'UTF8')::jsonb #> '{data,object}')"


@dataclass(frozen=True, slots=True)
class Matching:
    """`columns`: of the key. `in_sql`: the key of a participant `p` with the event `e` of its state; null for none."""

    name: str
    columns: tuple[str, ...]
    in_sql: str

    @property
    def is_by_id(self) -> bool:
        return self.columns == (ID_COLUMN,)

    @property
    def reads_object(self) -> bool:
        """Whether the key is in the participant's object alone."""
        return self.columns == (CONFIRMATION,)


MATCHINGS = {
    matching.name: matching
    for matching in (
        Matching("id", (ID_COLUMN,), "p.participant_id"),
        Matching(CONFIRMATION, (CONFIRMATION,), f"btrim({_OBJECT} ->> '{CONFIRMATION}', e' \\t\\r\\n')"),
        Matching("email+event", ("email", "event_id"), "p.email_key || chr(31) || p.event_id"),
        Matching(
            "first_name+last_name+dob",
            ("first_name", "last_name", "dob"),
            "p.first_name_key || chr(31) || p.last_name_key || chr(31) || p.dob::text",
        ),
    )
}
_READ_EXACTLY = (ID_COLUMN, CONFIRMATION)
_COMPARED_AS_TEXT = ("email", "first_name", "last_name")

KeyOf = Callable[[Sequence[str]], str]
"""The key of the cells of its columns; an empty text if there is none."""


def key_reader(matching: Matching, convert: Convert) -> KeyOf:
    """How the key of a row is read."""

    def part(column: str, cell: str) -> str:
        if column == ID_COLUMN:
            return identifier(cell.strip()) or ""
        if column == CONFIRMATION:
            return cell.strip(" \t\r\n")
        if not cell:
            return ""
        try:
            value = convert(column, cell, "")
        except WillNotConvert:
            return ""
        return text_key(value) if column in _COMPARED_AS_TEXT else value

    def key(cells: Sequence[str]) -> str:
        parts = [part(column, cell) for column, cell in zip(matching.columns, cells, strict=True)]
        joined = BETWEEN.join(parts)
        return joined if all(parts) and "\0" not in joined else ""

    return key


def check_matching(matching: Matching, columns: Sequence[str], places: Mapping[str, int]) -> None:
    """Raise `NothingConcluded` unless a file has these columns of the key."""
    missing = next((column for column in columns if column not in places), None)
    if missing is not None:
        raise NothingConcluded(
            f"no heading is {missing}, by which --match {matching.name} finds people: say which one is, in a file that "
            f"--map names, or match by another of {', '.join(MATCHINGS)}"
        )

"""The columns of a participant, each once: tables, views, comments and the publication are made from this list.

To add one: its line in `projections/participants/fields.py`, its row here, with the revision that `alembic revision`
makes for it, and an example.
"""

import re
from textwrap import fill
from typing import NamedTuple

from alembic import op

BASELINE = "0003_roster"  # the revision of the first release's columns, whose rows never change


class Column(NamedTuple):
    """A column, its comment, whether only `rosterlog_reporting_pii` may see it, and the revision that brought it."""

    name: str
    type: str
    meaning: str
    is_personal: bool = False
    since: str = BASELINE


COLUMNS = (
    Column("event_id", 'text collate "C"', "The event they are in."),
    Column("event_name", "text", "Its name, as this participant's delivery has it; reporting.events has the newest."),
    Column("sub_event_id", 'text collate "C"', "The race or category within the event."),
    Column("sub_event_name", "text", "Its name, as this participant's delivery has it."),
    Column("athlete_id", 'text collate "C"', "The person, who may be in several events."),
    Column("status", "text", "What Movemint calls the state of the registration; its values are not published."),
    Column("first_name", "text", "First name."),
    Column("last_name", "text", "Last name."),
    Column("email", "text", "E-mail address.", is_personal=True),
    Column("phone", "text", "Phone number as it came.", is_personal=True),
    Column("bib", "text", "Start number, a text; null until one is assigned."),
    Column("gender", "text", "As Movemint says it: a word, a letter or a number."),
    Column("dob", "date", "Date of birth; see age_band.", is_personal=True),
    Column("age", "integer", "Age in years where Movemint says it; see age_band.", is_personal=True),
    Column("team", "text", "Name of the team."),
    Column("wave", "text", "Start wave."),
    Column("city", "text", "City of the address.", is_personal=True),
    Column("state", "text", "State or region of the address."),
    Column("country", "text", "Country of the address."),
    Column("zip_code", "text", "Postal code.", is_personal=True),
    Column("checked_in_at", "timestamptz", "When they checked in; null if they have not, or nobody told."),
    Column("registered_at", "timestamptz", "When they registered, as Movemint says."),
    Column("updated_at", "timestamptz", "When Movemint last changed the participant, as it says itself."),
)

_PERSONAL = " Personal: null without rosterlog_reporting_pii."
_PLAIN = "{0}{1}"
_MASKED = "case when (select reporting.sees_personal_data()) then {0}{1} end as {1}"
_PLACE = re.compile(r"\{(?:(?P<table>\w+)\.)?(?P<added>added_)?(?P<form>columns|masked|not_personal)\}")


def definitions(since: str, *, personal: bool = True) -> str:
    """What `create table` says of the columns that came with a revision."""
    came = (column for column in COLUMNS if column.since == since and (personal or not column.is_personal))
    return ",\n  ".join(f"{column.name} {column.type}" for column in came)


def add_columns(revision: str) -> None:
    """Add the columns that come with this revision to the tables that have a participant's columns."""
    for column in COLUMNS:
        if column.since == revision:
            for table in ("participants_build", "participant_history_build", "published_participants"):
                if table != "published_participants" or not column.is_personal:
                    op.execute(f"alter table {table} add column {column.name} {column.type}")


def filled(sql: str) -> str:
    """An object's SQL with the columns in their places.

    `{p.columns}`: the columns of the first release, of the table `p`. `{p.masked}`: likewise, the personal ones only
    for those who may see them. `{p.not_personal}`: without those. `{p.added_columns}` and so on: what came later, each
    after a comma, at a view's end, since only there a view can grow. `{comments}`: what each column means.
    """
    return _PLACE.sub(_columns, sql).replace("{comments}", "\n".join(map(_comment, COLUMNS)))


def _columns(place: re.Match[str]) -> str:
    prefix = f"{place['table']}." if place["table"] else ""
    shown = [
        column
        for column in sorted(COLUMNS, key=lambda column: column.since)
        if (column.since != BASELINE) == bool(place["added"])
        and not (column.is_personal and place["form"] == "not_personal")
    ]
    personal = _MASKED if place["form"] == "masked" else _PLAIN
    texts = [(personal if column.is_personal else _PLAIN).format(prefix, column.name) for column in shown]
    if place["added"]:
        return "".join(f", {text}" for text in texts)
    line = place.string[place.string.rfind("\n", 0, place.start()) + 1 :]
    return fill(", ".join(texts), 110, subsequent_indent=" " * (len(line) - len(line.lstrip(" "))))


def _comment(column: Column) -> str:
    meaning = (column.meaning + (_PERSONAL if column.is_personal else "")).replace("'", "''")
    return f"comment on column reporting.participants.{column.name} is '{meaning}';"

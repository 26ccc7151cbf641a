"""The columns of a participant, each once: tables, views, comments and the publication are made from this list.

To add a column: a line in `projections/participants/fields.py`, a row here with the revision that `alembic revision`
makes, and an example.
"""

import re
from textwrap import fill
from typing import NamedTuple

from alembic import op

BASELINE = "0003_roster"  # the revision of the first release's columns, whose rows never change


class Column(NamedTuple):
    """A column, its comment, whether only `rosterlog_reporting_pii` may see it, and the revision that added it."""

    name: str
    type: str
    meaning: str
    is_personal: bool = False
    since: str = BASELINE


COLUMNS = (
    Column("event_id", 'text collate "C"', "The event that the participant is in."),
    Column("event_name", "text", "Name of the event in the participant's delivery; reporting.events has the newest."),
    Column("sub_event_id", 'text collate "C"', "The race or category within the event."),
    Column("sub_event_name", "text", "Name of the race or category in the participant's delivery."),
    Column("athlete_id", 'text collate "C"', "The person, who may be in several events."),
    Column("status", "text", "State of the registration in Movemint's words, of which Movemint publishes no list."),
    Column("first_name", "text", "First name."),
    Column("last_name", "text", "Last name."),
    Column("email", "text", "E-mail address.", is_personal=True),
    Column("phone", "text", "Phone number as Movemint sent it.", is_personal=True),
    Column("bib", "text", "Start number, a text; null until one is assigned."),
    Column("gender", "text", "Gender as Movemint sent it: a word, a letter or a number."),
    Column("dob", "date", "Date of birth; see age_band.", is_personal=True),
    Column("age", "integer", "Age in years, if Movemint says it; see age_band.", is_personal=True),
    Column("team", "text", "Name of the team."),
    Column("wave", "text", "Start wave."),
    Column("city", "text", "City of the address.", is_personal=True),
    Column("state", "text", "State or region of the address."),
    Column("country", "text", "Country of the address."),
    Column("zip_code", "text", "Postal code.", is_personal=True),
    Column("checked_in_at", "timestamptz", "When the participant checked in; null if not yet, or not known."),
    Column("registered_at", "timestamptz", "When the participant registered, as Movemint says."),
    Column("updated_at", "timestamptz", "When Movemint last changed the participant, as Movemint says."),
)

_PERSONAL = " Personal: null without rosterlog_reporting_pii."
_PLAIN = "{0}{1}"
_MASKED = "case when (select reporting.sees_personal_data()) then {0}{1} end as {1}"
# Joined with participants as `p`: the day of which their age is, and what day that is.
_COUNTED = """\
left join reporting.calendar c on c.event_id = p.event_id
cross join lateral (
  select
    coalesce(c.starts_on, public.local_day(
      coalesce(p.registered_at, p.received_at),
      coalesce(c.changes, (select o.changes from reporting.calendar o where o.event_id is null)),
      coalesce(c.offsets, (select o.offsets from reporting.calendar o where o.event_id is null))
    )),
    case when c.starts_on is null then 'registration' else 'race day' end
) as counted (day, basis)"""
_PLACE = re.compile(r"\{(?:(?P<table>\w+)\.)?(?P<added>added_)?(?P<form>columns|masked|not_personal)\}")


def definitions(since: str, *, personal: bool = True) -> str:
    """The column definitions of `create table` for the columns that a revision added."""
    added = (column for column in COLUMNS if column.since == since and (personal or not column.is_personal))
    return ",\n  ".join(f"{column.name} {column.type}" for column in added)


def add_columns(revision: str) -> None:
    """Add the columns of this revision to the tables that have a participant's columns. Raises if there is none."""
    added = [column for column in COLUMNS if column.since == revision]
    if not added:
        raise ValueError(f"no row of migrations/columns.py has since={revision!r}: add it, or write the version")
    for column in added:
        for table in ("participants_build", "participant_history_build", "published_participants"):
            if table != "published_participants" or not column.is_personal:
                op.execute(f"alter table {table} add column {column.name} {column.type}")


def filled(sql: str) -> str:
    """The SQL of a function or view with the participant's columns in their places.

    `{p.columns}`: the columns of the first release, of the table `p`. `{p.masked}`: the same, the personal columns null
    for roles that may not see them. `{p.not_personal}`: the same without the personal columns. `{p.added_columns}` and
    so on: the columns added later, each after a comma; they stand at the end of a view, since PostgreSQL adds columns
    to a view only there. `{comments}`: the comment on each column. `{counted}`: the day of which an age is.
    """
    filled_in = _PLACE.sub(_columns, sql).replace("{counted}", _COUNTED)
    return filled_in.replace("{comments}", "\n".join(map(_comment, COLUMNS)))


def _columns(place: re.Match[str]) -> str:
    prefix = f"{place['table']}." if place["table"] else ""
    shown = [
        column
        for column in sorted(COLUMNS, key=lambda column: column.since)
        if (column.since != BASELINE) == bool(place["added"])
        and not (column.is_personal and place["form"] == "not_personal")
    ]
    personal_form = _MASKED if place["form"] == "masked" else _PLAIN
    texts = [(personal_form if column.is_personal else _PLAIN).format(prefix, column.name) for column in shown]
    if place["added"]:
        return "".join(f", {text}" for text in texts)
    line = place.string[place.string.rfind("\n", 0, place.start()) + 1 :]
    return fill(", ".join(texts), 110, subsequent_indent=" " * (len(line) - len(line.lstrip(" "))))


def _comment(column: Column) -> str:
    meaning = (column.meaning + (_PERSONAL if column.is_personal else "")).replace("'", "''")
    return f"comment on column reporting.participants.{column.name} is '{meaning}';"

"""Declares the columns of a participant: each with its kind and the keys of `data.object` that it is read from.

Movemint's list of fields is not published. Every key but `id` is a guess, and only `id` is required. To read other
keys, name them in the file of `ROSTERLOG_FIELDS` and rebuild. The same file says in which zone the days of a race are.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from ingest.failures import WrongUsage
from ingest.time_zone import UTC_ZONE, TimeZone
from projections.folding.calendar import UTC_CALENDAR, Calendar
from projections.participants.declared_races import EVENTS, WrongRaces, read_races


class Kind(Enum):
    """How a value is converted. Ids are text: 12 and "12" are the same id."""

    ID = "id"
    TEXT = "text"
    INTEGER = "integer"
    DATE = "date"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Field:
    """A column. Its value is that of the first key whose value converts; a dot in a key goes into an object.

    `is_personal`: hidden from readers without the right to personal data.
    """

    column: str
    kind: Kind
    keys: tuple[str, ...]
    is_personal: bool = False


@dataclass(frozen=True, slots=True)
class Fields:
    """What the fold reads: the columns, the keys that answers may be under, and in which zone days are.

    `forms`: those of the keys of answers that may have the form that everybody got, with what could be chosen.
    """

    columns: tuple[Field, ...]
    answers: tuple[str, ...]
    calendar: Calendar = UTC_CALENDAR
    forms: tuple[str, ...] = ()

    @property
    def keys(self) -> dict[str, tuple[str, ...]]:
        """The keys by column, and those of the answers under `answers`."""
        return {**{field.column: field.keys for field in self.columns}, ANSWERS: self.answers}


class FieldsError(WrongUsage):
    """The file of `ROSTERLOG_FIELDS` cannot be used; the message says what is wrong with it."""


def _field(column: str, kind: Kind = Kind.TEXT, others: tuple[str, ...] = (), *, is_personal: bool = False) -> Field:
    """A field whose first key is the column's own name."""
    return Field(column, kind, (column, *others), is_personal)


ANSWERS = "answers"
DECLARED = Fields(
    (
        _field("event_id", Kind.ID, ("event.id",)),
        _field("event_name", others=("event.name", "event.title")),
        _field("sub_event_id", Kind.ID, ("sub_event.id",)),
        _field("sub_event_name", others=("sub_event.name", "sub_event.title")),
        _field("athlete_id", Kind.ID, ("athlete.id",)),
        _field("status", others=("registration_status", "status.name")),
        _field("first_name", others=("athlete.first_name",)),
        _field("last_name", others=("athlete.last_name",)),
        _field("email", others=("email_address", "athlete.email"), is_personal=True),
        _field("phone", others=("phone_number", "athlete.phone"), is_personal=True),
        _field("bib", others=("bib_number",)),
        _field("gender", others=("gender_identity", "gender_name", "gender.name", "athlete.gender_identity")),
        _field("dob", Kind.DATE, ("date_of_birth", "birth_date", "athlete.dob"), is_personal=True),
        _field("age", Kind.INTEGER, is_personal=True),
        _field("team", others=("team_name", "team.name")),
        _field("wave", others=("wave_name", "wave.name")),
        _field("city", others=("address.city",), is_personal=True),
        _field("state", others=("address.state",)),
        _field("country", others=("country.name", "country.code", "address.country")),
        _field("zip_code", others=("postal_code", "address.zip_code", "address.postal_code"), is_personal=True),
        _field("checked_in_at", Kind.TIME),
        _field("registered_at", Kind.TIME, ("created_at",)),
        _field("updated_at", Kind.TIME),
    ),
    (ANSWERS, "question_answers", "custom_answers", "custom_questions", "questions", "custom_fields"),
    forms=("custom_questions", "questions"),
)
COLUMN_NAMES = tuple(field.column for field in DECLARED.columns)


def read_fields(path: Path | None, zone: TimeZone = UTC_ZONE) -> Fields:
    """The declared fields, with the keys that the user's TOML file names instead. Raises `FieldsError`.

    `bib = "race_number"` or `bib = ["race_number", "athlete.number"]` replaces all keys of the column. `zone`: of the
    days of every race for which the file names no other, under `[events."501"]`.
    """
    if path is None:
        return replace(DECLARED, calendar=Calendar(zone))
    try:
        from_file = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FieldsError(f"ROSTERLOG_FIELDS: {path} cannot be read: {error.strerror}") from None
    except ValueError as error:  # of TOML or of UTF-8
        raise FieldsError(f"ROSTERLOG_FIELDS: {path} is not TOML: {error}") from None
    try:
        calendar = Calendar(zone, read_races(from_file.pop(EVENTS, {}), zone))
    except WrongRaces as error:
        raise FieldsError(f"ROSTERLOG_FIELDS: {error}") from None
    return replace(_with_keys(from_file), calendar=calendar)


def _with_keys(from_file: Mapping[str, object]) -> Fields:
    unknown = sorted(set(from_file) - set(DECLARED.keys))
    if unknown:
        raise FieldsError(
            f"ROSTERLOG_FIELDS: {unknown[0]!r} is no column; the columns are {', '.join(DECLARED.keys)}; races are "
            f'under [{EVENTS}."501"]'
        )
    keys = {**DECLARED.keys, **{column: _keys(column, value) for column, value in from_file.items()}}
    columns = tuple(replace(field, keys=keys[field.column]) for field in DECLARED.columns)
    # Whoever names a key says that answers are there.
    return Fields(columns, keys[ANSWERS], forms=() if ANSWERS in from_file else DECLARED.forms)


def _first_of_list(key: str) -> str:
    return re.sub(r"\[[^\]]*\]?|\.\*", ".0", key)


def _keys(column: str, value: object) -> tuple[str, ...]:
    keys = [value] if isinstance(value, str) else value
    if not isinstance(keys, list) or not keys:
        keys = [None]
    through_list = next(
        (key for key in keys if isinstance(key, str) and ("[" in key or "*" in key.split(".")[1:])), None
    )
    if through_list is not None:
        raise FieldsError(
            f"ROSTERLOG_FIELDS: {column} = {through_list!r} goes through a list, which may have many values: name the "
            f"place of one, such as {_first_of_list(through_list)!r} for the first"
        )
    usable = tuple(key for key in keys if isinstance(key, str) and all(key.split(".")))
    if len(usable) != len(keys):
        raise FieldsError(
            f'ROSTERLOG_FIELDS: {column} takes a key such as "race_number", or a list of keys; a dot goes deeper'
        )
    return usable

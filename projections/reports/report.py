"""Reads and runs the ready reports: what each answers, its parameters, its rows."""

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from typing import Any

from sqlalchemy import Connection, text

from projections.roster.export.titles import titles_of

_SQL = ".sql"
_PARAMETER = re.compile(r"(\w+) (text|texts|integer|date)(?: with (\w+))?: (.+)")
_LARGEST_NUMBER = 1_000_000
_SPREAD = "columns"


class WrongParameter(Exception):
    """A report has no such parameter, or the value is not of its kind; the message says what the report takes."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a report: `kind` is text, texts, integer or date; SQL sees null if it is left out.

    `companion`: the parameter that must be given with it, or None.
    """

    name: str
    kind: str
    companion: str | None
    meaning: str


@dataclass(frozen=True, slots=True)
class Report:
    """A ready report: what it answers, in one sentence, its parameters, and its SQL, which also binds `:source`."""

    name: str
    answers: str
    parameters: tuple[Parameter, ...]
    sql: str


@dataclass(frozen=True, slots=True)
class ReportRows:
    """The result of a report: the names of its columns, and its rows. `unknown`: questions that nobody was asked."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]
    unknown: tuple[str, ...] = ()


def reports() -> dict[str, Report]:
    """Every ready report by its name, in the order of names."""
    paths = files(__package__).iterdir()
    names = sorted(path.name.removesuffix(_SQL) for path in paths if path.name.endswith(_SQL))
    return {name: _read(name) for name in names}


def values_of(report: Report, texts: Mapping[str, str]) -> dict[str, object]:
    """The values of all parameters of a report, by name, read from texts. Raises `WrongParameter`."""
    known = {parameter.name: parameter for parameter in report.parameters}
    for name in texts:
        if name not in known:
            takes = ", ".join(known) or "no parameters"
            raise WrongParameter(f"{report.name} has no parameter {name}; it takes {takes}")
        companion = known[name].companion
        if companion is not None and companion not in texts:
            raise WrongParameter(f"{name} belongs to {companion}, which is not given")
    return {name: _value(parameter, texts.get(name)) for name, parameter in known.items()}


def run_report(connection: Connection, report: Report, source: str, values: Mapping[str, object]) -> ReportRows:
    """Run a report about one source, with the values that `values_of` gave."""
    result = connection.execute(text(report.sql), {**values, "source": source})
    return _spread(tuple(result.keys()), result.all())


def _spread(names: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> ReportRows:
    """The rows with their last column, if it is `columns`, as a column per question: its lists are of the same ones."""
    if names[-1] != _SPREAD:
        return ReportRows(names, rows)
    names = names[:-1]
    listed = next((row[-1] or [] for row in rows), [])
    asked = [(each["question"], each["question_id"]) for each in listed if each["question"] is not None]
    unknown = tuple(each["question_id"] for each in listed if each["question"] is None)
    spread = [(*row[:-1], *(each["answer"] for each in row[-1] or [] if each["question"] is not None)) for row in rows]
    return ReportRows((*names, *titles_of(asked, names)), spread, unknown)


def _read(name: str) -> Report:
    """Read a report. Its heading: what it answers, in one line, perhaps more lines, an empty line, the parameters."""
    sql = files(__package__).joinpath(name + _SQL).read_text(encoding="utf-8")
    heading = [line.removeprefix("--").strip() for line in sql.split("\nwith ", 1)[0].splitlines()]
    matches = [_PARAMETER.fullmatch(line) for line in heading[heading.index("") + 1 :]]
    parameters = tuple(Parameter(*match.groups()) for match in matches if match is not None)
    return Report(name, heading[0], parameters, sql)


def _value(parameter: Parameter, value: str | None) -> object:
    return None if value is None else _KINDS[parameter.kind](parameter.name, value)


def _text(name: str, value: str) -> str:
    if "\x00" in value:
        raise WrongParameter(f"{name} takes a text without NUL characters")
    if not value:
        raise WrongParameter(f"{name} is empty: leave it out, or give it a value")
    return value


def _texts(name: str, value: str) -> list[str]:
    try:
        [values] = csv.reader([_text(name, value)], strict=True, skipinitialspace=True)
    except (csv.Error, ValueError):
        raise WrongParameter(f"{name} takes texts with commas between; put one with a comma in double quotes") from None
    return [value for value in values if value]


def _integer(name: str, value: str) -> int:
    if not value.isascii() or not value.isdecimal() or int(value[:20]) > _LARGEST_NUMBER:
        raise WrongParameter(f"{name} takes a whole number up to {_LARGEST_NUMBER} such as 14, not {value!r}")
    return int(value)


def _date(name: str, value: str) -> date:
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        with suppress(ValueError):
            return date.fromisoformat(value)
    raise WrongParameter(f"{name} takes a date such as 2026-05-31, not {value!r}")


_KINDS: dict[str, Callable[[str, str], object]] = {"text": _text, "texts": _texts, "integer": _integer, "date": _date}

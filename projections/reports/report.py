"""Reads the ready questions and asks them: what each answers, what it takes, its rows."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from typing import Any

from sqlalchemy import Connection, text

_SQL = ".sql"
_PARAMETER = re.compile(r"(\w+) (text|integer|date)(?: with (\w+))?: (.+)")
_MOST_NUMBER = 1_000_000


class WrongParameter(Exception):
    """A parameter that a report does not take, or a value that is none of its kind; the message says what it takes."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a report can be told: `kind` is text, integer or date; left out, it is null.

    `companion`: the parameter without which it means nothing; null: none.
    """

    name: str
    kind: str
    companion: str | None
    meaning: str


@dataclass(frozen=True, slots=True)
class Report:
    """A ready question: what it answers, in a sentence, and its SQL, in which `:source` is always bound."""

    name: str
    answers: str
    parameters: tuple[Parameter, ...]
    sql: str


@dataclass(frozen=True, slots=True)
class ReportRows:
    """The answer: the names of its columns, and its rows."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[Any]]


def reports() -> dict[str, Report]:
    """Every ready question by its name, in the order of names."""
    found = sorted(file.name for file in files(__package__).iterdir() if file.name.endswith(_SQL))
    return {name.removesuffix(_SQL): _read(name.removesuffix(_SQL)) for name in found}


def values_of(report: Report, given: Mapping[str, str]) -> dict[str, object]:
    """The values of all of a report's parameters. Raises `WrongParameter`."""
    known = {parameter.name: parameter for parameter in report.parameters}
    for name in given:
        if name not in known:
            takes = ", ".join(known) or "no parameters"
            raise WrongParameter(f"{report.name} has no parameter {name}; it takes {takes}")
        companion = known[name].companion
        if companion is not None and companion not in given:
            raise WrongParameter(f"{name} belongs to {companion}, which is not given")
    return {name: _value(parameter, given.get(name)) for name, parameter in known.items()}


def run_report(connection: Connection, report: Report, source: str, values: Mapping[str, object]) -> ReportRows:
    """The answer about one source, with the values of `values_of`."""
    found = connection.execute(text(report.sql), {**values, "source": source})
    return ReportRows(tuple(found.keys()), found.all())


def _read(name: str) -> Report:
    """The heading: a line that says what it answers, perhaps more, an empty one, parameters."""
    sql = files(__package__).joinpath(name + _SQL).read_text(encoding="utf-8")
    heading = [line.removeprefix("--").strip() for line in sql.split("\nwith ", 1)[0].splitlines()]
    divide = heading.index("")
    parameters = [_PARAMETER.fullmatch(line) for line in heading[divide + 1 :]]
    found = tuple(Parameter(*match.groups()) for match in parameters if match is not None)
    return Report(name, heading[0], found, sql)


def _value(parameter: Parameter, given: str | None) -> object:
    return None if given is None else _KINDS[parameter.kind](parameter.name, given)


def _text(name: str, given: str) -> str:
    if "\x00" in given:
        raise WrongParameter(f"{name} takes a text without NUL characters")
    if not given:
        raise WrongParameter(f"{name} is empty: leave it out, or give it a value")
    return given


def _integer(name: str, given: str) -> int:
    if not given.isascii() or not given.isdecimal() or int(given[:20]) > _MOST_NUMBER:
        raise WrongParameter(f"{name} takes a whole number up to 1000000 such as 14, not {given!r}")
    return int(given)


def _date(name: str, given: str) -> date:
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", given, re.ASCII):
        with suppress(ValueError):
            return date.fromisoformat(given)
    raise WrongParameter(f"{name} takes a date such as 2026-05-31, not {given!r}")


_KINDS: dict[str, Callable[[str, str], object]] = {"text": _text, "integer": _integer, "date": _date}

"""What the roster must show after hostile bodies: an independent reading of each, by the standard library alone."""

import fractions
import json
import math
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from tests.roster_model import REGISTERED, Person, Roster

LONGEST = 255


class Unreadable(Exception):
    """The body is none that could be folded."""


def roster(bodies: Iterable[bytes]) -> Roster:
    """Fold bodies in their order."""
    folded = Roster(passed=Counter())
    for position, body in enumerate(bodies, 1):
        try:
            type_, seen = read(body)
        except Unreadable:
            folded.parked.add(position)
            continue
        if type_ != REGISTERED:
            folded.passed[type_] += 1
            continue
        take(folded, position, seen)
    return folded


def take(folded: Roster, position: int, seen: dict[str, Any]) -> None:
    id_ = name(seen.get("id"))
    if id_ is None:
        folded.parked.add(position)
        return
    before = folded.people.get(id_)
    if before is None:
        folded.people[id_] = Person(position, position, seen)
    elif json.dumps(seen) == json.dumps(before.seen):
        return  # the state goes on
    elif is_newer(moment(seen), moment(before.seen)):
        before.past.append((before.position, position))
        before.position, before.seen = position, seen


def read(body: bytes) -> tuple[str, dict[str, Any]]:
    """The type, and the participant if it is of the type that is folded."""
    document = parsed(body)
    type_ = name(document.get("type")) if isinstance(document, dict) else None
    if type_ is None or isinstance(document.get("type"), int | float):
        raise Unreadable
    if type_ != REGISTERED:
        return type_, {}
    data = document.get("data")
    seen = data.get("object") if isinstance(data, dict) else None
    if not isinstance(seen, dict):
        raise Unreadable
    return type_, seen


class Fraction(float):
    """A number as it was written: with a point, an exponent or both."""

    def __init__(self, written: str) -> None:
        self.written = written

    def __str__(self) -> str:
        whole, _, rest = self.written.partition(".")
        return whole if set(rest) <= {"0"} else self.written


def parsed(body: bytes) -> Any:  # noqa: ANN401 - any JSON
    # What is left out of a large body is not looked at, so that its bytes need not be UTF-8.
    text = body.decode("utf-8", "replace" if len(body) > 262_144 else "strict") if is_text(body) else ""
    try:
        document = json.loads(text, parse_constant=refuse, parse_float=Fraction, parse_int=whole)
        json.dumps(document, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError):
        raise Unreadable from None
    if levels(document) > 500:
        raise Unreadable
    return document


def is_text(body: bytes) -> bool:
    try:
        body.decode()
    except ValueError:
        return len(body) > 262_144
    return True


def whole(digits: str) -> float:
    """Python reads no integer of more than 4,300 digits."""
    return int(digits) if len(digits) <= 4_300 else Fraction(digits)


def refuse(constant: str) -> None:
    raise ValueError(constant)


def levels(value: object) -> int:
    """How many lists and objects are in each other."""
    number, layer = 0, [value]
    while layer := [container for container in layer if isinstance(container, dict | list)]:
        number += 1
        layer = [
            item for container in layer for item in (container.values() if isinstance(container, dict) else container)
        ]
    return number


def name(value: object) -> str | None:
    """A type or an id as text."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**LONGEST:
        return str(value)
    if isinstance(value, Fraction) and value.is_integer():
        exact = fractions.Fraction(value.written)
        value = str(exact.numerator) if exact.denominator == 1 else None
    return value if isinstance(value, str) and 0 < len(value) <= LONGEST and "\0" not in value else None


def moment(seen: dict[str, Any]) -> datetime | None:
    value = seen.get("updated_at")
    if not isinstance(value, str) or value[4:5] != "-" or value[7:8] != "-" or value[11:13] == "24":
        return None
    if value[10:11] not in {"", "T", "t", " "}:
        return None
    try:
        time = datetime.fromisoformat(value)
        time = (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return None if time.year in (1, 9999) else time  # which stand for no time


def is_newer(new: datetime | None, old: datetime | None) -> bool:
    return new is None or old is None or new >= old


def first_name(seen: dict[str, Any]) -> str | None:
    athlete = seen.get("athlete")
    for value in (seen.get("first_name"), athlete.get("first_name") if isinstance(athlete, dict) else None):
        if isinstance(value, float) and not math.isfinite(value):
            continue
        if isinstance(value, str | int | float) and not isinstance(value, bool) and value != "":
            text = str(value)
            return text if "\0" not in text and len(text) <= 10_000 else None
    return None


def shallow(seen: dict[str, Any]) -> dict[str, Any]:
    """The participant without what is too deep to be kept."""
    return {key: value for key, value in seen.items() if levels(value) <= 97}


def stored(value: Any) -> Any:  # noqa: ANN401
    """The value without what PostgreSQL cannot hold."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd")
    if isinstance(value, dict):
        return {stored(key): stored(item) for key, item in value.items()}
    if isinstance(value, list):
        return [stored(item) for item in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(value)
    return value


def number(value: float) -> float | None:
    """Whole numbers too: PostgreSQL has one kind of number. None if it is a fraction too large or too small to keep."""
    if isinstance(value, int):
        return float(value) if abs(value) < 10**300 else value
    if value == 0 and isinstance(value, Fraction) and "e" in value.written.lower():
        return None  # too small, or many digits of nothing
    return value if value == 0 or 1e-40 < abs(value) < 1e40 else None


def is_read_whole(body: bytes) -> bool:
    marks = sum(body.count(mark) for mark in (b",", b"[", b"{"))
    return len(body) <= 262_144 and marks <= 10_000 and levels(parsed(body)) <= 100

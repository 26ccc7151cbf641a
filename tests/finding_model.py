"""Questions to a roster, and their answers in plain Python over the same rows; it shares no code with the roster."""

import random
import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, date, datetime
from operator import eq, ge, gt, le, lt
from typing import Any

from hypothesis import strategies as st

from projections.roster.criteria import NEVER_EMPTY, SORTABLE
from tests import model

FIRST = [
    "Anna",
    "anna",
    "Ána",
    "Łukasz",
    "lukas",
    "Jean-Luc",
    "O'Neil",
    "O`Neil",
    "ONeil",
    "Иван",
    None,
    "Ann_a",
    "100%",
]
LAST = ["Cruz", "de la Cruz", "CRUZ", "Straße", "Strasse", "Øster", None, "Zoë", "zoe", "Ng"]
BIBS = ["9", "10", "010", "A7", "a7", "A10", "12A", None, "107"]
TEAMS = ["Night Owls", "night owls", "Café", None]
TIMES = ["2026-03-01T10:00:00Z", "2026-03-01T10:00:00.5Z", "2026-04-01T00:00:00+02:00", None]
SHIRTS = ["S", "M", "XL"]
SEARCHES = [
    "ann",
    "ann - cruz",
    "ANNA cruz",
    "luk",
    "ст",
    "ив",
    "owl ni",
    "p1",
    "strasse",
    "jean-luc",
    "9",
    "s@",
    "o'n",
    "O’neil",
    "oneil",
    "p1@ ann",
    "100%",
    "p1 cruz",
    "p12 p1",
    "cruz shared ann",
]
MOMENTS = [
    datetime.fromisoformat(moment).replace(tzinfo=UTC) for moment in ("2026-03-01T10:00:00", "2026-03-31T22:00:00")
]


def people(seed: int = 5) -> list[bytes]:
    random_ = random.Random(seed)
    bodies = []
    for number in range(150):
        choose = random_.choice
        bodies.append(
            model.body(
                number * 7 % 150, event_id=choose([1, 2, 3, None]), first_name=choose(FIRST), last_name=choose(LAST),
                email=choose([f"P{number}@example.org", "shared@example.org", None]), bib=choose(BIBS),
                team=choose(TEAMS), status=choose(["active", "deferred", None]),
                dob=choose(["1990-05-06", "2001-01-01", None]), age=choose([17, 18, 70, None]),
                created_at=choose(TIMES), updated_at=choose(TIMES), checked_in_at=choose([*TIMES, None, None]),
                sub_event={"id": 7, "name": choose(["10 km", "Marathon", "marathon"])},
                answers=[{"question": "Shirt size", "answer": choose(SHIRTS)}] if choose([True, False]) else [],
            )
        )  # fmt: skip
    return bodies


VALUES: dict[str, list[Any]] = {
    "participant_id": ["0", "7", "35", "149"],
    "event_id": ["1", "2", "3"],
    "first_name": [name for name in FIRST if name],
    "last_name": [name for name in LAST if name],
    "email": ["P7@example.org", "shared@example.org", "p7@example.org"],
    "bib": [bib for bib in BIBS if bib],
    "team": [team for team in TEAMS if team],
    "status": ["active", "deferred"],
    "dob": [date(1990, 5, 6), date(2001, 1, 1), date(1995, 1, 1)],
    "age": [17, 18, 70, 2**40],
    "registered_at": MOMENTS,
    "updated_at": MOMENTS,
    "first_position": [1, 75, 150],
    "position": [1, 75, 150],
}
Test = Callable[[dict[str, Any]], bool]


@st.composite
def parameters(draw: st.DrawFn) -> tuple[str, str, Test]:
    """A name, its value as it is sent, and what it means as a test of a row."""
    if draw(st.integers(0, 9)) == 0:
        by_key: tuple[str, str, Test] = draw(st.one_of(same_key(), bibs_by_number()))
        return by_key
    column = draw(st.sampled_from(list(VALUES)))
    values = VALUES[column]
    operators = ["", "ne", "in", *(["startswith"] if isinstance(values[0], str) else ["lt", "lte", "gt", "gte"])]
    operator = draw(st.sampled_from(operators if column in NEVER_EMPTY else [*operators, "isnull"]))
    name = f"{column}__{operator}" if operator else column
    if operator == "isnull":
        wanted = draw(st.booleans())
        return name, str(wanted).lower(), lambda row: (row[column] is None) == wanted
    if operator == "in":
        several = draw(st.lists(st.sampled_from(values), min_size=1, max_size=3))
        sent = ",".join(f'"{shown(value)}"' for value in several)
        return name, sent, lambda row: row[column] in several
    value = draw(st.sampled_from(values))
    if operator == "startswith":
        value = value[: draw(st.integers(1, 3))]
    tests: dict[str, Callable[[Any], bool]] = {
        "": lambda has: has == value,
        "ne": lambda has: has != value,
        "startswith": lambda has: has is not None and has.startswith(value),
        "lt": lambda has: has is not None and has < value,
        "lte": lambda has: has is not None and has <= value,
        "gt": lambda has: has is not None and has > value,
        "gte": lambda has: has is not None and has >= value,
    }
    return name, shown(value), lambda row: tests[operator](row[column])


@st.composite
def same_key(draw: st.DrawFn) -> tuple[str, str, Test]:
    column = draw(st.sampled_from(["first_name", "last_name", "email", "team"]))
    value: str = draw(st.sampled_from(VALUES[column]))
    return f"{column}__iexact", value, lambda row: row[column] is not None and plain(row[column]) == plain(value)


@st.composite
def bibs_by_number(draw: st.DrawFn) -> tuple[str, str, Test]:
    value = draw(st.sampled_from([-1, 9, 10, 100, 107, 2**62]))
    operator, compare = draw(st.sampled_from([("number", eq), ("lt", lt), ("lte", le), ("gt", gt), ("gte", ge)]))

    def test(row: dict[str, Any]) -> bool:
        return row["bib"] is not None and row["bib"].isdigit() and compare(int(row["bib"]), value)

    return f"bib__{operator}", str(value), test


@st.composite
def sorts(draw: st.DrawFn) -> list[str]:
    columns = draw(st.lists(st.sampled_from(SORTABLE), max_size=3, unique=True))
    return [draw(st.sampled_from(["", "-"])) + column for column in columns]


def shown(value: object) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


def plain(value: str) -> str:
    """A text without case and accents, its apostrophes alike."""
    bare = "".join(
        letter for letter in unicodedata.normalize("NFKD", value) if not unicodedata.category(letter).startswith("M")
    ).casefold()
    return bare.translate(str.maketrans("łø`‘’ʼ", "lo" + 4 * "'"))


def words(value: str) -> list[str]:
    """The words between blanks and punctuation."""
    return "".join(letter if letter.isalnum() else " " for letter in plain(value)).split()


def is_found(row: dict[str, Any], asked: str) -> bool:
    names = [plain(row[name] or "") for name in ("first_name", "last_name", "bib", "team")]
    has = {word for name in names for word in words(name) + words(name.replace("'", ""))}

    def begins(starts: list[str]) -> bool:
        return all(any(word.startswith(start) for word in has) for start in starts)

    def fits(word: str) -> bool:
        in_names = "@" not in word and (begins(words(word)) or begins(words(word.replace("'", ""))))
        return in_names or plain(row["email"] or "").startswith(word)

    return all(fits(word) for word in plain(asked).split() if words(word))


def bib_key(bib: str) -> list[tuple[int, int | str]]:
    """Numbers by their value, before letters."""
    parts = re.findall(r"[0-9]+|[^0-9]", plain(bib))
    return [(0, int(part)) if part.isdigit() else (1, part) for part in parts]


def key(row: dict[str, Any], column: str) -> Any:  # noqa: ANN401 - of any kind
    value = row[column]
    if value is not None and column in ("last_name", "first_name", "email", "team", "status", "sub_event_name"):
        return plain(value)
    return bib_key(value) if value is not None and column == "bib" else value


def in_order(rows: list[dict[str, Any]], sort: list[str]) -> list[str]:
    """The ids of rows, by each column in turn; empty values last, ids the way of the first column."""
    ordered = sorted(rows, key=lambda row: row["participant_id"], reverse=bool(sort) and sort[0].startswith("-"))
    for column in reversed(sort):
        name = column.removeprefix("-")
        there = [row for row in ordered if row[name] is not None]
        there.sort(key=lambda row: key(row, name), reverse=column.startswith("-"))
        ordered = [*there, *(row for row in ordered if row[name] is None)]
    return [row["participant_id"] for row in ordered]

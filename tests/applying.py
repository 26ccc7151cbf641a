"""Writing down what a file lists, for tests."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from projections.participants.fields import DECLARED, Fields
from projections.truth.absence import DirectAnswer
from projections.truth.allowed_drift import AllowedDrift
from projections.truth.apply import AppliedLook, apply_listing
from projections.truth.comparison import FileLook
from projections.truth.listing import listing_of
from projections.truth.mapping import guessed
from projections.truth.matching import MATCHINGS
from projections.truth.roster_lines import ComparedScope
from tests import model
from tests.fold_all import query

BODIES = [
    model.body(number, event_id=501, first_name=f"n{number}", bib=str(number), shoes={"size": 15.1}).replace(
        b"15.1", b"15.10"
    )
    for number in range(1, 41)
]
Apply = Callable[..., AppliedLook]


LOOKED = (
    "match", "taken_at", "uncompared", "forms", "empties", "grace", "has_file_time", "is_of_one_time",
)  # fmt: skip


def look_at(
    path: Path,
    match: str = "id",
    taken_at: datetime | None = None,
    uncompared: tuple[str, ...] = (),
    forms: tuple[str, ...] = (),
    empties: frozenset[str] = frozenset(),
    **more: Any,  # noqa: ANN401 - as `FileLook` takes them
) -> FileLook:
    """A look at a file. `uncompared`: columns, or headings, that are not compared; without `taken_at` of now."""
    listing = listing_of(path)
    columns = guessed(listing.headings, DECLARED).columns
    columns = {name: "" if {name, column} & {*uncompared} else column for name, column in columns.items()}
    columns |= {name: "" for name in uncompared if name in listing.headings}
    return FileLook(listing, columns, MATCHINGS[match], taken_at or datetime.now(UTC), forms, empties, **more)


def apply(
    worker: Engine,
    operator: Engine,
    scope_in: Callable[[Connection], ComparedScope],
    look: FileLook,
    *allowed: str,
    meanwhile: Callable[[], object] = lambda: None,
    fields: Fields = DECLARED,
    unlisted: int = 0,
    answer: DirectAnswer | None = None,
    advance: Callable[[int], None] = lambda _number: None,
) -> AppliedLook:
    """Compare and write down. `meanwhile`: what happens between the two. `advance`: what happens after each batch."""

    @contextmanager
    def following(_people: int) -> Iterator[Callable[[int], None]]:
        meanwhile()
        yield advance

    with worker.connect().execution_options(isolation_level="REPEATABLE READ") as reading:
        return apply_listing(
            reading, operator, scope_in(reading), look, fields, AllowedDrift(frozenset(allowed), unlisted),
            lambda _difference: None, following, answer,
        )  # fmt: skip


def listing(*others: str, headings: str = "id,bib", besides: int = 40) -> str:
    """A file of these rows; of people without one, as they are."""
    named = {row.partition(",")[0] for row in others}
    return "\n".join([headings, *others, *(f"{n},{n}" for n in range(1, besides + 1) if str(n) not in named), ""])


def roster(database: str, *ids: object) -> list[tuple[Any, ...]]:
    statement = (
        "select participant_id, first_name, bib, event_id, origin from participants where participant_id = any (%s)"
    )
    return query(database, f"{statement} order by length(participant_id), participant_id", [*map(str, ids)])


def own_events(database: str) -> list[dict[str, Any]]:
    rows = query(database, "select position, subject, body from event_log where signature is null order by position")
    return [{"position": position, "subject": subject, **json.loads(body)} for position, subject, body in rows]

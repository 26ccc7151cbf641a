"""Forty people of one event, and what writes down a file about them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from projections.participants.fields import DECLARED
from projections.truth.apply import AppliedLook
from projections.truth.comparison import FileLook, scope_of
from projections.truth.listing import listing_of
from projections.truth.mapping import guessed
from projections.truth.matching import MATCHINGS
from tests import model
from tests.applying import BODIES, Apply, apply
from tests.fold_all import PARTICIPANTS, drain


@pytest.fixture
def applied(database: str, worker_engine: Engine, operator: Engine, tmp_path: Path) -> Apply:
    """Forty people of the event 501; gives what writes down a file about them."""
    model.append(database, BODIES)
    drain(worker_engine)

    def one(
        content: str,
        *events: str,
        match: str = "id",
        allowed: tuple[str, ...] = (),
        taken_at: datetime | None = None,
        uncompared: str = "",
        uncompared_headings: tuple[str, ...] = (),
        forms: tuple[str, ...] = (),
        empties: frozenset[str] = frozenset(),
        grace: timedelta = timedelta(0),
        has_file_time: bool = False,
        is_of_one_time: bool = True,
        is_of_all: bool = False,
        folds: bool = True,
        **more: Any,  # noqa: ANN401 - as `apply` takes them
    ) -> AppliedLook:
        path = tmp_path / "listed.csv"
        path.write_text(content)
        listing = listing_of(path)
        columns = {**guessed(listing.headings, DECLARED).columns}
        columns |= {heading: "" for heading, column in columns.items() if column == uncompared}
        columns |= dict.fromkeys(uncompared_headings, "")
        look = FileLook(
            listing, columns, MATCHINGS[match], taken_at or datetime.now(UTC), forms, empties, grace=grace,
            has_file_time=has_file_time, is_of_one_time=is_of_one_time,
        )  # fmt: skip
        scoped = None if is_of_all else events or ("501",)
        applied = apply(
            worker_engine, operator, lambda reading: scope_of(reading, PARTICIPANTS, "movemint", scoped),
            look, *allowed, **more,
        )  # fmt: skip
        if folds:
            drain(worker_engine)
        return applied

    return one

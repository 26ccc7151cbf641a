"""Forty people of one event, and what writes down a file about them."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from projections.truth.apply import AppliedLook
from projections.truth.comparison import scope_of
from tests import model
from tests.applying import BODIES, LOOKED, Apply, apply, look_at
from tests.fold_all import PARTICIPANTS, drain


@pytest.fixture
def applied(database: str, worker_engine: Engine, operator: Engine, tmp_path: Path) -> Apply:
    """Forty people of the event 501; gives what writes down a file about them."""
    model.append(database, BODIES)
    drain(worker_engine)

    def write_down(content: str, *events: str, is_of_all: bool = False, folds: bool = True, **more: Any) -> AppliedLook:  # noqa: ANN401
        """`more`: as `look_at` and `apply` take them."""
        path = tmp_path / "listed.csv"
        path.write_text(content)
        look = look_at(path, **{name: more.pop(name) for name in LOOKED if name in more})
        scoped = None if is_of_all else events or ("501",)
        applied = apply(
            worker_engine, operator, lambda reading: scope_of(reading, PARTICIPANTS, "movemint", scoped),
            look, *more.pop("allowed", ()), **more,
        )  # fmt: skip
        if folds:
            drain(worker_engine)
        return applied

    return write_down

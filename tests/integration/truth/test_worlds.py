"""Found is what was planted, and nothing else: seeded worlds, each with an export that drifts in its own ways.

`TESTS_WORLDS=1000` tries so many; a seed that fails is named.
"""

import os
from pathlib import Path

import pytest
from sqlalchemy import Engine

from projections.truth.conclusion import NothingConcluded
from tests.drifting_worlds import found_in, planted, world

WORLDS = int(os.environ.get("TESTS_WORLDS", "120"))
GROUPS = 4


@pytest.mark.parametrize("group", range(GROUPS))
def test_what_is_found_was_planted_and_nothing_else(
    group: int, database: str, worker_engine: Engine, operator: Engine, tmp_path: Path
) -> None:
    for seed in range(group, WORLDS, GROUPS):
        one = world(seed)
        if not one.is_usable:
            with pytest.raises(NothingConcluded):
                found_in(one, database, worker_engine, operator, tmp_path)
            continue
        found, tally = found_in(one, database, worker_engine, operator, tmp_path)
        expected = planted(one)
        assert found == expected, f"seed {seed}: too many {found - expected}, too few {expected - found}"
        if one.match == "id":  # then a row is one person
            listed = sum(number for (kind, *_), number in expected.items() if kind != "unlisted")
            unlisted_since = len(one.plan.about.get("late", ()))
            assert tally.agreeing == len(one.plan.rows) - listed + unlisted_since, f"seed {seed}"

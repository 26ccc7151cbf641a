"""Found is what was planted, over an API as over a file: seeded worlds, each in one of the styles of pages.

`TESTS_WORLDS=1000` tries so many; a seed that fails is named.
"""

import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine

from ingest.simulator.list_server import LIST_STYLES, ListManner, served_list
from projections.participants.fields import DECLARED
from projections.truth.api.listed import configured_columns
from projections.truth.comparison import FileLook, compare_listing, scope_of
from projections.truth.conclusion import NothingConcluded
from projections.truth.drift import RosterDifference
from projections.truth.matching import MATCHINGS
from tests import model
from tests.api_lists import config_in, config_text, read_all
from tests.drifting_worlds import COLUMNS, EVENTS, Found, World, fold, now_of, planted, world
from tests.erased_person import erase
from tests.fold_all import PARTICIPANTS

WORLDS = int(os.environ.get("TESTS_WORLDS", "120")) // 10


def test_what_is_found_over_an_api_was_planted_and_nothing_else(
    database: str, worker_engine: Engine, operator: Engine, tmp_path: Path
) -> None:
    usable = 0
    for seed in range(WORLDS):
        one = world(seed)
        one = replace(one, form=replace(one.form, dates=None), is_cut=False)
        if "twice" in one.plan.about:
            with pytest.raises(NothingConcluded, match="a second time"):
                found_over_api(one, database, worker_engine, operator, tmp_path)
            continue
        found = found_over_api(one, database, worker_engine, operator, tmp_path)
        expected = planted(one)
        assert found == expected, f"seed {seed}: too many {found - expected}, too few {expected - found}"
        usable += 1
    assert usable > WORLDS // 2


def found_over_api(one: World, database: str, worker: Engine, operator: Engine, folder: Path) -> Found:
    """Deliver, and read the list; what comes since is delivered with its first page."""
    source = f"world-{one.seed}"
    folder = folder / source
    folder.mkdir()
    with psycopg.connect(database, autocommit=True) as connection:

        def since() -> None:
            model.append_on(connection, [*one.plan.since], source)
            for subject in one.plan.about.get("erased", ()):
                erase(operator, subject, source)

        model.append_on(connection, [*one.plan.before], source)
        manner = ListManner(LIST_STYLES[one.seed % len(LIST_STYLES)], 7)
        taken_at = now_of(connection)
        columns = {key: COLUMNS.get(key, key) for key in one.form.keys} | {"id": "participant_id"}
        rest = "[columns]\n" + "".join(f'"{key}" = "{column}"\n' for key, column in columns.items())
        with served_list(one.plan.rows, manner, first_page=since) as server:
            config = config_in(folder, config_text(server.url, manner.style, more='total = "meta.total"', rest=rest))
            read = read_all(folder, config, now=taken_at)
    fold(worker, source)
    look = FileLook(
        read.listing, configured_columns(config, read.listing), MATCHINGS[one.match], read.taken_at, (), frozenset()
    )
    found: Found = Counter()

    def take(difference: RosterDifference) -> None:
        why = None if difference.why is None else difference.why.name
        stale = tuple(sorted(difference.columns)) if difference.kind.value == "stale" else ()
        found[difference.kind.value, difference.participant_id, stale, why] += 1

    with worker.connect().execution_options(isolation_level="REPEATABLE READ") as reading:
        compare_listing(reading, scope_of(reading, PARTICIPANTS, source, EVENTS), look, DECLARED, take)
    return found

"""What a file lists is written down: the planted values are on the roster, also after a rebuild, and once only.

`TESTS_WORLDS=1000` tries so many worlds; a seed that fails is named.
"""

import os
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import Engine

from projections.participants.fields import COLUMN_NAMES
from projections.truth.drift import DriftKind
from tests.applying import apply
from tests.drifting_worlds import (
    COLUMNS,
    Exported,
    exported,
    fold,
    found_at,
    planted,
    taken_again,
    with_hidden,
    world,
)
from tests.fold_all import PARTICIPANTS, build_anew, contents, live, query

WORLDS = int(os.environ.get("TESTS_WORLDS", "48"))
GROUPS = 3
AS_IT_SHOULD_BE = ("YOUNGER", "AHEAD", "ERASED")
EDITED = ("stale", "shown", "transferred")


@pytest.mark.parametrize("group", range(GROUPS))
def test_what_is_written_down_is_what_was_planted(
    group: int, database: str, worker_engine: Engine, operator: Engine, tmp_path: Path
) -> None:
    for seed in range(group, WORLDS, GROUPS):
        one = world(seed)
        if not one.is_usable:
            continue
        export = exported(one, database, worker_engine, operator, tmp_path)
        expected = planted(one)
        left = Counter({found: number for found, number in expected.items() if not is_written_down(found)})
        applied = apply(worker_engine, operator, export.scope, export.look(), *COLUMN_NAMES)
        fold(worker_engine, export.source)
        found, tally = found_at(export, worker_engine)
        assert found == left, f"seed {seed}: too many {found - left}, too few {left - found}"
        assert applied.agrees == tally.agrees, f"seed {seed}"
        assert applied.fates.total() == expected.total() - left.total(), f"seed {seed}"
        assert on_roster(export, database) == listed_in(export), f"seed {seed}"
        again = apply(worker_engine, operator, export.scope, export.look(), *COLUMN_NAMES)
        assert (again.fates.total(), again.position) == (0, applied.position + 1), f"seed {seed}"
        assert again.after == applied.after, f"seed {seed}"
        fold(worker_engine, export.source)
        look_again(export, database, worker_engine, operator)
    rebuilt = contents(database, PARTICIPANTS, build_anew(worker_engine, PARTICIPANTS))
    assert rebuilt == contents(database, PARTICIPANTS, live(worker_engine, PARTICIPANTS))


def look_again(export: Exported, database: str, worker_engine: Engine, operator: Engine) -> None:
    """An hour later: who was hidden is gone, unless rows of nobody known could be them; and another hour later back."""
    seed = f"seed {export.world.seed}"
    later = taken_again(export)
    before, _ = found_at(later, worker_engine)
    is_clear = not any(id_ is None or why == "AMBIGUOUS" for _, id_, _, why in before)
    hidden = sorted(export.world.plan.about.get("hidden", ())) if is_clear else []
    apply(worker_engine, operator, later.scope, later.look(), *COLUMN_NAMES, unlisted=len(hidden))
    fold(worker_engine, export.source)
    gone = "select participant_id from participants where source = %s and unlisted_at is not null order by 1"
    assert [id_ for (id_,) in query(database, gone, export.source)] == hidden, seed
    left, tally = found_at(later, worker_engine)
    assert (tally.written_down, tally.kinds[DriftKind.UNLISTED] if is_clear else 0) == (len(hidden), 0), seed
    assert tally.agrees == all(why in AS_IT_SHOULD_BE for *_, why in left), seed
    if is_clear and hidden:
        back = with_hidden(later)
        applied = apply(worker_engine, operator, back.scope, back.look(), *COLUMN_NAMES)
        fold(worker_engine, export.source)
        assert (applied.tally.columns["unlisted_at"], query(database, gone, export.source)) == (len(hidden), []), seed


def is_written_down(found: tuple[str, str | None, tuple[str, ...], str | None]) -> bool:
    """Without an id nobody is: somebody erased could not be told from somebody new."""
    kind, id_, *_ = found
    return kind == "stale" or (kind == "missing" and id_ is not None)


def changed_keys(export: Exported) -> dict[str, tuple[str, ...]]:
    """By id the keys that the export alone knew."""
    plan, is_by_id = export.world.plan, export.world.match == "id"
    key_columns = export.world.match.replace("event", "event_id").split("+")
    people = {id_: keys for drift in EDITED for id_, keys in plan.about.get(drift, {}).items()}
    missed = dict.fromkeys(plan.about.get("missed", ()), ("first_name", "last_name", "bib", "event_id"))
    known = {id_: keys for id_, keys in people.items() if is_by_id or not {*keys} & {*key_columns}}
    return {**known, **(missed if is_by_id else {})}


def listed_in(export: Exported) -> dict[str, dict[str, str | None]]:
    """By id what is listed under these keys."""
    rows = {str(row["id"]): row for row in export.world.plan.rows}
    return {
        id_: {
            key: None if rows[id_][key] is None else str(rows[id_][key]) for key in keys if is_compared(export, key)
        }
        for id_, keys in changed_keys(export).items()
    }  # fmt: skip


def on_roster(export: Exported, database: str) -> dict[str, dict[str, str | None]]:
    """By id what the roster has in the columns of these keys."""
    statement = "select to_jsonb(p) from participants p where source = %s and participant_id = any (%s)"
    keys = changed_keys(export)
    people = {row[0]["participant_id"]: row[0] for row in query(database, statement, export.source, [*keys])}
    return {
        id_: {key: people[id_][COLUMNS.get(key, key)] for key in keys[id_] if is_compared(export, key)} for id_ in keys
    }


def is_compared(export: Exported, key: str) -> bool:
    """Whether the export has the key; a time is spelled in two ways, and compared elsewhere."""
    return key in export.world.form.keys and key != "updated_at"

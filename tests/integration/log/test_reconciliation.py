"""How each source was compared last is noted with the header of the observation, and which comparison stands when."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime

import psycopg
import pytest
from sqlalchemy import Engine

from ingest import metrics
from ingest.log.figures import log_readings
from ingest.log.observation import Drift
from ingest.log.observe import write_down
from ingest.log.reconciliation import STANDING, Reconciled, read_reconciled
from ingest.migrate import migrate
from tests import model
from tests.fold_all import query
from tests.observing import FIRST, compared, header, listed, write_header
from tests.revisions import as_before

Scope = tuple[str, ...] | None


def test_each_header_is_noted_in_its_transaction_and_nothing_else_is(database: str, operator: Engine) -> None:
    model.append(database, [model.body(1), model.body(2), b'{"type": "rosterlog.observation", "data": {}}'])
    assert query(database, "select * from reconciliation") == []
    assert write_header(operator, listed(1, 3, bib=7), listed(2, 1, bib=7)).position == 5
    [[noted]] = (of_source for of_source in read(operator).values())
    [(received, told)] = query(
        database,
        "select received_at, body from event_log where event_type = 'rosterlog.observation' and signature is null",
    )
    assert b'"agrees":null' in told
    assert (noted.position, noted.recorded_at, noted.kind, noted.event_ids, noted.rows, noted.compared_at) == (
        5, received, "file", ["501"], 412, 2,
    )  # fmt: skip
    assert (noted.missing, noted.stale, noted.unlisted, noted.unknowable, noted.is_complete) == (0, 1, 0, 1, False)
    assert noted.result == "1 stale, 1 unknowable"
    with psycopg.connect(database) as connection:
        connection.execute("set role rosterlog_operator")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select note_reconciliation('movemint', 9, now(), '{}')")


def test_a_header_that_cannot_be_noted_is_not_appended(database: str, operator: Engine) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("alter table reconciliation add constraint none check (false)")
    with pytest.raises(Exception, match="violates check constraint"):
        write_down(operator, "movemint", FIRST, [listed(1, 0)], header)
    assert model.stored_bodies(database) == []


def test_what_was_found_is_said_in_words(operator: Engine) -> None:
    cases: Sequence[tuple[Drift, bool | None, str]] = (
        (Drift(), None, "complete"),
        (Drift(), True, "complete"),
        (Drift(unknowable=2), True, "complete, but for 2 who could not be judged"),
        (Drift(unknowable=2), False, "2 unknowable"),
        (Drift(unknowable=2), None, "2 unknowable"),
        (Drift(missing=3, stale=1_200), False, "3 missing, 1,200 stale"),
    )
    for number, (after, agrees, _) in enumerate(cases):
        compared(operator, None, after, 0, agrees=agrees, source=f"s{number}")
    noted = read(operator)
    for number, (_, _, said) in enumerate(cases):
        [found] = noted[f"s{number}"]
        assert (found.result, found.is_complete) == (said, said.startswith("complete"))


def test_a_comparison_stands_until_a_newer_look_has_all_of_its_events(database: str, operator: Engine) -> None:
    """At each position of the log, as a model has it that goes through all of them."""
    chance = random.Random(7)
    made: list[tuple[int, Scope, datetime]] = []
    for _ in range(40):
        scope = None if chance.random() < 0.1 else tuple(sorted(chance.sample("abcd", chance.randint(1, 3))))
        taken_at = datetime(2026, 5, chance.randint(1, 9), tzinfo=UTC)
        made.append((compared(operator, scope, Drift(missing=1), 0, taken_at=taken_at), scope, taken_at))
        compared(operator, ("a",), Drift(), 0, source="other")
    with psycopg.connect(database) as connection:
        for until in range(42):
            rows = connection.execute(STANDING, {"source": "movemint", "until": until}).fetchall()
            assert {row[0] for row in rows} == stand([each for each in made if each[0] <= until])
    of_now = read(operator)["movemint"]
    assert [each.position for each in of_now] == sorted(stand(made), reverse=True)
    with operator.connect() as reading:
        readings = {(each.metric.name, each.labels): each.value for each in log_readings(reading)}
    assert readings[metrics.DRIFT.name, ("movemint", "missing")] == len(of_now)
    assert readings[metrics.DRIFT.name, ("other", "missing")] == 0
    newest = readings[metrics.RECONCILED.name, ("movemint",)]
    assert newest == pytest.approx(of_now[0].recorded_at.timestamp())


def stand(made: list[tuple[int, Scope, datetime]]) -> set[int]:
    """The positions of those of which no newer look has all events."""

    def covers(later: Scope, scope: Scope) -> bool:
        return later is None or (scope is not None and set(scope) <= set(later))

    return {
        position
        for position, scope, taken_at in made
        if not any(covers(other, scope) and (then, at) > (taken_at, position) for at, other, then in made)
    }  # fmt: skip


def test_an_upgrade_notes_the_observations_of_before(database: str, engine: Engine, operator: Engine) -> None:
    model.append(database, [model.body(1), model.body(2)])
    write_header(operator, listed(1, 2, bib=7))
    for scope, day in ((("a",), 3), (None, 2), (("a", "b"), 1), (("b",), 3)):
        compared(operator, scope, Drift(unlisted=2), 2, taken_at=datetime(2026, 5, day, tzinfo=UTC))
    everything = "select * from reconciliation order by position"
    noted = query(database, everything)
    assert len(noted) == 5
    operator.dispose()
    as_before(database, "0021_reconciled")
    migrate(engine)
    assert query(database, everything) == noted


def read(operator: Engine) -> dict[str, Sequence[Reconciled]]:
    with operator.connect() as connection:
        return read_reconciled(connection)

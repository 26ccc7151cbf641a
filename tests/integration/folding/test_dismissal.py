"""What a person has dismissed counts no longer, whatever becomes of builds, people and retries."""

import psycopg
import pytest
from psycopg import errors
from sqlalchemy import Engine

from projections.folding import dismissal, quarantine
from projections.folding.dismissal import dismissed_events
from projections.folding.health import read_health
from projections.folding.needs import needs
from projections.folding.quarantine import TRIED_AGAIN, Wanted, parked_events
from projections.folding.retry import SlowRetries, retry
from projections.rebuild.swap import swap
from tests import model
from tests.api_client import get, make_token
from tests.erased_person import erase
from tests.fold_all import PARTICIPANTS, PROJECTIONS, build_anew, drain, query

BROKEN = b'{"type": "event.participant.created", "data": {"object": {"id": 7, "first_name": "\\ud83d"}}}'


@pytest.fixture
def parked(database: str, worker_engine: Engine) -> str:
    """Two events that cannot be folded, at positions 2 and 3: one is about nobody, one about participant 7."""
    model.append(database, [model.body(1), b"no JSON", BROKEN])
    drain(worker_engine)
    assert query(database, "select position, participant_id from quarantine") == [(2, None), (3, "7")]
    return database


def dismiss(operator: Engine, *positions: int) -> None:
    for position in positions:
        with operator.begin() as connection:
            assert dismissal.note_dismissal(connection, "movemint", position, "ops", "it is no JSON")


def counted(engine: Engine) -> dict[str, int]:
    with engine.connect() as connection:
        return quarantine.parked_by_source(connection)


def test_a_dismissed_event_counts_nowhere_until_it_is_restored(parked: str, engine: Engine, operator: Engine) -> None:
    token = make_token(engine)

    def told() -> tuple[int, int, bool]:
        with engine.connect() as connection:
            sentences = needs(read_health(connection, PROJECTIONS, ["movemint"]))
        [status] = get(parked, "/v1/status", token).json()["sources"]
        [(reported,)] = query(parked, "select quarantined from reporting.freshness")
        return status["quarantined"], reported, any("parked" in sentence for sentence in sentences)

    assert told() == (2, 2, True)
    dismiss(operator, 2)
    assert told() == (1, 1, True)
    dismiss(operator, 3)
    assert told() == (0, 0, False)
    with operator.begin() as connection:
        assert dismissal.undo_dismissal(connection, "movemint", 2)
        assert not dismissal.undo_dismissal(connection, "movemint", 2)
    assert told() == (1, 1, True)
    assert len(query(parked, "table quarantine")) == 2


def test_a_dismissal_is_made_once_and_found_by_its_source_and_position(
    parked: str, engine: Engine, operator: Engine
) -> None:
    model.append(parked, [b"no JSON"], "spring")
    with operator.begin() as connection:
        assert dismissal.note_dismissal(connection, "spring", 1, "ops", "one")
        assert dismissal.note_dismissal(connection, "movemint", 3, "ops", "two")
        assert dismissal.note_dismissal(connection, "movemint", 2, "ops", "three")
        assert not dismissal.note_dismissal(connection, "movemint", 2, "another", "four")
    with engine.connect() as connection:
        found = dismissed_events(connection, None, 10)
        assert [(event.source, event.position, event.reason) for event in found] == [
            ("movemint", 2, "three"), ("movemint", 3, "two"), ("spring", 1, "one"),
        ]  # fmt: skip
        assert dismissed_events(connection, None, 2) == found[:2]
        assert dismissed_events(connection, "spring", 10) == found[2:]
        assert [event.is_parked for event in found] == [True, True, False]
        assert dismissal.dismissal_of(connection, "movemint", 2) == found[0]
        assert dismissal.dismissal_of(connection, "movemint", 1) is None
        assert dismissal.dismissal_of(connection, "spring", 2) is None
    with psycopg.connect(parked) as connection:
        connection.execute("update projection set live = null where projection = 'participants'")
    with engine.connect() as connection:
        assert not any(event.is_parked for event in dismissed_events(connection, None, 10)), "no live build has it"


@pytest.mark.usefixtures("parked")
def test_the_same_position_of_another_source_is_another_event(engine: Engine, operator: Engine) -> None:
    with operator.begin() as connection:
        assert dismissal.note_dismissal(connection, "spring", 2, "ops", "one")
        assert not dismissal.undo_dismissal(connection, "movemint", 2)
        [of_spring] = dismissed_events(connection, None, 10)
        assert not of_spring.is_parked
    assert counted(engine) == {"movemint": 2}


def test_a_rebuild_that_parks_it_again_keeps_it_dismissed(
    parked: str, engine: Engine, worker_engine: Engine, operator: Engine
) -> None:
    dismiss(operator, 2, 3)
    before = query(parked, "table dismissed_event")
    for _ in range(2):  # the second drops the build in which it was dismissed
        swap(worker_engine, PARTICIPANTS, build_anew(worker_engine, PARTICIPANTS), 100)
    assert query(parked, "table dismissed_event") == before
    assert counted(engine) == {}
    with engine.connect() as connection:
        event, _ = dismissed_events(connection, None, 10)
    assert (event.position, event.operator, event.reason, event.is_parked) == (2, "ops", "it is no JSON", True)


def test_it_can_be_retried_by_its_position_and_is_left_alone_otherwise(
    parked: str, worker_engine: Engine, operator: Engine
) -> None:
    with psycopg.connect(parked) as connection:  # as if it had been too slow
        connection.execute(
            "insert into quarantine (source, projection, build, position, participant_id, reason) "
            "values ('movemint', 'participants', 1, 1, '1', %s)",
            [f"{TRIED_AGAIN}x"],
        )
    dismiss(operator, 1, 2, 3)
    retries = SlowRetries(PROJECTIONS, 10, every_seconds=0)
    assert retries(worker_engine) is False
    with worker_engine.connect() as connection:
        assert parked_events(connection, Wanted(is_dismissed=False), 10) == []
        assert [event.position for event in parked_events(connection, Wanted(is_dismissed=True), 10)] == [1, 2, 3]
    retry(worker_engine, PROJECTIONS, Wanted("movemint", 1), 10, lambda _number: None)
    assert query(parked, "select position from quarantine") == [(2,), (3,)]
    with worker_engine.connect() as connection:
        assert [event.is_parked for event in dismissed_events(connection, "movemint", 10)] == [False, True, True]


def test_an_erasure_takes_the_person_out_of_the_quarantine_and_leaves_the_dismissal(
    parked: str, operator: Engine
) -> None:
    dismiss(operator, 3)
    before = query(parked, "table dismissed_event")
    erase(operator, "7")
    assert query(parked, "select position from quarantine") == [(2,)]
    assert query(parked, "table dismissed_event") == before


def test_only_the_operators_role_may_write_it(parked: str) -> None:
    insert = "insert into dismissed_event (source, position, operator, reason) values ('movemint', 2, 'x', 'y')"
    with psycopg.connect(parked, autocommit=True) as connection:
        for role in ("ingest", "worker", "api", "reporting", "reporting_pii"):
            connection.execute(f"set role rosterlog_{role}".encode())
            for statement in (insert, "delete from dismissed_event"):
                with pytest.raises(errors.InsufficientPrivilege):
                    connection.execute(statement.encode())
        connection.execute("set role rosterlog_operator")
        connection.execute(insert.encode())
        with pytest.raises(errors.InsufficientPrivilege):
            connection.execute("update dismissed_event set reason = 'another'")

"""After an erasure (design point 7): what arrives is kept and shown to nobody, and nothing erased comes back."""

import threading
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import Engine, text

from ingest.database import OPERATOR_ROLE, WORKER_ROLE, sync_engine
from ingest.log import erase as erasing
from ingest.log.register import read_register, write_register
from ingest.migrate import migrate
from projections.folding import builds, checkpoint, tries
from projections.folding.projection import Track
from projections.folding.refold import lock_track, refold
from tests import DEADLINE, model
from tests.erased_person import BODIES, LATE, NAME, erase, gate, lift, traces, waits
from tests.fold_all import PARTICIPANTS, PROJECTIONS, drain, forget_projections, query
from tests.integration.log.test_verify import prove, unguarded

OlderBackup = tuple[Engine, Engine]


@pytest.fixture
def older_backup(empty_database: str) -> Iterator[OlderBackup]:
    """The operator's and the worker's engine on another database, which knows nothing of the first one's erasures."""
    owner = sync_engine(empty_database)
    migrate(owner)
    owner.dispose()
    restored, folding = sync_engine(empty_database, OPERATOR_ROLE), sync_engine(empty_database, WORKER_ROLE)
    yield restored, folding
    restored.dispose()
    folding.dispose()


def test_promise_7_what_arrives_later_is_kept_withheld_and_reported(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    model.append(database, BODIES)
    drain(worker_engine)
    erase(operator)
    assert model.append(database, [LATE, model.body(9)]) == [(8, True), (9, True)]
    drain(worker_engine)
    assert set(model.stored_roster(database)) == {"5", "8", "9"}
    assert traces(database, "deferred") == {"event_log"}
    with operator.connect() as connection:
        [recorded] = erasing.all_erasures(connection)
    assert (recorded.erasure.subject, recorded.undone, recorded.later) == ("7", [], [8])
    assert prove(operator).problems == []


def test_promise_7_lifting_shows_what_arrived_since_and_brings_nothing_back(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    model.append(database, BODIES)
    drain(worker_engine)
    erase(operator)
    model.append(database, [LATE, model.body(7, first_name="Zoë", note="second"), model.body(9)])
    drain(worker_engine)
    lift(operator)
    lifted = model.stored_roster(database)
    assert lifted["7"] == (8, 9, "Zoë")
    model.append(database, [model.body(7, first_name="Zoë", note="third")])
    drain(worker_engine)
    assert model.stored_roster(database)["7"] == (8, 11, "Zoë")
    [(lifted_by,)] = query(database, "select lifted_by from erasures where lifted_at is not null")
    assert lifted_by == "another operator"
    assert erase(operator) == [8, 9, 11], "and may be erased again"
    assert set(model.stored_roster(database)) == {"5", "8", "9"}


@pytest.mark.parametrize("is_lifted", [False, True])
def test_promise_7_folding_all_again_does_not_bring_the_person_back(
    database: str, worker_engine: Engine, operator: Engine, *, is_lifted: bool
) -> None:
    model.append(database, BODIES)
    drain(worker_engine)
    erase(operator)
    model.append(database, [LATE])
    drain(worker_engine)
    if is_lifted:
        lift(operator)
    before = query(database, "select * from participants order by participant_id")
    forget_projections(database)
    drain(worker_engine)
    assert query(database, "select * from participants order by participant_id") == before
    assert ("7" in model.stored_roster(database)) == is_lifted
    assert traces(database, "Unmistakable") == ({"event_log", "participants"} if is_lifted else {"event_log"})


@pytest.mark.parametrize("is_lifted", [False, True])
def test_promise_7_erasures_are_carried_out_again_on_a_database_from_before_them(
    database: str, empty_database: str, older_backup: OlderBackup, operator: Engine, *, is_lifted: bool
) -> None:
    """As in an older backup: the bodies are there, the erasures are not, and positions went another way since."""
    model.append(database, BODIES)
    erase(operator)
    model.append(database, [LATE])
    if is_lifted:
        lift(operator)
    with operator.connect() as connection:
        exported = write_register([recorded.erasure for recorded in erasing.all_erasures(connection)])
    restored, folding = older_backup
    model.append(empty_database, [*BODIES[:3], model.body(10), BODIES[4], LATE])
    drain(folding)
    with restored.begin() as connection:
        assert erasing.take_over(connection, read_register(exported)) == 1
        assert erasing.take_over(connection, read_register(exported)) == 0
    assert [problem.position for problem in prove(restored).problems] == [2, 3, 5]
    with restored.begin() as connection:
        [erasure] = [recorded.erasure for recorded in erasing.all_erasures(connection)]
        assert erasing.carry_out(connection, "movemint", erasure.erasure_id) == [2, 3, 5]
        connection.execute(text(f"set local role {WORKER_ROLE}"))
        refold(
            connection,
            [lock_track(connection, projection, "movemint") for projection in PROJECTIONS],
            "movemint",
            "7",
            10,
        )
    assert prove(restored).problems == []
    assert query(empty_database, "select positions from erasures") == [([2, 3, 5],)]
    assert set(model.stored_roster(empty_database)) == ({"5", "7", "10"} if is_lifted else {"5", "10"})
    assert traces(empty_database, "Unmistakable") == ({"event_log", "participants"} if is_lifted else {"event_log"})
    with restored.begin() as connection:
        assert erasing.carry_out(connection, "movemint", erasure.erasure_id) == []


def test_lifting_does_not_run_ahead_of_the_worker(database: str, worker_engine: Engine, operator: Engine) -> None:
    model.append(database, BODIES)
    drain(worker_engine)
    erase(operator)
    model.append(database, [LATE])
    lift(operator)
    assert "7" not in model.stored_roster(database)
    drain(worker_engine)
    assert model.stored_roster(database)["7"] == (8, 8, NAME)


def test_an_erasure_lifted_elsewhere_is_lifted_by_its_export(database: str, operator: Engine) -> None:
    model.append(database, BODIES)
    erase(operator)
    with operator.connect() as connection:
        before = write_register([recorded.erasure for recorded in erasing.all_erasures(connection)])
    lift(operator)
    with operator.connect() as connection:
        after = write_register([recorded.erasure for recorded in erasing.all_erasures(connection)])
    with unguarded(database) as connection_:
        connection_.execute("update erasures set lifted_at = null, lifted_by = null")
    with operator.begin() as connection:
        erasing.take_over(connection, read_register(after))
    [(lifted_at,)] = query(database, "select lifted_at from erasures")
    assert lifted_at is not None
    with operator.begin() as connection:
        erasing.take_over(connection, read_register(before))
    assert query(database, "select lifted_at from erasures") == [(lifted_at,)]


def test_promise_7_after_a_lifting_one_can_erase_again_before_anything_arrives(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    model.append(database, BODIES)
    drain(worker_engine)
    erase(operator)
    lift(operator)
    assert erase(operator) == []
    assert query(database, "select count(*) from erasures where lifted_at is null") == [(1,)]
    model.append(database, [LATE])
    drain(worker_engine)
    assert "7" not in model.stored_roster(database)


def test_promise_7_an_erased_body_delivered_again_to_an_older_backup_is_withheld_even_if_lifted(
    database: str, empty_database: str, older_backup: OlderBackup, operator: Engine
) -> None:
    model.append(database, BODIES)
    erase(operator)
    lift(operator)
    with operator.connect() as connection:
        exported = write_register([recorded.erasure for recorded in erasing.all_erasures(connection)])
    restored, folding = older_backup
    with restored.begin() as connection:
        erasing.take_over(connection, read_register(exported))
    model.append(empty_database, [BODIES[1], model.body(10), LATE])
    drain(folding)
    assert model.stored_roster(empty_database)["7"] == (3, 3, NAME)
    assert [problem.position for problem in prove(restored).problems] == [1]


def test_promise_7_an_erasure_covers_one_source(database: str, worker_engine: Engine, operator: Engine) -> None:
    model.append(database, BODIES)
    erase(operator)
    model.append(database, [BODIES[1], LATE], "other")
    drain(worker_engine, "other")
    assert set(model.stored_roster(database, "other")) == {"7"}


def test_lifting_waits_for_a_worker_in_a_sources_first_batch(database: str, operator: Engine) -> None:
    """It has read the events as withheld and passes them; only then can they be folded again."""
    model.append(database, BODIES)
    erase(operator)
    model.append(database, [LATE])
    with gate(database, "checkpoint", "update") as held:
        engine = sync_engine(database, WORKER_ROLE)
        folding = threading.Thread(target=tries.run_once, args=(engine, PARTICIPANTS, "movemint", 100))
        folding.start()
        waits(held, "advisory")
        lifting = threading.Thread(target=lift, args=(operator,))
        lifting.start()
        waits(held, "transactionid")
        held.execute("select pg_advisory_unlock(4711)")
        folding.join(timeout=DEADLINE)
        lifting.join(timeout=DEADLINE)
        engine.dispose()
    assert model.stored_roster(database)["7"] == (8, 8, NAME)


def test_lifting_waits_for_a_worker_in_a_later_batch(database: str, worker_engine: Engine, operator: Engine) -> None:
    model.append(database, BODIES)
    drain(worker_engine)
    erase(operator)
    model.append(database, [LATE])
    with worker_engine.begin() as connection:
        build = builds.live(connection, "participants")
        assert build is not None
        track = Track(PARTICIPANTS, build, "movemint")
        assert checkpoint.try_lock(connection, track) == 7
        lifting = threading.Thread(target=lift, args=(operator,))
        lifting.start()
        with psycopg.connect(database, autocommit=True) as watch:
            waits(watch, "transactionid")
        checkpoint.move(connection, track, 8)
    lifting.join(timeout=DEADLINE)
    assert model.stored_roster(database)["7"] == (8, 8, NAME)

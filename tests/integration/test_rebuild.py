"""Rebuild (design point 13): readers, users' objects, erasures meanwhile, leftovers, versions, comparison, rollback."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, text

from ingest.database import WORKER_ROLE, sync_engine
from ingest.log import erase as erasing
from ingest.log.event import Event
from ingest.log.read import HoleInLog, heads
from ingest.log.scan import Stripe, alone, snapshot, together
from projections import builds, worker
from projections.participants import projection as participants_by
from projections.participants.fields import DECLARED, Fields
from projections.rebuild import building
from projections.rebuild import swap as swapping
from projections.rebuild.catching_up import catch_up, settle, settle_since
from projections.rebuild.comparing import compare
from projections.rebuild.load import load
from projections.rebuild.swap import drop, swap
from projections.refold import OfAnotherDefinition, hold, refold
from projections.status import read_projections
from tests import model, roster_model
from tests.integration.building import PARTICIPANTS, REGISTRATIONS, build_anew, contents, drain, live, query
from tests.integration.erasing import BODIES, LATE, THEIRS, erase, gate, lift, traces, waits

# The same projection with another definition: the bib is taken from another key.
OTHER_FIELDS = Fields(
    tuple(replace(one, keys=("race_number",)) if one.column == "bib" else one for one in DECLARED.columns),
    DECLARED.answers,
)
OTHER = participants_by(OTHER_FIELDS)
PEOPLE = [model.body(number, bib="old", race_number="new", event_id=1) for number in range(300)]


@pytest.fixture
def folded(database: str, worker_engine: Engine) -> str:
    """Three hundred people on the roster, every bib "old"; by the other definition every bib is "new"."""
    model.append(database, PEOPLE)
    drain(worker_engine)
    return database


def begin(engine: Engine) -> tuple[builds.Build, dict[str, int]]:
    """A new build of the participants, and how far the log is."""
    with engine.connect() as connection:
        return building.begin(engine, PARTICIPANTS), heads(connection)


def bibs(database: str) -> list[tuple[str, int]]:
    return [(row[0], row[1]) for row in query(database, "select bib, count(*) from participants group by bib")]


def test_promise_13_every_answer_of_fifty_readers_is_wholly_the_old_or_wholly_the_new_roster(
    folded: str, worker_engine: Engine
) -> None:
    stop = threading.Event()
    begun = threading.Barrier(51)

    def read() -> list[list[tuple[str, int]]]:
        answers = []
        with psycopg.connect(folded, autocommit=True) as connection:
            begun.wait(timeout=30)
            while not stop.is_set():
                rows = connection.execute("select bib, count(*) from participants group by bib").fetchall()
                answers.append([(row[0], row[1]) for row in rows])
        return answers

    with ThreadPoolExecutor(50) as pool:
        readers = [pool.submit(read) for _ in range(50)]
        try:
            begun.wait(timeout=30)
            for projection in (OTHER, PARTICIPANTS, OTHER):
                swap(worker_engine, projection, build_anew(worker_engine, projection), 100)
        finally:
            stop.set()
        answers = [answer for reader in readers for answer in reader.result(timeout=60)]
    assert {str(answer) for answer in answers} == {"[('old', 300)]", "[('new', 300)]"}


def test_promise_13_a_reader_that_stays_open_does_not_hold_the_swap_back(folded: str, worker_engine: Engine) -> None:
    anew = build_anew(worker_engine, OTHER)
    with psycopg.connect(folded) as reader:
        assert reader.execute("select bib from participants limit 1").fetchone() == ("old",)
        swap(worker_engine, OTHER, anew, 100)
        assert bibs(folded) == [("new", 300)]
        assert not drop(worker_engine, live_before(worker_engine)), "the reader may still want it"
    assert drop(worker_engine, live_before(worker_engine))


def live_before(engine: Engine) -> builds.Build:
    with engine.connect() as connection:
        found = builds.previous(connection, "participants")
    assert found is not None
    return found


def test_promise_13_the_swap_does_not_hold_readers_back(folded: str, worker_engine: Engine) -> None:
    anew = build_anew(worker_engine, OTHER)
    with gate(folded, "projection", "update") as held:
        swapping_ = threading.Thread(target=swap, args=(worker_engine, OTHER, anew, 100))
        swapping_.start()
        waits(held, "advisory")
        with psycopg.connect(folded) as reader:
            reader.execute("set lock_timeout = '1ms'")
            assert reader.execute("select bib, count(*) from participants group by bib").fetchall() == [("old", 300)]
            assert reader.execute("select count(*) from checkpoint").fetchone() is not None
        held.execute("select pg_advisory_unlock(4711)")
        swapping_.join(timeout=30)
    assert bibs(folded) == [("new", 300)]


def test_promise_13_loading_and_attaching_do_not_hold_readers_back(folded: str, worker_engine: Engine) -> None:
    with psycopg.connect(folded) as reader:
        reader.execute("select * from participants, participant_answers, participant_history")
        anew = build_anew(worker_engine, OTHER)
        with psycopg.connect(folded) as another:
            another.execute("set lock_timeout = '1ms'")
            assert another.execute("select count(*) from participants").fetchone() == (300,)
    assert drop(worker_engine, anew)


def test_promise_13_views_grants_and_dependent_objects_survive(folded: str, worker_engine: Engine) -> None:
    with psycopg.connect(folded, autocommit=True) as owner:
        owner.execute(
            "create view bibs as select participant_id, bib, attributes ->> 'race_number' as n from participants"
        )
        owner.execute("create materialized view tally as select bib, count(*) from participants group by bib")
        owner.execute("create function first_bib() returns text language sql as 'select bib from participants limit 1'")
        owner.execute("create index extra on participants_build (bib)")
        owner.execute("create role analyst" if not has_role(owner) else "select 1")
        owner.execute("grant select on participants, bibs to analyst")
    swap(worker_engine, OTHER, build_anew(worker_engine, OTHER), 100)
    with psycopg.connect(folded, autocommit=True) as analyst:
        analyst.execute("refresh materialized view tally")
        assert analyst.execute("select * from tally").fetchall() == [("new", 300)]
        assert analyst.execute("select first_bib()").fetchone() == ("new",)
        analyst.execute("set role analyst")
        assert analyst.execute("select distinct bib, n from bibs").fetchall() == [("new", "new")]
        assert analyst.execute("select count(*) from participants where bib = 'new'").fetchone() == (300,)
    assert query(
        folded, "select count(*) from pg_indexes where tablename = 'participants_build_2' and indexdef like '%%(bib)'"
    ) == [(1,)]


def has_role(connection: psycopg.Connection[Any]) -> bool:
    return connection.execute("select from pg_roles where rolname = 'analyst'").fetchone() is not None


def test_promise_13_it_catches_up_and_the_live_roster_goes_on_meanwhile(folded: str, worker_engine: Engine) -> None:
    build, up_to = begin(worker_engine)
    model.append(folded, [model.body(number, first_name="later") for number in range(290, 310)])
    load(worker_engine, PARTICIPANTS, build, [Stripe("movemint", up_to["movemint"], 0, 1)], lambda _: None)
    drain(worker_engine)
    assert len(model.stored_roster(folded)) == 310
    building.attach(worker_engine, PARTICIPANTS, build, up_to, 100)
    catch_up(worker_engine, PARTICIPANTS, build, 7, lambda _: None)
    model.append(folded, [model.body(400), model.body(1, first_name="last")], "spring")
    drain(worker_engine, "spring")
    before = contents(folded, PARTICIPANTS, live(worker_engine, PARTICIPANTS))
    swap(worker_engine, PARTICIPANTS, build, 100)
    assert contents(folded, PARTICIPANTS, live(worker_engine, PARTICIPANTS)) == before
    assert len(model.stored_roster(folded)) == 310


def test_promise_13_the_new_roster_is_never_older_than_the_one_before(folded: str, worker_engine: Engine) -> None:
    """The live build has folded on while the new one waited for its swap."""
    anew = build_anew(worker_engine, PARTICIPANTS)
    model.append(folded, [model.body(1000), model.body(1, first_name="later")])
    drain(worker_engine)
    with gate(folded, "projection", "update") as held:
        swapping_ = threading.Thread(target=swap, args=(worker_engine, PARTICIPANTS, anew, 100))
        swapping_.start()
        waits(held, "advisory")
        engine = sync_engine(folded, WORKER_ROLE)
        model.append(folded, [model.body(1001)])
        folding = threading.Thread(target=worker.run_once, args=(engine, PARTICIPANTS, "movemint", 100))
        folding.start()
        waits(held, "relation")
        held.execute("select pg_advisory_unlock(4711)")
        swapping_.join(timeout=30)
        folding.join(timeout=30)
        engine.dispose()
    assert {"1000", "1001"} <= set(model.stored_roster(folded))
    assert model.stored_roster(folded)["1"] == (2, 302, "later")
    assert query(folded, "select position from checkpoint where projection = 'participants' and build = 2") == [(303,)]


def test_promise_13_what_the_live_build_folds_in_the_last_moment_is_in_the_new_one(
    folded: str, worker_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if it came after the catching up and before the lock, which nothing can be put between."""
    anew = build_anew(worker_engine, PARTICIPANTS)
    model.append(folded, [model.body(1000), model.body(1, first_name="later")])
    drain(worker_engine)
    monkeypatch.setattr(swapping, "catch_up", lambda *_: None)
    swap(worker_engine, PARTICIPANTS, anew, 1)
    assert "1000" in model.stored_roster(folded)
    assert model.stored_roster(folded)["1"] == (2, 302, "later")


def test_promise_7_a_rebuild_that_had_read_a_body_does_not_bring_its_person_back(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    """It has the events in its hands when the erasure comes, and writes them afterwards."""
    model.append(database, BODIES)
    drain(worker_engine)
    build, up_to = begin(worker_engine)
    with gate(database, "quarantine", "insert") as held:
        stripes = [Stripe("movemint", up_to["movemint"], 0, 1)]
        loading = threading.Thread(target=load, args=(worker_engine, PARTICIPANTS, build, stripes, lambda _: None))
        loading.start()
        waits(held, "advisory")
        assert erase(operator) == THEIRS
        held.execute("select pg_advisory_unlock(4711)")
        loading.join(timeout=30)
    assert "participants_build_2" in traces(database, "Unmistakable"), "the hazard"
    building.attach(worker_engine, PARTICIPANTS, build, up_to, 100)
    swap(worker_engine, PARTICIPANTS, build, 100)
    assert set(model.stored_roster(database)) == {"5", "8"}
    assert traces(database, "Unmistakable") == set()


def put_back(connection: psycopg.Connection[Any], build: builds.Build, rows: list[tuple[Any, ...]]) -> None:
    """Write rows into a build, as a job would that had read the body before it was erased."""
    with connection.cursor().copy(f"copy {build.table('participants_build')} from stdin".encode()) as copying:
        for row in rows:
            copying.write_row([value if not isinstance(value, dict) else "{}" for value in row])


def test_promise_7_settling_folds_again_whoever_was_erased_or_lifted_since(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    model.append(database, BODIES)
    drain(worker_engine)
    anew = build_anew(worker_engine, PARTICIPANTS)
    with psycopg.connect(database, autocommit=True) as connection:
        kept = connection.execute(f"select * from {anew.table('participants_build')}").fetchall()
        erase(operator)
        put_back(connection, anew, [row for row in kept if row[1] == "7"])
    assert "participants" in traces(database, "Unmistakable")
    settle(worker_engine, PARTICIPANTS, anew, 100)
    with sync_engine(database).connect().execution_options(isolation_level="AUTOCOMMIT") as owner:
        building.sweep(owner, anew)
    assert traces(database, "Unmistakable") == set()
    model.append(database, [LATE])
    drain(worker_engine)
    catch_up(worker_engine, PARTICIPANTS, anew, 100, lambda _: None)
    lift(operator)
    swap(worker_engine, PARTICIPANTS, anew, 100)
    assert "7" in model.stored_roster(database)


def test_promise_7_carrying_an_erasure_out_again_does_not_hide_who_was_lifted_from_other_builds(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    """It takes the person out of every build; the lifting brings them back into the live one, and a swap into any."""
    model.append(database, [*BODIES, LATE])
    drain(worker_engine)
    erase(operator)
    model.append(database, [model.body(7, first_name="Late")])
    drain(worker_engine)
    lift(operator)
    swap(worker_engine, PARTICIPANTS, build_anew(worker_engine, PARTICIPANTS), 100)
    anew = build_anew(worker_engine, PARTICIPANTS)
    assert "7" in model.stored_roster(database)
    with operator.begin() as connection:
        [one] = erasing.listed(connection)
        erasing.carry_out(connection, "movemint", one.erasure.erasure_id)
        connection.execute(text(f"set local role {WORKER_ROLE}"))
        refold(connection, hold(connection, [PARTICIPANTS], "movemint"), "movemint", "7", 10)
    expected = model.stored_roster(database)
    assert "7" in expected
    for build in (live_before(worker_engine), anew):
        swap(worker_engine, PARTICIPANTS, build, 100)
        assert model.stored_roster(database) == expected


def test_promise_7_an_erasure_in_the_moment_of_the_swap_is_not_missed(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    """Between settling and the swap's lock: the marks of the erasures tell."""
    model.append(database, BODIES)
    drain(worker_engine)
    anew = build_anew(worker_engine, PARTICIPANTS)
    marks = settle(worker_engine, PARTICIPANTS, anew, 100)
    kept = query(database, f"select * from {anew.table('participants_build')} where participant_id = '7'")
    erase(operator)
    with psycopg.connect(database) as connection:
        put_back(connection, anew, kept)
    with worker_engine.begin() as connection_:
        settle_since(connection_, PARTICIPANTS, anew, marks, 100)
    assert query(database, f"select * from {anew.table('participants_build')} where participant_id = '7'") == []


def test_promise_7_an_erasure_does_not_wait_for_a_rebuild_that_makes_indexes(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    model.append(database, BODIES)
    drain(worker_engine)
    build, up_to = begin(worker_engine)
    load(worker_engine, PARTICIPANTS, build, [Stripe("movemint", up_to["movemint"], 0, 1)], lambda _: None)
    with psycopg.connect(database) as making:
        making.execute(f"lock table {build.table('participants_build')} in access exclusive mode")
        assert erase(operator) == THEIRS
        making.rollback()
    building.attach(worker_engine, PARTICIPANTS, build, up_to, 100)
    swap(worker_engine, PARTICIPANTS, build, 100)
    assert set(model.stored_roster(database)) == {"5", "8"}


def test_lifting_under_another_definition_asks_for_a_rebuild_and_changes_nothing(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    model.append(database, [*BODIES, LATE])
    drain(worker_engine)
    erase(operator)
    with operator.begin() as connection:
        connection.execute(text(f"set local role {WORKER_ROLE}"))
        with pytest.raises(OfAnotherDefinition, match="rebuild participants first"):
            hold(connection, [OTHER], "movemint")
    swap(worker_engine, OTHER, build_anew(worker_engine, OTHER), 100)
    with operator.begin() as connection:
        connection.execute(text(f"set local role {WORKER_ROLE}"))
        assert len(hold(connection, [OTHER], "movemint")) == 1


def test_what_depends_on_an_old_builds_table_is_named_and_stops_no_rebuild(folded: str, worker_engine: Engine) -> None:
    with psycopg.connect(folded) as owner:
        owner.execute("create view theirs as select * from participants_build_1")
    for _ in range(2):
        swap(worker_engine, PARTICIPANTS, build_anew(worker_engine, PARTICIPANTS), 100)
    [held_back] = building.drop_beside(worker_engine, "participants")
    assert "view theirs depends on table participants_build_1" in held_back
    with building.only_one(worker_engine, "participants") as again:
        assert again == [held_back]


def test_promise_12_a_row_postgres_refuses_parks_only_its_participant_in_a_rebuild_too(
    database: str, worker_engine: Engine
) -> None:
    bodies = [model.body(n % 20, first_name=f"poison{n}" if n in (3, 24, 44) else f"ok{n}") for n in range(60)]
    model.append(database, bodies)
    build, up_to = begin(worker_engine)
    with psycopg.connect(database) as connection:
        connection.execute(f"alter table {build.table('participants_build')} add check (first_name not like 'poison%')")
    load(worker_engine, PARTICIPANTS, build, [Stripe("movemint", up_to["movemint"], 0, 1)], lambda _: None)
    building.attach(worker_engine, PARTICIPANTS, build, up_to, 100)
    swap(worker_engine, PARTICIPANTS, build, 100)
    good = [body for n, body in enumerate(bodies) if n not in (3, 24, 44)]
    names = {id_: row[2] for id_, row in roster_model.roster(good).rows().items()}
    assert {id_: row[2] for id_, row in model.stored_roster(database).items()} == names
    assert query(database, "select position from quarantine where build = %s order by 1", build.number) == [
        (25,), (45,)
    ]  # fmt: skip


def test_promise_12_a_fault_in_the_fold_parks_only_its_participant_in_a_rebuild_too(
    database: str, worker_engine: Engine
) -> None:
    def faulty(event: Event) -> object:
        if event.subject == "3":
            raise ZeroDivisionError("somebody's name")
        return PARTICIPANTS.fold(event)

    model.append(database, [model.body(number) for number in range(6)])
    build = build_anew(worker_engine, replace(PARTICIPANTS, fold=faulty))
    assert query(database, f"select count(*) from {build.table('participants_build')}") == [(5,)]
    assert query(database, "select participant_id, reason from quarantine") == [
        ("3", "the fold failed with ZeroDivisionError")
    ]


def test_promise_13_what_a_rebuild_left_unfinished_is_dropped_by_the_next(folded: str, worker_engine: Engine) -> None:
    unattached, _ = begin(worker_engine)
    attached = build_anew(worker_engine, PARTICIPANTS)
    with building.only_one(worker_engine, "participants"):
        with worker_engine.connect() as connection:
            assert builds.beside(connection, "participants") == []
        left = f"select count(*) from pg_class where relname ~ '_build_({unattached.number}|{attached.number})'"
        assert query(folded, left) == [(0,)]
        assert query(folded, "select distinct build from checkpoint") == [(1,)]
        with (
            pytest.raises(building.AnotherRebuild, match="under way"),
            building.only_one(worker_engine, "participants"),
        ):
            pass
    assert bibs(folded) == [("old", 300)]


def test_a_worker_of_another_version_writes_nothing_and_says_so(folded: str, worker_engine: Engine) -> None:
    model.append(folded, [model.body(1000)])
    assert worker.run_once(worker_engine, OTHER, "movemint", 10) == 0
    assert worker.Worker(worker_engine, [OTHER], 10).behind() == []
    with worker_engine.connect() as connection:
        [status] = read_projections(connection, [OTHER])
    assert (status.build, status.needs_rebuild) == (1, True)
    assert len(model.stored_roster(folded)) == 300
    swap(worker_engine, OTHER, build_anew(worker_engine, OTHER), 100)
    model.append(folded, [model.body(1001)])
    assert [source for _, source in worker.Worker(worker_engine, [OTHER], 10).behind()] == ["movemint"]
    assert worker.run_once(worker_engine, OTHER, "movemint", 10) == 1
    assert worker.run_once(worker_engine, PARTICIPANTS, "movemint", 10) == 0, "and the older one has to stop"
    with worker_engine.connect() as connection:
        [status] = read_projections(connection, [OTHER])
    assert (status.build, status.needs_rebuild) == (2, False)


def test_promise_13_a_rollback_is_what_would_have_been_without_the_rebuild(folded: str, worker_engine: Engine) -> None:
    swap(worker_engine, PARTICIPANTS, build_anew(worker_engine, PARTICIPANTS), 100)
    model.append(folded, [model.body(n, first_name="since", updated_at="2026-05-01T10:00:00Z") for n in range(5, 15)])
    drain(worker_engine)
    without = contents(folded, PARTICIPANTS, live(worker_engine, PARTICIPANTS))
    back = live_before(worker_engine)
    assert back.number == 1
    swap(worker_engine, PARTICIPANTS, back, 100)
    assert live(worker_engine, PARTICIPANTS).number == 1
    assert contents(folded, PARTICIPANTS, live(worker_engine, PARTICIPANTS)) == without
    assert live_before(worker_engine).number == 2


def test_the_comparison_names_rows_and_columns(folded: str, worker_engine: Engine) -> None:
    build = build_anew(worker_engine, OTHER)
    with psycopg.connect(folded) as connection:
        connection.execute("delete from participants_build_2 where participant_id in ('5', '6')")
        connection.execute("delete from participants_build_1 where participant_id = '7'")
    model.append(folded, [model.body(8, bib="later"), model.body(2000)])
    drain(worker_engine)
    with worker_engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection_:
        people, answers = compare(connection_, OTHER, live(worker_engine, PARTICIPANTS), build)
    assert (people.table, people.added, people.removed, people.changed, people.later) == ("participants", 1, 2, 296, 2)
    assert people.columns == {"bib": 296}
    assert [one for one in people.examples if one.kind != "changed"] == [
        replace(people.examples[0], kind="added", id="7", columns=""),
        replace(people.examples[0], kind="removed", id="5", columns=""),
        replace(people.examples[0], kind="removed", id="6", columns=""),
    ]
    changed = [one for one in people.examples if one.kind == "changed"]
    assert len(changed) == 20
    assert {one.columns for one in changed} == {"bib"}
    assert not answers.is_any


def test_a_hole_in_the_log_stops_a_rebuild(folded: str, worker_engine: Engine) -> None:
    with psycopg.connect(folded) as connection:
        connection.execute("alter table event_log disable trigger all")
        connection.execute("delete from event_log where position = 7")
    with pytest.raises(HoleInLog, match="position 7"), building.whole_log(worker_engine):
        pass


def test_stripes_cover_every_event_once_whatever_arrives_between_them(database: str, worker_engine: Engine) -> None:
    model.append(database, [model.body(n % 40 if n % 2 else 1000 + n) for n in range(120)] + [b"not JSON"])
    positions = []
    with building.whole_log(worker_engine) as log, worker_engine.connect() as connection:
        reading = connection.connection.driver_connection
        assert isinstance(reading, psycopg.Connection)
        for share in range(3):
            with snapshot(reading, log.snapshot):
                for read in (alone, together):
                    for events in read(reading, Stripe("movemint", log.heads["movemint"], share, 3)):
                        positions += [event.position for event in events]
            model.append(database, [model.body(1000 + n, share=share) for n in range(0, 120, 2)])
    assert sorted(positions) == list(range(1, log.heads["movemint"] + 1))


def test_the_daily_counts_are_rebuilt_and_an_erasure_is_taken_off_them(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    model.append(
        database, [model.body(n, event_id=n % 2, created_at=f"2026-05-0{1 + n % 3}T10:00:00Z") for n in range(12)]
    )
    drain(worker_engine)
    swap(worker_engine, REGISTRATIONS, build_anew(worker_engine, REGISTRATIONS), 100)
    counts = "select event_id, day::text, registrations from registrations_daily order by 1, 2"
    assert query(database, counts) == [(event, f"2026-05-0{day}", 2) for event in "01" for day in (1, 2, 3)]
    erase(operator, "0")
    erase(operator, "6")
    model.append(database, [model.body(1, event_id=0, created_at="2026-05-02T10:00:00Z")])
    drain(worker_engine)
    assert query(database, counts) == [
        ("0", "2026-05-02", 3), ("0", "2026-05-03", 2),
        ("1", "2026-05-01", 2), ("1", "2026-05-02", 1), ("1", "2026-05-03", 2),
    ]  # fmt: skip

"""The published copy of the roster: kept while somebody subscribes; in the end it is what readers see."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import Engine

from projections.folding import tries
from projections.rebuild.swap import swap
from projections.reports.publication import publish
from tests import model
from tests.erased_person import erase, lift
from tests.fold_all import PARTICIPANTS, build_anew, drain, query
from tests.other_definition import OTHER

PEOPLE = 30


@contextmanager
def slot_in(database: str, plugin: str) -> Iterator[None]:
    """As if a program subscribed, which reads nothing."""
    name = f"slot_of_{conninfo_to_dict(database)['dbname']}"
    with psycopg.connect(database, autocommit=True) as owner:
        owner.execute("select pg_create_logical_replication_slot(%s, %s)", [name, plugin])
        try:
            yield
        finally:
            owner.execute("select pg_drop_replication_slot(%s)", [name])


@pytest.fixture
def slot(database: str) -> Iterator[None]:
    with slot_in(database, "pgoutput"):
        yield


def publish_all(engine: Engine) -> None:
    while publish(engine, 7) or publish(engine, 7):  # comparing everybody, and what arrived meanwhile
        pass


def assert_same(database: str) -> None:
    [(columns,)] = query(
        database,
        "select string_agg(attname, ', ' order by attnum) from pg_attribute "
        "where attrelid = 'published_participants'::regclass and attnum > 0",
    )
    published, seen = (
        query(database, f"select {columns} from {table} order by 1, 2")
        for table in ("published_participants", "reporting.participants")
    )
    assert published == seen


def bibs(database: str) -> list[tuple[object, ...]]:
    return query(database, "select bib, count(*) from published_participants group by bib order by bib")


@pytest.mark.usefixtures("slot")
@pytest.mark.parametrize("seed", range(4))
def test_whatever_comes_between_its_batches_the_copy_ends_as_what_readers_see(
    database: str, worker_engine: Engine, operator: Engine, seed: int
) -> None:
    chance = random.Random(seed)
    erased: list[str] = []

    def deliver() -> None:
        source = chance.choice(["movemint", "movemint", "other"])
        people = [chance.randrange(PEOPLE) for _ in range(chance.randint(1, 12))]
        model.append(
            database,
            [
                model.body(person, bib=chance.random(), race_number=chance.random(), email="a@example.org")
                for person in people
            ],
            source,
        )
        drain(worker_engine, source)

    def forget() -> None:
        person = str(chance.randrange(PEOPLE))
        if person not in erased and erase(operator, person):
            erased.append(person)

    def remember() -> None:
        if erased:
            lift(operator, erased.pop())

    def rebuild() -> None:
        swap(worker_engine, PARTICIPANTS, build_anew(worker_engine, PARTICIPANTS), 100)

    steps = [*[deliver] * 8, forget, forget, remember, rebuild]
    deliver()
    for _ in range(40):
        chance.choice(steps)()
        for _ in range(chance.randint(0, 2)):
            publish(worker_engine, chance.randint(1, 9))
    publish_all(worker_engine)
    assert_same(database)
    assert not publish(worker_engine, 1), "there is nothing to do any more"


@pytest.mark.usefixtures("slot")
def test_after_a_rebuild_everybody_is_compared(folded: str, worker_engine: Engine, operator: Engine) -> None:
    publish_all(worker_engine)
    assert bibs(folded) == [("old", 300)]
    anew = build_anew(worker_engine, OTHER)
    # As if their only event was parked in the new build.
    query(folded, f"delete from {anew.table('participants_build')} where participant_id = '297' returning 1")
    swap(worker_engine, OTHER, anew, 100)
    erase(operator, "299")
    assert publish(worker_engine, 100)
    assert bibs(folded) == [("new", 100), ("old", 199)]
    model.append(folded, [model.body(number, race_number="newer") for number in (1, 298, 300)])
    assert tries.run_once(worker_engine, OTHER, "movemint", 100) == 3
    publish_all(worker_engine)
    assert bibs(folded) == [("new", 296), ("newer", 3)]
    assert_same(folded)


@pytest.mark.usefixtures("slot")
def test_what_changes_without_an_event_is_published_too(folded: str, worker_engine: Engine, operator: Engine) -> None:
    erase(operator, "5")
    model.append(folded, [model.body(5, bib="withheld")])
    drain(worker_engine)
    publish_all(worker_engine)
    assert bibs(folded) == [("old", 299)]
    lift(operator, "5")
    publish_all(worker_engine)
    assert bibs(folded) == [("old", 299), ("withheld", 1)]


@pytest.mark.usefixtures("slot")
def test_what_is_published_already_is_not_written_again(folded: str, worker_engine: Engine) -> None:
    publish_all(worker_engine)
    written = query(folded, "select participant_id, xmin::text from published_participants order by 1")
    swap(worker_engine, PARTICIPANTS, build_anew(worker_engine, PARTICIPANTS), 100)
    publish_all(worker_engine)
    assert query(folded, "select participant_id, xmin::text from published_participants order by 1") == written


@pytest.mark.parametrize("plugin", ["pgoutput", "test_decoding"])
def test_nothing_is_published_while_nobody_subscribes(
    folded: str, empty_database: str, worker_engine: Engine, plugin: str
) -> None:
    """A slot of another database is no subscription, nor is one of another kind."""
    where = empty_database if plugin == "pgoutput" else folded
    with slot_in(where, plugin):
        assert not publish(worker_engine, 1)
    assert bibs(folded) == []

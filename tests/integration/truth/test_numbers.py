"""Numbers: of whom it is not written down that they are not listed; of whom the log names, by where they are."""

from datetime import UTC, datetime, timedelta

import psycopg
from sqlalchemy import Engine

from projections.truth.comparison import scope_of
from projections.truth.expected import count_roster
from projections.truth.guards import folded_build
from projections.truth.inner import Whereabouts, count_each, count_within
from tests import model
from tests.applying import Apply, listing
from tests.fold_all import PARTICIPANTS, drain
from tests.observing import listed, observe


def test_whoever_is_written_down_as_not_listed_is_counted_apart(applied: Apply, worker_engine: Engine) -> None:
    now = datetime.now(UTC) + timedelta(hours=1)
    for taken_at in (now, now + timedelta(hours=1)):
        applied(listing(besides=39), taken_at=taken_at)
    with worker_engine.connect() as connection:
        count = count_roster(connection, scope_of(connection, PARTICIPANTS, "movemint", ("501",)))
    assert (count.people, count.unlisted) == (39, 1)


def test_an_event_of_our_own_is_none_of_an_unknown_type_though_a_delivery_claims_its_type(
    database: str, worker_engine: Engine, operator: Engine
) -> None:
    claimed = b'{"type": "rosterlog.participant.observed", "data": {"object": {"id": 7}}}'
    model.append(database, [model.body(1), claimed])
    observe(operator, listed(8, 0, event_id=501))
    drain(worker_engine)

    def parts() -> dict[Whereabouts, int]:
        with worker_engine.begin() as connection:
            build = folded_build(connection, PARTICIPANTS)
            return {**count_within(connection, build, "movemint").parts}

    assert parts() == {}
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("delete from participants_build where participant_id = '8'")
    assert parts() == {Whereabouts.LOST: 1}


def test_many_sources_are_counted_together_as_each_is_alone(database: str, worker_engine: Engine) -> None:
    for source, people in (("movemint", 8), ("other", 3)):
        model.append(database, [model.body(number) for number in range(1, people + 1)], source)
        drain(worker_engine, source)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("update participants_build set participant_id = '9' where participant_id = '7'")
        connection.execute("delete from participants_build where source = 'other' and participant_id = '2'")
    names = ["movemint", "other", *(f"without-events-{number}" for number in range(100))]
    with worker_engine.begin() as connection:
        build = folded_build(connection, PARTICIPANTS)
        alone = count_each(connection, build, names[:2])
        together = count_each(connection, build, names)
        # As if the other source got its first event after the sources were asked for.
        besides = count_each(connection, build, names[1:])
    assert [count.parts for count in alone] == [{Whereabouts.LOST: 1, Whereabouts.UNNAMED: 1}, {Whereabouts.LOST: 1}]
    assert together[:2] == alone
    assert {count.on_roster for count in together[2:]} == {0}
    assert besides[0] == alone[1]

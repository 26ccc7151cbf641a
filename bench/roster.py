"""A roster of a million participants in 200 events, each a different person, for the measurements that read one."""

from collections.abc import Callable

import psycopg
from sqlalchemy import Engine

from bench.filling import append
from bench.load import SECRET
from ingest.database import WORKER_ROLE, sync_engine
from ingest.delivery import JsonObject
from ingest.signature import sign
from ingest.simulator.people import body_of, person
from projections.catalogue import catalogue
from projections.folding.projection import Projection
from projections.rebuild import steps
from projections.rebuild.rebuild import Rebuild, build_beside, replace

PEOPLE = 1_000_000
EVENTS = 200
_BATCH = 20_000


def in_many_events(number: int) -> JsonObject:
    """The person of this number, in one of the events."""
    return {**person(1, number), "event_id": 500 + number % EVENTS, "event_name": f"Race {number % EVENTS}"}


def fill_roster(conninfo: str, people: int = PEOPLE, participant: Callable[[int], JsonObject] = in_many_events) -> None:
    """Append one delivery per participant, and build every projection."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for begin in range(0, people, _BATCH):
            participants = [participant(number) for number in range(begin, min(begin + _BATCH, people))]
            bodies = [body_of(participant) for participant in participants]
            signatures = [sign(body, SECRET) for body in bodies]
            ids = [str(participant["id"]) for participant in participants]
            types = ["event.participant.created"] * len(participants)
            append(connection, (bodies, signatures, types, ids), 1_000)
            print(".", end="", flush=True)
        print(f" {people:,} people")
        connection.execute("vacuum (analyze) event_log")
    engine = sync_engine(conninfo, WORKER_ROLE)
    for projection in catalogue(None):
        _build(engine, conninfo, projection)
    engine.dispose()
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("vacuum (analyze) participants_build, participant_answers_build")


def _build(engine: Engine, conninfo: str, projection: Projection) -> None:
    with steps.only_one(engine, projection.name):
        rebuild = Rebuild(engine, conninfo, projection, None, 2, 500)
        replace(rebuild, build_beside(rebuild))

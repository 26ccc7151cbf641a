"""A rebuild of a million events against the fastest SQL statement that fills the same columns, in turn."""

import resource
import time
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
from sqlalchemy import Engine

from bench.filling import PATTERNS, WITHOUT_ANSWERS, Patterns, fill
from bench.machine import database, show, show_head
from ingest.database import WORKER_ROLE, sync_engine
from projections.catalogue import catalogue
from projections.folding.projection import Projection
from projections.participants.fields import DECLARED, Field, Kind
from projections.rebuild import steps
from projections.rebuild.drop import drop
from projections.rebuild.rebuild import Rebuild, build_beside

EVENTS = 1_000_000
ROUNDS = 5
LARGE = 10_000_000

# The fastest settings found: parallel workers, and maintenance_work_mem for two processes per index (8 MB, the best for
# one session alone, took a quarter longer, 256 MB took 4 % longer). The statement extracts the object once per row, in
# a function scan, so that parallel workers can share the work.
_SETTINGS = """
set max_parallel_workers_per_gather = 2; set parallel_setup_cost = 0; set parallel_tuple_cost = 0;
set work_mem = '256MB'; set maintenance_work_mem = '96MB'
"""
_STATEMENT = """
select l.source, o ->> 'id' as participant_id, {columns},
  l.position as first_position, l.position, l.received_at, '{{}}'::jsonb as field_errors{attributes}
from event_log l
cross join lateral jsonb_extract_path(convert_from(l.body, 'UTF8')::jsonb, 'data', 'object') as o
where l.source = 'movemint'
"""
# By what a participant is sorted and searched, as a plain statement would make it: only of ASCII it is the same.
KEYS = """
left(lower(last_name), 100) as last_name_key, left(lower(first_name), 100) as first_name_key,
left(lower(email), 100) as email_key, left(lower(team), 100) as team_key, lpad(left(bib, 20), 20, '0') as bib_key,
case when bib ~ '^[0-9]{1,18}$' then bib::bigint end as bib_number,
array_to_tsvector(array_remove(regexp_split_to_array(
  lower(concat_ws(' ', first_name, last_name, bib, team)), '[-/,;:()"'' ]+'
), '')) as words
"""
_STATEMENT_OF_ALL = "create table by_sql as select *, " + KEYS.replace("{", "{{").replace("}", "}}") + " from ({}) r"
_INDEXES_OF = """
select regexp_replace(
  regexp_replace(pg_get_indexdef(i.indexrelid), '(, build|\\) INCLUDE \\(build)\\)', ')'),
  'INDEX .* ON ONLY public.' || %s, 'INDEX ON ' || %s
)
from pg_index i
where i.indrelid = %s::regclass
order by i.indisprimary desc, i.indexrelid
"""
# The answers, which a rebuild fills too: read from the stored objects, in the one shape and under the one key here.
_ANSWERS = (
    """
    create table answers_by_sql as
    select p.source, p.participant_id, a.place::integer as place, a.answer ->> 'question_id' as question_id,
      coalesce(a.answer ->> 'question', a.answer ->> 'question_id') as question, a.answer ->> 'answer' as answer,
      p.position, p.event_id,
      coalesce('i' || nullif(a.answer ->> 'question_id', ''), 'w' || (a.answer ->> 'question')) as question_key
    from by_sql p
    cross join lateral jsonb_array_elements(
      case when jsonb_typeof(p.attributes -> 'answers') = 'array' then p.attributes -> 'answers' end
    ) with ordinality as a (answer, place)
    """,
    "participant_answers_build",
    "answers_by_sql",
)
_GUARDS = {
    Kind.INTEGER: "case when {0} ~ '^-?[0-9]{{1,9}}$' then ({0})::integer end",
    Kind.DATE: "case when {0} ~ '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}' then left({0}, 10)::date end",
    Kind.TIME: "case when {0} ~ '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}' then ({0})::timestamptz end",
}


def measure(server: str) -> None:
    """Measure events with answers, which a rebuild keeps in their own table; then as large ones without answers."""
    print("events with an answer each:")
    _measure(database(server, "rebuild_with_answers"), PATTERNS, answers=True)
    print("events without answers:")
    _measure(database(server, "rebuild_without_answers"), WITHOUT_ANSWERS, answers=False)


def _measure(conninfo: str, patterns: Patterns, *, answers: bool) -> None:
    [roster, _] = catalogue(None)
    engine = sync_engine(conninfo, WORKER_ROLE)
    with psycopg.connect(conninfo, autocommit=True) as connection:
        fill(connection, 0, EVENTS, patterns)
        connection.execute("vacuum (analyze) event_log")
        connection.execute(_SETTINGS.encode())
        ways: dict[str, Callable[[], float]] = {
            "rosterlog rebuild, two jobs": lambda: rebuild(engine, conninfo, roster, 2),
            "SQL, with the object": lambda: by_sql(connection, attributes=True),
            "SQL, without the object": lambda: by_sql(connection, attributes=False),
        }
        if answers:
            ways["SQL, with the object and the answers"] = lambda: by_sql(connection, attributes=True, answers=True)
        seconds = _in_turn(ways)
        alone = rebuild(engine, conninfo, roster, 1)
    engine.dispose()
    _show(seconds)
    print(f"with one job: {alone:.1f} s")


def _in_turn(ways: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(ROUNDS + 1):
        for way, run in ways.items():
            took = run()
            if number > 0:  # the first round warms up
                seconds[way].append(took)
                print(f"round {number}  {way:<40}{took:>7.1f} s", flush=True)
    return seconds


def _show(seconds: Mapping[str, list[float]]) -> None:
    show_head()
    for way, values in seconds.items():
        show(f"{way}: s", values, 1)
    rosterlog, *others = seconds
    for other in others:
        pairs = zip(seconds[other], seconds[rosterlog], strict=True)
        show(f"speed against {other}", [other_seconds / rebuild_seconds for other_seconds, rebuild_seconds in pairs], 2)


def measure_growth(server: str) -> None:
    """Measure the same rebuild at one and at ten million events, and the peak memory of its processes."""
    [roster, _] = catalogue(None)
    took: dict[int, float] = {}
    for events in (EVENTS, LARGE):
        conninfo = database(server, f"rebuild_{events}")
        engine = sync_engine(conninfo, WORKER_ROLE)
        with psycopg.connect(conninfo, autocommit=True) as connection:
            fill(connection, 0, events)
            connection.execute("vacuum (analyze) event_log")
        took[events] = rebuild(engine, conninfo, roster, 2)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        print(
            f"{events:,} events: {took[events]:.1f} s, largest process of the rebuild so far {peak:.0f} MB", flush=True
        )
        engine.dispose()
    print(f"ratio {took[LARGE] / took[EVENTS]:.2f}")


def rebuild(engine: Engine, conninfo: str, projection: Projection, jobs: int) -> float:
    """The seconds from the first table to a build that could go live. The build is dropped again."""
    with steps.only_one(engine, projection.name):
        begun = time.perf_counter()
        build = build_beside(Rebuild(engine, conninfo, projection, None, jobs, 500))
        took = time.perf_counter() - begun
        assert drop(engine, build)
    return took


def by_sql(connection: psycopg.Connection[Any], *, attributes: bool, answers: bool = False) -> float:
    """The seconds of the statement, the indexes that a build has, and the statistics; if asked, of the answers too."""
    connection.execute("drop table if exists by_sql, answers_by_sql")
    columns = ", ".join(f"{_expression(field)} as {field.column}" for field in DECLARED.columns)
    statement = _STATEMENT.format(columns=columns, attributes=", o as attributes" if attributes else "")
    begun = time.perf_counter()
    _make(connection, _STATEMENT_OF_ALL.format(statement), "participants_build", "by_sql")
    if answers:
        _make(connection, *_ANSWERS)
    return time.perf_counter() - begun


def _make(connection: psycopg.Connection[Any], statement: str, like: str, table: str) -> None:
    connection.execute(statement.encode())
    for index in indexes_of(connection, like, table):
        connection.execute(index.encode())
    connection.execute(f"analyze {table}".encode())


def indexes_of(connection: psycopg.Connection[Any], like: str, table: str) -> list[str]:
    """The commands that make the indexes of the table `like` on another table, without the column `build`."""
    return [index for (index,) in connection.execute(_INDEXES_OF, [like, table, like]).fetchall()]


def _expression(field: Field) -> str:
    values = [f"nullif({_path(key)}, '')" for key in field.keys]
    value = values[0] if len(values) == 1 else f"coalesce({', '.join(values)})"
    return _GUARDS.get(field.kind, "{0}").format(value)


def _path(key: str) -> str:
    *parents, last = (f"'{part}'" for part in key.split("."))
    return "o" + "".join(f" -> {parent}" for parent in parents) + f" ->> {last}"

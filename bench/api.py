"""The roster API at a million participants in 200 events: pages, search, export; beside the same SQL in psycopg."""

import http.client
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

import psutil
import psycopg

from bench.machine import database, show, show_head
from bench.roster import PEOPLE, fill_roster
from bench.words import WORDS
from ingest.database import sync_engine
from ingest.session import COMMAND, session_commands
from projections.roster.criteria import Criteria, Sorted, criteria, read_parameters
from projections.roster.export.formats import Dialect
from projections.roster.export.rows import copy_csv
from projections.roster.export.table import roster_table
from projections.roster.order import name_of
from projections.roster.page import page_of
from projections.roster.participant_json import spelled
from projections.roster.reading import for_psycopg
from projections.roster.roster import Roster
from projections.web.access import tokens

PAGES = 300  # per sort and depth
WARM_UP = 20  # requests that are not counted
SEARCHES = 200
EXPORTS = 3
_PORT = 8231
_SOURCE = "movemint"


@dataclass(frozen=True, slots=True)
class Server:
    """A running API server, and the one connection over which it is asked."""

    connection: http.client.HTTPConnection
    token: str
    process: psutil.Process

    def get(self, path: str, **query: Any) -> dict[str, Any]:  # noqa: ANN401
        answer: dict[str, Any] = json.loads(self.read(path, **query))
        return answer

    def read(self, path: str, **query: Any) -> bytes:  # noqa: ANN401
        headers = {"Authorization": f"Bearer {self.token}"}
        self.connection.request("GET", f"{path}?{urlencode(query, quote_via=quote)}", headers=headers)
        answer = self.connection.getresponse()
        content = answer.read()
        assert answer.status == 200, content
        return content


def measure(server: str) -> None:
    conninfo = database(server, "api")
    fill_roster(conninfo)
    measure_on(conninfo)


def measure_on(conninfo: str) -> None:
    with _serving(conninfo) as api, psycopg.connect(conninfo, autocommit=True) as sql:
        sql.execute(session_commands(None, COMMAND).encode())
        print(f"{PEOPLE:,} participants; milliseconds unless another unit is named")
        show_head()
        for sort in (None, "last_name", "-registered_at"):
            for depth in (0, PEOPLE // 2):
                _pages(api, sql, sort, depth)
        _searches(api, sql)
        _offsets(sql)
        _exports(api, sql)
        print(f"largest memory of the server: {api.process.memory_info().rss / 1e6:.0f} MB")


def _pages(api: Server, sql: psycopg.Connection[Any], sort: str | None, depth: int) -> None:
    parameters = {"sort": sort} if sort else {}
    cursor, after = _walk(api, sql, parameters, depth)
    statement, values = _statement(parameters, after)
    ways: dict[str, Callable[[], object]] = {
        "api": lambda: api.read("/v1/participants", limit=100, **parameters, **cursor),
        "sql": lambda: _rows(sql, statement, values),
    }
    _compare(f"page of 100, {sort or 'participant_id'}, at {depth:,}", ways, PAGES)


def _searches(api: Server, sql: psycopg.Connection[Any]) -> None:
    generator = random.Random(1)
    took: dict[str, list[float]] = {"api": [], "sql": []}
    for number in range(SEARCHES + WARM_UP):
        parameters = {"q": generator.choice(WORDS)}
        statement, values = _statement(parameters, None)
        by_api = _timed(partial(api.read, "/v1/participants", limit=100, **parameters))
        by_sql = _timed(partial(_rows, sql, statement, values))
        if number >= WARM_UP:
            took["api"].append(by_api)
            took["sql"].append(by_sql)
    _show("q search", took)


def _rows(sql: psycopg.Connection[Any], statement: bytes, values: dict[str, Any] | None = None) -> list[Any]:
    return sql.execute(statement, values).fetchall()


def _offsets(sql: psycopg.Connection[Any]) -> None:
    """What PostgREST does by default with `order` and `offset`, and what Datasette does: an exact count per page."""
    page = "select * from participants where source = 'movemint' order by participant_id limit 100"
    for name, statement in {
        "offset 0, limit 100": page,
        "offset 500,000, limit 100": f"{page} offset 500000",
        "exact count": "select count(*) from participants where source = 'movemint'",
    }.items():
        took = [_timed(partial(_rows, sql, statement.encode())) for _ in range(5)]
        show(f"for comparison, {name}", took, 1)


def _exports(api: Server, sql: psycopg.Connection[Any]) -> None:
    query = psycopg.ClientCursor(sql).mogrify(*for_psycopg(roster_table(Roster(_SOURCE), Criteria()).rows(spelled)))
    took: dict[str, list[float]] = {"api": [], "sql": []}
    for _ in range(EXPORTS):
        took["api"].append(_timed(lambda: _drain(api)))
        took["sql"].append(_timed(lambda: _copy(sql, copy_csv(Dialect()).format(query))))
    show("CSV export by the API: s", [milliseconds / 1000 for milliseconds in took["api"]], 1)
    show("COPY of the same columns: s", [milliseconds / 1000 for milliseconds in took["sql"]], 1)
    show("speed against COPY", [sql_ / api_ for api_, sql_ in zip(took["api"], took["sql"], strict=True)], 2)


def _drain(api: Server) -> None:
    api.connection.request("GET", "/v1/participants.csv", headers={"Authorization": f"Bearer {api.token}"})
    answer = api.connection.getresponse()
    while answer.read(1_000_000):
        pass


def _copy(sql: psycopg.Connection[Any], statement: str) -> None:
    with sql.cursor().copy(statement.encode()) as copying:
        for _ in copying:
            pass


def _walk(
    api: Server, sql: psycopg.Connection[Any], parameters: dict[str, str], depth: int
) -> tuple[dict[str, str], tuple[Any, ...] | None]:
    """The cursor at a depth, and the sort keys of the row before it."""
    cursor: dict[str, str] = {}
    after: tuple[Any, ...] | None = None
    for _ in range(0, depth, 1000):
        cursor = {"cursor": api.get("/v1/participants", limit=1000, **parameters, **cursor)["next"]}
        statement, values = _statement(parameters, after, 1000)
        _, *keys = sql.execute(statement, values).fetchall()[999]
        after = tuple(keys)
    return cursor, after


def _statement(
    parameters: dict[str, str], after: tuple[Any, ...] | None, limit: int = 100
) -> tuple[bytes, dict[str, Any]]:
    """The SQL that the API sends for the page after the row with these sort keys, and its values."""
    empty = None if after is None else tuple(value is None for value in after)
    page = page_of(Roster(_SOURCE), criteria(read_parameters(Sorted, parameters)), empty, limit + 1)
    statement, values = for_psycopg(page)
    return statement.encode(), {**values, **{name_of(place): value for place, value in enumerate(after or ())}}


def _compare(name: str, ways: dict[str, Callable[[], object]], times: int) -> None:
    took: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(times + WARM_UP):
        for way, run in ways.items():
            milliseconds = _timed(run)
            if number >= WARM_UP:
                took[way].append(milliseconds)
    _show(name, took)


def _show(name: str, took: dict[str, list[float]]) -> None:
    for way, milliseconds in took.items():
        show(f"{name}, {way}: p50", [statistics.median(milliseconds)], 1)
        show(f"{name}, {way}: p99", [statistics.quantiles(milliseconds, n=100)[98]], 1)
    p99 = statistics.quantiles(took["api"], n=100)[98]
    show(f"{name}: p99 of the API against SQL's median", [p99 / statistics.median(took["sql"])], 2)


def _timed(run: Callable[[], object]) -> float:
    """The milliseconds that it takes."""
    begun = time.perf_counter()
    run()
    return (time.perf_counter() - begun) * 1000


@contextmanager
def _serving(conninfo: str) -> Iterator[Server]:
    engine = sync_engine(conninfo)
    with engine.begin() as connection:
        token = tokens.create(connection, f"bench-{os.getpid()}", _SOURCE, (), None)
    engine.dispose()
    command = [sys.executable, "-m", "projections", "api", "--port", str(_PORT)]
    environ = {**os.environ, "DATABASE_URL": conninfo, "ROSTERLOG_TOKEN_RATE": "1000000"}
    with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as process:
        try:
            client = http.client.HTTPConnection("127.0.0.1", _PORT, timeout=120)
            for _ in range(100):
                time.sleep(0.1)
                try:
                    client.request("GET", "/readyz")
                    client.getresponse().read()
                    break
                except OSError:
                    client.close()
            yield Server(client, token, psutil.Process(process.pid))
        finally:
            process.terminate()

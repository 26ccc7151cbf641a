"""Every ready report at a million participants and answers, beside the same report on plain tables, in turn."""

import re
import statistics
import time
from collections.abc import Mapping
from typing import Any

import psycopg
from sqlalchemy import Connection, text

from bench.machine import database
from bench.rebuild import KEYS, indexes_of
from bench.roster import PEOPLE, fill_roster
from ingest.database import REPORTING_PII_ROLE, sync_engine
from migrations import objects
from projections.reports.report import Report, ReportRows, reports, run_report, values_of

ROUNDS = 7
_SETTINGS = "set local work_mem = '64MB'"  # as `rosterlog report` sets it
# Parameters of the reports that have no rows here without them.
_PARAMETERS: Mapping[str, Mapping[str, str]] = {
    "editions": {"event": "500", "previous": "501", "start": "2026-08-01", "previous_start": "2026-08-02"},
    "projected_total": {"today": "2026-06-01"},
}
_TABLES = {
    "participants": "participants_build",
    "participant_answers": "participant_answers_build",
    "participant_history": None,
    "deliveries": None,
    "registrations_daily": "registrations_daily_build",
}
_VIEWS = ("events", "sub_events")


def measure(server: str) -> None:
    conninfo = database(server, "reporting")
    fill_roster(conninfo)
    measure_on(conninfo)


def measure_on(conninfo: str) -> None:
    _make_plain(conninfo)
    engine = sync_engine(conninfo, REPORTING_PII_ROLE)
    print(f"{PEOPLE:,} participants and answers; seconds, of {ROUNDS} rounds in turn")
    print(f"{'':<24}{'views':>8}{'most':>8}{'plain':>8}{'ratio':>8}{'min':>8}{'max':>8}")
    with engine.connect() as connection:
        for report in reports().values():
            _compare(connection, report)
    engine.dispose()


def _make_plain(conninfo: str) -> None:
    """Make tables with the views' columns (without the objects), a build's words and indexes, and views over them."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("create schema plain")
        for table, like in _TABLES.items():
            columns = _columns(connection, table)
            connection.execute(f"create table plain.{table} as select {columns} from reporting.{table}".encode())
            for index in indexes_of(connection, like, f"plain.{table}") if like else []:
                connection.execute(index.encode())
        connection.execute("create index on plain.participant_history (source, participant_id, position)")
        connection.execute("create unique index on plain.deliveries (source, position)")
        # The age band is computed when it is read, as in the view that the report reads otherwise.
        connection.execute("alter table plain.participants rename to people")
        connection.execute(f"create view plain.participants as select p.*, {_ages()}".encode())
        for view in _VIEWS:
            made = objects.file("reporting", view).replace("view reporting.", "view plain.")
            connection.execute(made.replace("public.participants", "plain.participants").encode())
        connection.execute("create view plain.freshness as select * from reporting.freshness")
        connection.execute("grant usage on schema plain to public")
        connection.execute("grant select on all tables in schema plain to public")
        connection.execute("vacuum (analyze)")


def _columns(connection: psycopg.Connection[Any], table: str) -> str:
    names = connection.execute(
        "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0 order by attnum",
        [f"reporting.{table}"],
    ).fetchall()
    instead = {"attributes": "null::jsonb as attributes"}
    if table == "participants":
        instead["age_band"] = KEYS
    return ", ".join(instead.get(name, name) for (name,) in names if name != "age_basis")


def _ages() -> str:
    """The age band and its basis as the view has them, and the tables that they are read from."""
    view = objects.file("reporting", "participants").replace("public.participants", "plain.people")
    return view[view.index("reporting.age_band(") : view.index(";")]


def _compare(connection: Connection, report: Report) -> None:
    values = values_of(report, _PARAMETERS.get(report.name, {}))
    plain = Report(
        report.name, report.answers, report.parameters, re.sub(r"reporting\.(?!text_key)", "plain.", report.sql)
    )
    took: dict[str, list[float]] = {"views": [], "plain": []}
    for number in range(ROUNDS + 1):
        answers = []
        for way, variant in (("views", report), ("plain", plain)):
            seconds, result = _timed(connection, variant, values)
            answers.append(result.rows)
            if number > 0:
                took[way].append(seconds)
        assert answers[0] == answers[1], f"{report.name}: the answers differ"
    ratios = [views / tables for views, tables in zip(took["views"], took["plain"], strict=True)]
    on_views, on_tables = statistics.median(took["views"]), statistics.median(took["plain"])
    print(
        f"{report.name:<24}{on_views:>8.2f}{max(took['views']):>8.2f}{on_tables:>8.2f}{statistics.median(ratios):>8.2f}"
        f"{min(ratios):>8.2f}{max(ratios):>8.2f}",
        flush=True,
    )


def _timed(connection: Connection, report: Report, values: Mapping[str, object]) -> tuple[float, ReportRows]:
    """The seconds that a report takes, and its rows."""
    with connection.begin():
        connection.execute(text(_SETTINGS))
        begun = time.perf_counter()
        result = run_report(connection, report, "movemint", values)
        return time.perf_counter() - begun, result

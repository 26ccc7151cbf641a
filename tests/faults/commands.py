"""Faults that meet a command of a person in the middle of one step, which a lock holds up for as long as it takes."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from tests.faults.site import Site
from tests.forked import Started
from tests.program import until


def killed_at(
    command: tuple[str, ...], hold: Callable[[psycopg.Connection[Any]], object], again: tuple[str, ...] | None
) -> Callable[[Site], Any]:
    """Kill a command in the middle of one step: `hold` locks what the step needs, so that the moment is certain.

    `again`: the same, run once more afterwards, has to succeed.
    """

    @contextmanager
    def during(site: Site) -> Iterator[None]:
        with site.database() as holding:
            process = site.command(*command).process
            with holding.transaction(), suppress(psycopg.errors.UndefinedTable):
                hold(holding)
                until(lambda: process.poll() is not None or _is_held_up(site, holding))
                _kill_all(process)
        yield
        if again is not None:
            site.succeeds(*again)

    return during


@contextmanager
def migration_killed(site: Site) -> Iterator[None]:
    """Kill the migration of a new database in the middle: a trigger on its own commands waits for a lock."""
    name = f"fresh_{time.monotonic_ns()}"
    with site.database() as holding:
        holding.execute(f"create database {name}".encode())
    conninfo = make_conninfo(site.conninfo, dbname=name)
    with psycopg.connect(conninfo, autocommit=True) as holding:
        holding.execute(
            "create function hold() returns event_trigger language plpgsql as $$ begin "
            "perform pg_advisory_xact_lock(7); end $$"
        )
        holding.execute(
            "create event trigger hold on ddl_command_end when tag in ('CREATE VIEW') execute function hold()"
        )
        holding.execute("select pg_advisory_lock(7)")
        process = site.command("migrate", DATABASE_URL=conninfo).process
        until(lambda: process.poll() is not None or _is_held_up(site, holding))
        _kill_all(process)
        holding.execute("drop event trigger hold")
    yield
    site.succeeds("migrate", DATABASE_URL=conninfo)
    with site.database() as connection:
        connection.execute(f"drop database {name} with (force)".encode())


@contextmanager
def catch_up_killed(site: Site) -> Iterator[None]:
    """Kill a rebuild while it folds what arrived since: a trigger of its new table waits once there is a checkpoint."""
    with site.database() as holding:
        holding.execute("select pg_advisory_lock(8)")
        before = _newest_build(holding)
        process = site.command(*REBUILD).process
        until(lambda: _newest_build(holding) != before)
        build = _newest_build(holding)
        holding.execute(
            "create or replace function hold() returns trigger language plpgsql security definer as $$ begin "
            f"if exists (select from checkpoint where build = {build} and projection = 'participants') "
            "then perform pg_advisory_xact_lock(8); end if; return null; end $$".encode()
        )
        holding.execute(
            f"create trigger hold before insert on participants_build_{build} execute function hold()".encode()
        )
        until(lambda: process.poll() is not None or _is_held_up(site, holding))
        _kill_all(process)
        holding.execute("drop function hold cascade")
    yield
    site.succeeds(*REBUILD)


def _kill_all(process: subprocess.Popen[str] | Started) -> None:
    """Kill a command with the processes that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _is_held_up(site: Site, holding: psycopg.Connection[Any]) -> bool:
    """Whether another session waits for a lock of this one."""
    query = "select count(*) from pg_stat_activity where %s = any (pg_blocking_pids(pid))"
    with site.database() as connection:
        row = connection.execute(query, [holding.info.backend_pid]).fetchone()
        return row is not None and row[0] > 0


def new_table(mode: str) -> Callable[[psycopg.Connection[Any]], object]:
    """Lock the table of the build that a rebuild has just begun."""
    newest = "select 'participants_build_' || max(build) from projection_build where projection = 'participants'"

    def hold(holding: psycopg.Connection[Any]) -> None:
        before = _newest_build(holding)
        until(lambda: _newest_build(holding) != before)
        row = holding.execute(newest).fetchone()
        assert row is not None
        holding.execute(f"lock table {row[0]} in {mode} mode".encode())

    return hold


def _newest_build(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("select coalesce(max(build), 0) from projection_build").fetchone()
    assert row is not None
    return int(row[0])


def _lock(statement: str) -> Callable[[psycopg.Connection[Any]], object]:
    return lambda holding: holding.execute(statement.encode())


REBUILD = ("rebuild", "participants", "--yes", "--jobs", "2")
ROLLBACK = ("rebuild", "participants", "--rollback")
ERASE = ("erase", "probe-1", "--reason", "fault run", "--yes")
EXPORT = ("export", "participants", "--format", "csv", "--output", "/dev/null")
ROWS_WRITTEN = _lock("lock table participants_build in share mode")
ROWS_READ = _lock("lock table participants_build in access exclusive mode")
POINTER = _lock("select from projection where projection = 'participants' for update")

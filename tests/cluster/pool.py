"""Rung 2: a PgBouncer in transaction mode before a PostgreSQL, killed under load."""

import time
from collections.abc import Callable

from ingest.database import SERVICE_ROLES
from tests.bouncer import Bouncer, bouncer
from tests.cluster.judge import is_folded, judge
from tests.cluster.load import Record, loaded
from tests.cluster.needed import program
from tests.cluster.services import migrated, services
from tests.cluster.table import Table
from tests.cluster.watch import Look, after_outage, folded_at, watching
from tests.program import environ, run, until

TIMES, AWAY_SECONDS = 3, 3.0
BETWEEN = 150  # deliveries answered before and after each time
_LATE_SECONDS = 2.0
_HEAD = ("what happens", "next 200", "next page", "all on the roster", "answered 503")


def run_pool(say: Callable[[str], None]) -> Table:
    found = program("pgbouncer", "pgbouncer")
    table = Table("A pool in transaction mode, killed (`kill -9`) and away for 3 s", _HEAD)
    with migrated(say) as (_, conninfo), bouncer(conninfo, found) as pool:
        _run_through(pool, conninfo, table, say)
    return table


def _run_through(pool: Bouncer, direct: str, table: Table, say: Callable[[str], None]) -> None:
    addresses = {role.removeprefix("rosterlog_"): pool.address(role) for role in SERVICE_ROLES}
    token = run("token", "create", "reader", env=environ(DATABASE_URL=pool.address())).splitlines()[-1]
    with services(addresses) as programs:
        with watching({"direct": direct}) as looks, loaded(programs, token) as record:
            for _ in range(TIMES):
                row = _kill(pool, record, looks, table.problems)
                say(" | ".join(map(str, row)))
                table.rows.append(row)
        until(lambda: is_folded(direct))
        verdict = judge(direct, record.answered)
        table.problems += [*verdict.problems, *programs.ended()]
        table.rows.append((verdict.sentence, *[""] * (len(_HEAD) - 1)))


def _kill(pool: Bouncer, record: Record, looks: list[Look], problems: list[str]) -> tuple[object, ...]:
    record.until_answered(BETWEEN)
    begun = time.monotonic()
    pool.stop()
    time.sleep(AWAY_SECONDS)
    pool.start()
    back = time.monotonic()
    record.until_answered(BETWEEN)
    to = time.monotonic()
    answered = after_outage(record.delivered_at, begun, to)
    folded = until(lambda: folded_at(looks, answered))
    after = [at - back for at in (answered, after_outage(record.paged_at, begun, to), folded)]
    if max(after) > _LATE_SECONDS:
        problems.append(f"{max(after):.1f} s after the pool was back")
    refused = sum(begun <= at <= to for at in record.refused_at)
    return ("killed for 3 s", *(f"{seconds:.1f} s" for seconds in after), refused)

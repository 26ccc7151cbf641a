"""Says in the database that a worker looks at the log: each second, and what it folded last."""

import os
import secrets
import socket
import time
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version

from sqlalchemy import Connection, Engine, text

from projections.folding.table import worker_seen_table

EVERY_SECONDS = 1.0
_FORGET = "1 day"  # workers that were not seen for so long
_NOTE = text(f"""
with forgotten as (delete from worker_seen w where w.seen_at < now() - interval '{_FORGET}')
insert into worker_seen (worker, host, pid, version, working_on)
values (:worker, :host, :pid, :version, :working_on)
on conflict on constraint worker_seen_pkey do update set seen_at = now(), working_on = excluded.working_on
""")  # noqa: S608 - the constant above


@dataclass(frozen=True, slots=True)
class SeenWorker:
    """A worker as it was seen last. `working_on`: the projection and source that it folded; None while it is idle."""

    worker: str
    host: str
    pid: int
    version: str
    seen_at: datetime
    working_on: str | None


class Heartbeat:
    """This process's worker, by a name that no other process has."""

    def __init__(self) -> None:
        self._values = {
            "worker": secrets.token_hex(8),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "version": version("rosterlog"),
        }
        self._noted_at = float("-inf")

    def note(self, engine: Engine, working_on: str | None) -> None:
        """Say that the worker is there, at most once a second, in a transaction of its own."""
        if time.monotonic() - self._noted_at >= EVERY_SECONDS:
            self._noted_at = time.monotonic()
            with engine.begin() as connection:
                connection.execute(_NOTE, {**self._values, "working_on": working_on})


def last_seen(connection: Connection) -> SeenWorker | None:
    """The worker that was seen last; None if none was ever seen."""
    return next(iter(seen_workers(connection, 1)), None)


def seen_workers(connection: Connection, limit: int) -> list[SeenWorker]:
    """Up to `limit` workers that were seen in the last day, the one that was seen last first."""
    query = worker_seen_table.select().order_by(worker_seen_table.c.seen_at.desc()).limit(limit)
    return [SeenWorker(**row) for row in connection.execute(query).mappings()]

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
_ALIVE_SECONDS = 3.0  # since it was seen, for which a worker counts as alive
_FORGET = "1 day"  # workers that were not seen for so long
_NOTE = text(f"""
with forgotten as (delete from worker_seen w where w.seen_at < now() - interval '{_FORGET}')
insert into worker_seen (worker, host, pid, version, working_on)
values (:worker, :host, :pid, :version, :working_on)
on conflict on constraint worker_seen_pkey do update set seen_at = now(), working_on = excluded.working_on
""")  # noqa: S608 - the constant above
_ALIVE = text(f"select w.worker from worker_seen w where w.seen_at > now() - interval '{_ALIVE_SECONDS} s'")  # noqa: S608
# A row has the id of the transaction that wrote it, without its epoch.
_NOTED_IN = text("""
select count(distinct w.xmin::text) from worker_seen w where w.xmin::text::bigint = any (cast(:ids as bigint[]))
""")
_IDS_OF_ROWS = 2**32
_LEAVE = text(f"""
update worker_seen set seen_at = seen_at - interval '{_ALIVE_SECONDS} s' where worker = :worker
""")  # noqa: S608 - the constants above


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
    """This process's worker, by a name that no other process has.

    `workers`: the names of those that are alive, its own among them, as of the last note.
    """

    def __init__(self) -> None:
        self.name = secrets.token_hex(8)
        self.workers = frozenset([self.name])
        self._values = {
            "worker": self.name,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "version": version("rosterlog"),
        }
        self._noted_at = float("-inf")

    def note(self, engine: Engine, working_on: str | None) -> None:
        """Say that the worker is there, and see who else is, at most once a second, in a transaction of its own."""
        if time.monotonic() - self._noted_at >= EVERY_SECONDS:
            self._noted_at = time.monotonic()
            with engine.begin() as connection:
                connection.execute(_NOTE, {**self._values, "working_on": working_on})
                self.workers = frozenset([self.name, *connection.execute(_ALIVE).scalars()])

    def leave(self, engine: Engine) -> None:
        """Say that the worker has ended: it counts as alive no longer, so that its share is another's at once."""
        with engine.begin() as connection:
            connection.execute(_LEAVE, {"worker": self.name})


def are_notes_of_workers(connection: Connection, transactions: range) -> bool:
    """Whether each of these transactions was a worker's note that it is there, and so no other wrote anything."""
    ids = [id_ % _IDS_OF_ROWS for id_ in transactions]
    noted: int = connection.execute(_NOTED_IN, {"ids": ids}).scalar_one()
    return noted == len(ids)


def last_seen(connection: Connection) -> SeenWorker | None:
    """The worker that was seen last; None if none was ever seen."""
    return next(iter(seen_workers(connection, 1)), None)


def seen_workers(connection: Connection, limit: int) -> list[SeenWorker]:
    """Up to `limit` workers that were seen in the last day, the one that was seen last first."""
    query = worker_seen_table.select().order_by(worker_seen_table.c.seen_at.desc()).limit(limit)
    return [SeenWorker(**row) for row in connection.execute(query).mappings()]

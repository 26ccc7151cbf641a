"""Commits that are to wait for a standby: one whose wait was ended by somebody is not answered as kept."""

import asyncio

import pytest

from ingest.connections import Connections
from ingest.database import INGEST_ROLE, connect_async
from ingest.driver import AsyncConnection, CommitNotWaitedFor
from ingest.log.append import append
from ingest.log.event import Receipt
from ingest.session import Deadlines
from tests import model
from tests.fold_all import query
from tests.integration.doctor.test_server import system
from tests.integration.log.test_group_commit import delivery
from tests.program import until

_END_WAITS = """
select count(pg_cancel_backend(pid)) from pg_stat_activity
where wait_event = 'SyncRep' and datname = current_database()
"""


def test_promise_2_a_commit_whose_wait_for_the_standby_was_ended_is_not_answered_as_kept(database: str) -> None:
    """PostgreSQL answers such a commit as any other, with a notice. Delivered again it is known, and was waited for."""

    async def made() -> AsyncConnection:
        return await connect_async(database, INGEST_ROLE, Deadlines(20, 20), read_only=False, autocommit=True)

    async def appended(connections: Connections) -> list[Receipt]:
        return await connections.use(lambda connection: append(connection, "movemint", [delivery(b"1")]))

    async def run() -> None:
        connections = Connections(made, seconds=60.0)
        with system(database, "synchronous_standby_names", "nobody"):
            waiting = asyncio.create_task(appended(connections))
            await asyncio.to_thread(until, lambda: query(database, _END_WAITS) != [(0,)])
            with pytest.raises(CommitNotWaitedFor):
                await waiting
        assert await appended(connections) == [Receipt(1, stored=False)]
        await connections.close()

    asyncio.run(run())
    assert model.stored_bodies(database) == [b"1"]

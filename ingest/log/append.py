"""Appends deliveries in one statement and one commit, by the database's functions that write them to the log."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import accumulate
from typing import Any, LiteralString

import psycopg

from ingest.log.event import Delivery, Receipt

Connection = psycopg.AsyncConnection[Any]
_CANCEL_SECONDS = 1.0  # to ask the server to end a statement

_APPEND = """
select event_position, is_stored
from append_events(%b, %b::bytea[], %b::text[], %b::text[], %b::text[])
order by ordinal
"""

# Where an engine keeps each source's log on a server of its own, the function has to be called there, for one source:
# then this statement does nothing.
_APPEND_TOGETHER = """
select a.event_position, a.is_stored
from (select where to_regclass('pg_catalog.pg_dist_partition') is null) as here
cross join lateral append_events_together(
  %b::text[], %b::int[], %b::int[], %b::bytea[], %b::text[], %b::text[], %b::text[]
) as a
order by a.ordinal
"""

_CAN_APPEND = """
select
  has_function_privilege('append_events(text, bytea[], text[], text[], text[])', 'execute')
  and has_function_privilege(
    'append_events_together(text[], integer[], integer[], bytea[], text[], text[], text[])', 'execute'
  )
  and not pg_is_in_recovery()
  and current_setting('transaction_read_only') = 'off'
"""


async def append(connection: Connection, source: str, deliveries: Sequence[Delivery]) -> list[Receipt]:
    """Append deliveries in their order and commit; gives one receipt each, in the same order.

    The connection is in autocommit mode. When this returns, the events survive a crash. After a `psycopg.Error`
    either all of them are in the log or none.
    """
    return await _receipts(connection, _APPEND, (source, *_columns(deliveries)))


async def append_together(
    connection: Connection, batches: Mapping[str, Sequence[Delivery]]
) -> dict[str, list[Receipt]] | None:
    """Append deliveries of several sources and commit all at once, as `append` does; gives each source's receipts.

    None, with nothing appended, where each source's log has to be written by a statement of its own.
    """
    if len(batches) == 1:
        [(source, deliveries)] = batches.items()
        return {source: await append(connection, source, deliveries)}
    sources = list(batches)
    ends = list(accumulate(len(batches[source]) for source in sources))
    deliveries = [delivery for source in sources for delivery in batches[source]]
    begins = [1, *(end + 1 for end in ends[:-1])]
    receipts = await _receipts(connection, _APPEND_TOGETHER, (sources, begins, ends, *_columns(deliveries)))
    if not receipts:
        return None
    return {source: receipts[begin - 1 : end] for source, begin, end in zip(sources, begins, ends, strict=True)}


async def append_within(
    batches: Mapping[str, Sequence[Delivery]], seconds: float | None, connection: Connection
) -> dict[str, list[Receipt]] | None:
    """As `append_together`; after so many seconds the server is asked to end it, and what it answers then counts."""
    if seconds is None:
        return await append_together(connection, batches)
    appending = asyncio.ensure_future(append_together(connection, batches))
    try:
        await asyncio.wait([appending], timeout=seconds)
        if not appending.done():
            with suppress(psycopg.Error):
                await connection.cancel_safe(timeout=_CANCEL_SECONDS)
        return await appending
    finally:
        appending.cancel()  # if this was cancelled itself


async def can_append(connection: Connection) -> bool:
    """Whether this session could append now: it may call the functions, and the server takes writes."""
    cursor = await connection.execute(_CAN_APPEND)
    row = await cursor.fetchone()
    return row is not None and row[0] is True


def _columns(deliveries: Sequence[Delivery]) -> tuple[list[Any], ...]:
    return (
        [delivery.body for delivery in deliveries],
        [delivery.signature for delivery in deliveries],
        [delivery.event_type for delivery in deliveries],
        [delivery.subject for delivery in deliveries],
    )


async def _receipts(connection: Connection, statement: LiteralString, values: Sequence[Any]) -> list[Receipt]:
    cursor = await connection.execute(statement, values, binary=True)
    return [Receipt(position, stored) for position, stored in await cursor.fetchall()]

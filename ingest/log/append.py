"""Appends deliveries of one source in one statement and one commit; the database function `append_events` does it."""

from collections.abc import Sequence
from typing import Any

import psycopg

from ingest.log.event import Delivery, Receipt

Connection = psycopg.AsyncConnection[Any]

_APPEND = """
select event_position, is_stored
from append_events(%b, %b::bytea[], %b::text[], %b::text[], %b::text[])
order by ordinal
"""

_CAN_APPEND = """
select
  has_function_privilege('append_events(text, bytea[], text[], text[], text[])', 'execute')
  and not pg_is_in_recovery()
  and current_setting('transaction_read_only') = 'off'
"""


async def append(connection: Connection, source: str, deliveries: Sequence[Delivery]) -> list[Receipt]:
    """Append deliveries in their order and commit; gives one receipt each, in the same order.

    The connection is in autocommit mode. When this returns, the events survive a crash. After a `psycopg.Error`
    either all of them are in the log or none.
    """
    cursor = await connection.execute(
        _APPEND,
        (
            source,
            [delivery.body for delivery in deliveries],
            [delivery.signature for delivery in deliveries],
            [delivery.event_type for delivery in deliveries],
            [delivery.subject for delivery in deliveries],
        ),
        binary=True,
    )
    return [Receipt(position, stored) for position, stored in await cursor.fetchall()]


async def can_append(connection: Connection) -> bool:
    """Whether this session could append now: it may call the function, and the server takes writes."""
    cursor = await connection.execute(_CAN_APPEND)
    row = await cursor.fetchone()
    return row is not None and row[0] is True

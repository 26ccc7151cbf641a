"""What follows this server, and whether commits wait for it: a failover to a standby that is behind loses the rest."""

from typing import Any

import psycopg

# Physical standbys and receivers of WAL (`r`); neither logical subscribers nor base backups. A login without
# pg_read_all_stats sees that they are there, and nothing of how they follow.
STANDBYS = """
pg_stat_replication r
left join pg_replication_slots s on s.active_pid = r.pid
where r.state is distinct from 'backup' and s.slot_type is distinct from 'logical'
"""
LOSES = "a failover loses deliveries that were answered 200 and had not reached it, and Movemint does not repeat them"
_UNWAITED = f"select count(*) from {STANDBYS} and current_setting('synchronous_standby_names') = ''".encode()  # noqa: S608 - ours


async def unwaited(connection: psycopg.AsyncConnection[Any]) -> str | None:
    """The sentence about standbys for which no commit waits; None if there are none."""
    row = await (await connection.execute(_UNWAITED)).fetchone()
    number = 0 if row is None else row[0]
    if number == 0:
        return None
    who = "a standby follows" if number == 1 else f"{number} standbys follow"
    return (
        f"{who}, and commits do not wait for {'it' if number == 1 else 'them'}: {LOSES}; set "
        "synchronous_standby_names, with Patroni synchronous_mode"
    )

"""What is different where a pool gives a server's session to another client after each transaction, as PgBouncer does.

Nothing may depend on the session then: see `session`. Whether a statement that was prepared is still known in the next
transaction is the pool's matter, and is found out here.
"""

import secrets

from psycopg import capabilities
from psycopg.abc import PQGen
from psycopg.generators import execute
from psycopg.pq import ExecStatus
from psycopg.pq.abc import PGconn

from ingest.failures import WrongUsage

DIRECT = "ROSTERLOG_DIRECT_DATABASE_URL"


class BehindPool(WrongUsage):
    """What is to be done needs one session from its beginning to its end, which a pool does not give."""

    def __init__(self) -> None:
        super().__init__(
            "this needs a session of its own, and a pool of connections (such as PgBouncer) is between here and the "
            f"database: set {DIRECT} to the address of the PostgreSQL server itself"
        )


def keeps_statements(pgconn: PGconn) -> PQGen[bool]:
    """Whether the pool knows the statements that a client has prepared, and prepares them wherever it needs them.

    Such a pool prepares them under names of its own, so that the server has none of this name. Any other pool would
    let statements of one client meet those of another.
    """
    if not capabilities.has_send_close_prepared():  # the driver's libpq, before 17, could not close them
        return False
    name = f"rosterlog_{secrets.token_hex(8)}".encode()
    asked = b"select count(*) from pg_catalog.pg_prepared_statements where name = '%b'" % name
    pgconn.send_query(b"begin")
    yield from execute(pgconn)
    pgconn.send_prepare(name, asked)
    yield from execute(pgconn)
    pgconn.send_query_prepared(name, None)
    [*_, answer] = yield from execute(pgconn)
    is_translated: bool = answer.status == ExecStatus.TUPLES_OK and answer.get_value(0, 0) == b"0"
    pgconn.send_close_prepared(name)
    yield from execute(pgconn)
    pgconn.send_query(b"rollback")
    yield from execute(pgconn)
    return is_translated

"""The tests' server as if it were no embedded one: its services have no logins but those that are made for them."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import make_conninfo

from ingest import postgres
from ingest.database import SERVICE_ROLES


def unmarked(conninfo: str) -> str:
    """The same address by TCP, of a superuser of which nothing is known."""
    return make_conninfo(conninfo, host="127.0.0.1", fallback_application_name="")


@contextmanager
def without_logins(conninfo: str) -> Iterator[str]:
    """Nobody can log in as a service, for the block; gives the address of the superuser."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        for role in SERVICE_ROLES:
            connection.execute(f"alter role {role} nologin password null".encode())
        try:
            yield unmarked(conninfo)
        finally:
            postgres.keep_logins(connection, SERVICE_ROLES)

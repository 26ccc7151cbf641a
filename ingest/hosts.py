"""In which order the hosts of an address are asked: one that does not answer holds up one connection, not each.

A machine that was switched off, or a server that stands still, refuses nothing: a client waits for it until its time is
over, each time anew. So that host is asked last for a while, and one that took over is reached at once.
"""

import time

import psycopg
from psycopg.conninfo import conninfo_to_dict

from ingest.addresses import OF_HOST, address_of_each
from ingest.driver import AsyncConnection, SyncConnection

SECONDS_FOR_EACH = "2"  # to connect to one of several hosts, if the address does not say; the least that libpq takes
_LAST_FOR_SECONDS = 30.0

_silent_at: dict[tuple[object, ...], float] = {}  # by host, address and port, when it last did not answer in time


def names_several(conninfo: str) -> bool:
    """Whether an address names several hosts; a socket and this machine's own address are two ways to one."""
    hosts = [str(conninfo_to_dict(address).get("host") or "") for address in address_of_each(conninfo)]
    return sum(not host.startswith(("/", "@")) for host in hosts) > 1


def connected(conninfo: str) -> SyncConnection:
    """A connection to the first host that takes it, in autocommit mode. Raises what the last one said."""
    addresses = each_host(conninfo)
    while True:
        try:
            return SyncConnection.connect(addresses[0], autocommit=True)
        except psycopg.Error as error:
            _note_failure(addresses.pop(0), error)
            if not addresses:
                raise


async def connected_async(conninfo: str) -> AsyncConnection:
    """The same for a server."""
    addresses = each_host(conninfo)
    while True:
        try:
            return await AsyncConnection.connect(addresses[0], autocommit=True)
        except psycopg.Error as error:
            _note_failure(addresses.pop(0), error)
            if not addresses:
                raise


def each_host(conninfo: str) -> list[str]:
    """An address for each host of this one, in the order of their turns; the address as it is if it has one host.

    Likewise if the order is not the address's own but the driver's to find: by chance, or standbys before a primary.
    """
    parameters = conninfo_to_dict(conninfo)
    if parameters.get("load_balance_hosts") == "random" or parameters.get("target_session_attrs") == "prefer-standby":
        return [conninfo]
    return sorted(address_of_each(conninfo), key=_was_silent)


def _note_failure(address: str, error: psycopg.Error) -> None:
    if isinstance(error, psycopg.errors.ConnectionTimeout):
        _silent_at[_place(address)] = time.monotonic()
    else:
        _silent_at.pop(_place(address), None)


def _was_silent(address: str) -> bool:
    at = _silent_at.get(_place(address))
    return at is not None and time.monotonic() - at < _LAST_FOR_SECONDS


def _place(address: str) -> tuple[object, ...]:
    parameters = conninfo_to_dict(address)
    return tuple(parameters.get(name) for name in OF_HOST)

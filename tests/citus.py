"""A database of the tests' own on the engine Citus: on the coordinator that they are given, and on its workers."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

NAME = "ROSTERLOG_TEST_CITUS_URL"
URL = os.environ.get(NAME, "")
needs_citus = pytest.mark.skipif(not URL, reason=f"{NAME} names no coordinator of Citus with two workers")
_DATABASE = "rosterlog_test_citus"


def query(conninfo: str, statement: str, *values: object) -> list[tuple[object, ...]]:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        cursor = connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []


def nodes() -> list[tuple[str, int]]:
    """Host and port of the coordinator, then of the workers."""
    rows = query(URL, "select nodename, nodeport from pg_dist_node where noderole = 'primary' order by groupid")
    return [(str(host), int(str(port))) for host, port in rows]


@contextmanager
def database() -> Iterator[str]:
    """An empty database on every node, with the extension and the same workers; gives the coordinator's address."""
    [coordinator, *workers] = nodes()
    every = [make_conninfo(URL, host=host, port=port) for host, port in (coordinator, *workers)]
    made = make_conninfo(every[0], dbname=_DATABASE)
    for node in every:
        query(node, f"drop database if exists {_DATABASE} with (force)")
        query(node, f"create database {_DATABASE} encoding 'UTF8' template template0")
        query(make_conninfo(node, dbname=_DATABASE), "create extension citus")
    query(made, "select citus_set_coordinator_host(%s, %s::int)", *coordinator)
    for worker in workers:
        query(made, "select citus_add_node(%s, %s::int)", *worker)
    try:
        yield made
    finally:
        for node in every:
            query(node, f"drop database if exists {_DATABASE} with (force)")


def place(conninfo: str, source: str) -> tuple[int, str, int]:
    """The number of the shard that has the log of a source, and the host and port of its node."""
    [row] = query(
        conninfo,
        "select shardid, nodename, nodeport from citus_shards "
        "where shardid = get_shard_id_for_distribution_column('event_log', %s::text)",
        source,
    )
    shard, host, port = row
    return int(str(shard)), str(host), int(str(port))


def move(conninfo: str, source: str) -> None:
    """Move what is of a source, and of its shard, to another worker."""
    shard, *old = place(conninfo, source)
    new = next([*each] for each in nodes()[1:] if [*each] != old)
    query(
        conninfo,
        "select citus_move_shard_placement(%s, %s, %s::int, %s, %s::int, shard_transfer_mode => 'auto')",
        shard,
        *old,
        *new,
    )
    assert list(place(conninfo, source)[1:]) == new

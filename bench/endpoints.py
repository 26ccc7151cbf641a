"""The servers that are compared: rosterlog's, the same without the append, and one INSERT and commit per request."""

import asyncio
import hashlib
import itertools
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, nullcontext
from typing import Any

import psycopg
from sqlalchemy import column, table
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import create_async_engine

from bench.load import SECRET
from ingest.log.event import Delivery, Receipt
from ingest.refusals import Refusals
from ingest.settings import DEFAULT_SOURCE, Settings, read_settings
from ingest.web.app import Part, build_app
from ingest.web.serve import bind, run_server, serve
from ingest.webhook import Webhook
from ingest.webhook_part import ingest_part, webhook_route

PLAIN_TABLE = """
create table if not exists plain_log (
  source text not null, position bigint generated always as identity, received_at timestamptz not null default now(),
  event_type text, subject text, digest bytea not null, body bytea not null, signature text not null,
  primary key (source, position), unique (source, digest)
)
"""
_PLAIN_INSERT = """
insert into plain_log (source, event_type, subject, digest, body, signature) values (%s, %s, %s, %s, %s, %s)
on conflict (source, digest) do nothing returning position
"""
_PLAIN_CONNECTIONS = 16


def ceiling() -> Part:
    """Rosterlog's server without the append: what the web server alone can do."""
    positions = itertools.count(1)

    async def append(_delivery: Delivery) -> Receipt:
        return Receipt(next(positions), stored=True)

    return Part([webhook_route(_webhook(append))], nullcontext, {})


def plain(conninfo: str) -> Part:
    """The plain design with every shortcut: psycopg alone, in autocommit mode, prepared, with a pool of its own."""
    idle: asyncio.Queue[psycopg.AsyncConnection[Any]] = asyncio.Queue()

    async def append(delivery: Delivery) -> Receipt:
        digest = hashlib.sha256(delivery.body).digest()
        values = (delivery.source, delivery.event_type, delivery.subject, digest, delivery.body, delivery.signature)
        connection = await idle.get()
        try:
            row = await (await connection.execute(_PLAIN_INSERT, values)).fetchone()
        finally:
            idle.put_nowait(connection)
        return Receipt(row[0] if row else 0, row is not None)

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        for _ in range(_PLAIN_CONNECTIONS):
            idle.put_nowait(await psycopg.AsyncConnection.connect(conninfo, autocommit=True))
        yield
        while not idle.empty():
            await idle.get_nowait().close()

    return Part([webhook_route(_webhook(append))], running, {})


def plain_sqlalchemy(conninfo: str) -> Part:
    """The plain design as usually written: SQLAlchemy's pool, one transaction with one INSERT per request."""

    async def connect(*_: object, **__: object) -> psycopg.AsyncConnection[Any]:
        return await psycopg.AsyncConnection.connect(conninfo)

    engine = create_async_engine("postgresql+psycopg://", async_creator=connect, pool_size=_PLAIN_CONNECTIONS)
    names = ("source", "event_type", "subject", "digest", "body", "signature")
    log = table("plain_log", column("position"), *(column(name) for name in names))
    insertion = insert(log).on_conflict_do_nothing().returning(log.c.position)

    async def append(delivery: Delivery) -> Receipt:
        digest = hashlib.sha256(delivery.body).digest()
        values = (delivery.source, delivery.event_type, delivery.subject, digest, delivery.body, delivery.signature)
        async with engine.begin() as connection:
            position = (await connection.execute(insertion, dict(zip(names, values, strict=True)))).scalar()
        return Receipt(position or 0, position is not None)

    return Part([webhook_route(_webhook(append))], nullcontext, {})


def _webhook(append: Callable[[Delivery], Coroutine[Any, Any, Receipt]]) -> Webhook:
    settings = _settings()

    def begun(delivery: Delivery) -> asyncio.Future[Receipt]:
        return asyncio.ensure_future(append(delivery))

    return Webhook(settings.sources, begun, Refusals(_uncounted), settings.max_body_bytes)


async def _uncounted(_numbers: object) -> None:
    """What is refused here is written nowhere."""


def _settings() -> Settings:
    return read_settings({"MOVEMINT_WEBHOOK_SECRET": SECRET.decode()})


def main() -> None:
    kind, conninfo = sys.argv[1:]
    parts: dict[str, Callable[[], Part]] = {
        "rosterlog": lambda: ingest_part(_settings(), _settings().sources, conninfo),
        "ceiling": ceiling,
        "plain": lambda: plain_sqlalchemy(conninfo),
        "plain, tuned": lambda: plain(conninfo),
    }
    part = parts[kind]()
    bound = bind("127.0.0.1", 0)
    port = bound.getsockname()[1]
    run_server(serve(build_app([part]), bound, lambda: print(port, flush=True)))


if __name__ == "__main__":
    assert DEFAULT_SOURCE in _settings().sources
    main()

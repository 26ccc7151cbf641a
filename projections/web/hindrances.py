"""The readiness of the API: whether the roster can be read, and whether it is kept up to date."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from ingest.driver import answered_within
from ingest.web.readiness import CHECK_SECONDS, Check
from projections.folding.health import unseen_worker
from projections.folding.projection import Projection
from projections.folding.status import read_projections
from projections.roster.reading import Connects
from projections.web.dispatch import DATABASE_AWAY
from projections.web.replicas import Replicas

_READS = text("select source from participants limit 1")
_MARGIN = 0.1  # that a check waits longer than its driver, which does not limit how long connecting takes
_LEFT_OUT_WITHIN = 4.0  # seconds, a server that cannot be read: two looks, and what a busy machine adds


def roster_checks(replicas: Replicas, projections: Sequence[Projection]) -> Mapping[str, Check]:
    """The checks by name; each gives what hinders, None if nothing does or if that cannot be read."""
    engine = replicas.answering
    of_projections = {each.name: partial(_hindrance_of, engine, each) for each in projections}
    workers = partial(_hindrance_of_workers, engine, projections)
    return {"roster": _Readable(replicas).hindrance, "workers": workers, **of_projections}


@asynccontextmanager
async def _connected(engine: Connects) -> AsyncIterator[AsyncConnection]:
    """A connection for a check, which ends in time."""
    async with asyncio.timeout(CHECK_SECONDS + _MARGIN):
        with answered_within(CHECK_SECONDS):
            async with engine.connect() as connection:
                yield connection


class _Readable:
    """Whether the roster can be read: from one server, or from another one as soon as that is left out."""

    def __init__(self, replicas: Replicas) -> None:
        self._replicas = replicas
        self._unread: tuple[str | None, float] | None = None  # which server, and since when by the monotonic clock

    async def hindrance(self) -> str | None:
        """Why the roster cannot be read; None if it can, or will be in a moment."""
        server, begun = self._replicas.chosen, time.monotonic()
        try:
            async with _connected(self._replicas.answering) as connection:
                await connection.execute(_READS)
        except DATABASE_AWAY as error:
            if self._unread is None or self._unread[0] != server:
                self._unread = server, begun
            is_new = time.monotonic() - self._unread[1] < _LEFT_OUT_WITHIN
            return None if is_new and self._replicas.leads_on(error) else "it cannot be read"
        self._unread = None
        return None


async def _hindrance_of(engine: Connects, projection: Projection) -> str | None:
    """Why a projection is not kept up to date; None if it is, or if that cannot be read."""
    try:
        async with _connected(engine) as connection:
            [status] = await connection.run_sync(read_projections, [projection])
    except DATABASE_AWAY:
        return None
    return "a rebuild is needed" if status.needs_rebuild else None


async def _hindrance_of_workers(engine: Connects, projections: Sequence[Projection]) -> str | None:
    """Why no worker seems to fold; None if one does, or if that cannot be read."""
    try:
        async with _connected(engine) as connection:
            return await connection.run_sync(unseen_worker, projections)
    except DATABASE_AWAY:
        return None

"""The readiness of the API: whether the roster can be read, and whether it is kept up to date."""

from collections.abc import Mapping, Sequence
from functools import partial

from sqlalchemy import text

from ingest.driver import answered_within
from ingest.web.readiness import CHECK_SECONDS, Check
from projections.folding.health import unseen_worker
from projections.folding.projection import Projection
from projections.folding.status import read_projections
from projections.roster.reading import Connects
from projections.web.dispatch import DATABASE_AWAY

_READS = text("select source from participants limit 1")


def roster_checks(engine: Connects, projections: Sequence[Projection]) -> Mapping[str, Check]:
    """The checks by name; each gives what hinders, None if nothing does or if that cannot be read."""
    of_projections = {each.name: partial(_hindrance_of, engine, each) for each in projections}
    roster, workers = partial(_hindrance, engine), partial(_hindrance_of_workers, engine, projections)
    return {"roster": roster, "workers": workers, **of_projections}


async def _hindrance(engine: Connects) -> str | None:
    """Why the roster cannot be read; None if it can."""
    try:
        with answered_within(CHECK_SECONDS):
            async with engine.connect() as connection:
                await connection.execute(_READS)
    except DATABASE_AWAY:
        return "it cannot be read"
    return None


async def _hindrance_of(engine: Connects, projection: Projection) -> str | None:
    """Why a projection is not kept up to date; None if it is, or if that cannot be read."""
    try:
        with answered_within(CHECK_SECONDS):
            async with engine.connect() as connection:
                [status] = await connection.run_sync(read_projections, [projection])
    except DATABASE_AWAY:
        return None
    return "a rebuild is needed" if status.needs_rebuild else None


async def _hindrance_of_workers(engine: Connects, projections: Sequence[Projection]) -> str | None:
    """Why no worker seems to fold; None if one does, or if that cannot be read."""
    try:
        with answered_within(CHECK_SECONDS):
            async with engine.connect() as connection:
                return await connection.run_sync(unseen_worker, projections)
    except DATABASE_AWAY:
        return None

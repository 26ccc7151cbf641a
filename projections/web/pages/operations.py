"""The page of operations: one sentence that says how things are, then each source. Nothing on it is personal."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from projections.folding.health import Health, read_health
from projections.folding.needs import needs
from projections.folding.projection import Projection


async def read_operations(engine: AsyncEngine, projections: Sequence[Projection]) -> Mapping[str, Any]:
    """What the page shows, by one look at the database."""
    async with engine.connect() as connection:
        health = await connection.run_sync(read_health, projections, ())
    return {"needs": needs(health), "last": _last(health), "health": health}


def _last(health: Health) -> Any:  # noqa: ANN401 - a time or None
    """When the last delivery of all arrived."""
    return max(filter(None, (source.last_received_at for source in health.sources)), default=None)

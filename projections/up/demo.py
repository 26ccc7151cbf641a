"""`up --demo`: a token, and a few hundred made-up registrations that the simulator delivers over HTTP."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from ingest.cli.invocation import runnable
from ingest.log.read import heads, holds_any
from ingest.settings import DEFAULT_SOURCE
from ingest.simulator.deliver import Target, deliver
from ingest.simulator.plan import Amount, Wishes, plan
from projections.folding.projection import Projection
from projections.folding.status import read_status
from projections.web.access import tokens

TOKEN_NAME = "demo"  # noqa: S105 - a name
_FOLD_SECONDS = 60.0
WISHES = Wishes(count=240, participants=200, duplicates=Amount(24), reorder=Amount(24), corrupt=Amount(1), seed=2026)


def is_demo(connection: Connection) -> bool:
    """Whether a demo was run on this database before: the log has one of its deliveries."""
    digests = [hashlib.sha256(planned.body).digest() for planned in plan(WISHES)]
    return holds_any(connection, DEFAULT_SOURCE, digests)


def holds_registrations(connection: Connection) -> bool:
    """Whether the log has events but none of a demo: made-up people must never be added to real registrations."""
    return bool(heads(connection)) and not is_demo(connection)


def fresh_token(connection: Connection) -> str:
    """A new token of the demo. The token of an earlier run cannot be shown again, so it is revoked."""
    tokens.revoke(connection, TOKEN_NAME)
    return tokens.create(connection, TOKEN_NAME, DEFAULT_SOURCE, (), None)


async def run_demo(
    engine: Engine, projections: Sequence[Projection], base_url: str, secret: bytes, tell: Callable[[str], None]
) -> None:
    """Deliver the demo's registrations, and wait up to a minute until they are on the roster."""
    target = Target(f"{base_url}/webhooks/{DEFAULT_SOURCE}", secret)
    outcome = await deliver(plan(WISHES), target, lambda: None)
    for line in outcome.lines():
        tell(line)
    try:
        async with asyncio.timeout(_FOLD_SECONDS):
            while await asyncio.to_thread(_lag, engine, projections):
                await asyncio.sleep(0.05)
    except (TimeoutError, DBAPIError):
        tell(runnable("the roster has not caught up; rosterlog status shows how far it is"))


def _lag(engine: Engine, projections: Sequence[Projection]) -> int:
    with engine.connect() as connection:
        return sum(status.lag for status in read_status(connection, projections, ()))

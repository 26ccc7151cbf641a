"""`up --demo`: a token, and some hundred made-up registrations that the fake Movemint delivers over HTTP."""

import asyncio
from collections.abc import Callable

from sqlalchemy import Connection, Engine

from ingest.log.read import heads
from ingest.settings import DEFAULT_SOURCE
from ingest.simulator.deliver import Target, deliver
from ingest.simulator.plan import Amount, Wishes, plan
from projections.status import read_status
from projections.web import tokens

TOKEN_NAME = "demo"  # noqa: S105 - a name
WISHES = Wishes(count=240, participants=200, duplicates=Amount(24), reorder=Amount(24), corrupt=Amount(1), seed=2026)


def is_demo(connection: Connection) -> bool:
    """Whether a demo was run on this database before: its token is there."""
    return any(token.name == TOKEN_NAME for token in tokens.listed(connection))


def holds_registrations(connection: Connection) -> bool:
    """Whether the log has events that are not a demo's. Made-up people must never be added to those."""
    return bool(heads(connection)) and not is_demo(connection)


def fresh_token(connection: Connection) -> str:
    """A new token of the demo's name; the one of last time, which nobody can see again, ends."""
    tokens.revoke(connection, TOKEN_NAME)
    return tokens.create(connection, TOKEN_NAME, DEFAULT_SOURCE, (), None)


async def run_demo(engine: Engine, base_url: str, secret: bytes, tell: Callable[[str], None]) -> None:
    """Deliver the demo's registrations and wait until they are on the roster."""
    target = Target(f"{base_url}/webhooks/{DEFAULT_SOURCE}", secret)
    outcome = await deliver(plan(WISHES), target, lambda: None)
    for line in outcome.lines():
        tell(line)
    while _lag(engine):
        await asyncio.sleep(0.05)


def _lag(engine: Engine) -> int:
    with engine.connect() as connection:
        return sum(status.lag for status in read_status(connection, ()))

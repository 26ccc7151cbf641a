"""Puts the webhook together: the sources it checks deliveries with, its group commit, its refusals and its bounds."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from html import escape
from urllib.parse import quote

from starlette.routing import Route

from ingest.connections import Connections
from ingest.database import INGEST_ROLE, connect_async
from ingest.disk import disk_hindrance, free_bytes
from ingest.driver import AsyncConnection, answered_within
from ingest.group_commit import GroupCommit
from ingest.lanes import Limits
from ingest.log.refused import count_refused
from ingest.metrics import Reading
from ingest.misdirected import misdirected_routes
from ingest.refusals import Numbers, Refusals
from ingest.session import Deadlines
from ingest.settings import Settings
from ingest.source_labels import SourceLabels
from ingest.sources import Secrets
from ingest.watched_sources import WatchedSources
from ingest.web.app import Part
from ingest.web.bounds import Bounds
from ingest.web.readiness import WEBHOOK, Check
from ingest.web.shortcut import Take
from ingest.webhook import Webhook

_COUNTING_SECONDS = 3.0  # to write the numbers of refused deliveries


def ingest_part(settings: Settings, sources: Mapping[str, Secrets], conninfo: str, processes: int = 1) -> Part:
    """The webhook of these sources, with a group commit of its own. `processes`: how many share a server's bounds."""
    # Shorter than the wait for an answer, so that PostgreSQL says that a lock was not to be had.
    deadlines = Deadlines(statement=0.8 * settings.answer_seconds, idle=settings.answer_seconds)

    async def connect() -> AsyncConnection:
        return await connect_async(conninfo, INGEST_ROLE, deadlines, read_only=False, autocommit=True)

    limit = Limits(settings.max_pending, settings.max_pending_bytes, settings.answer_seconds)
    commit = GroupCommit(Connections(connect, settings.answer_seconds), limit.among(processes, settings.max_body_bytes))
    labels = SourceLabels()
    refusals = Refusals(partial(_write_refusals, connect), labels)
    webhook = Webhook(sources, commit.append, refusals, settings.max_body_bytes, labels)
    watched, shortcuts = _watched(webhook, settings, sources)
    bounds = Bounds(body_bytes=settings.max_body_bytes, arriving_bytes=settings.arriving_bytes).among(processes)

    @asynccontextmanager
    async def running() -> AsyncIterator[None]:
        async with commit.running():
            counting = asyncio.create_task(refusals.run())
            watching = asyncio.create_task(watched.run())
            try:
                yield
            finally:
                watching.cancel()
                counting.cancel()
                await asyncio.wait([counting])  # what it could not write any more is written now
                await refusals.flush()

    def readings() -> list[Reading]:
        return [*webhook.readings(), *commit.readings(), *watched.readings()]

    checks: dict[str, Check] = {"log": commit.hindrance}
    if settings.database_url is None:
        checks["disk"] = partial(_hindrance_of_disk, settings)
    return Part(
        [webhook_route(webhook), *misdirected_routes(refusals)], running, checks, bounds=bounds, readings=readings,
        shortcuts=shortcuts, read_again=watched.look_now, serves=WEBHOOK, about=_about(settings.public_url),
        remarks=[commit.remark],
    )  # fmt: skip


async def _hindrance_of_disk(settings: Settings) -> str | None:
    return disk_hindrance(free_bytes(settings.data_dir))


def _about(public_url: str | None) -> str:
    return (
        "It receives the deliveries of Movemint's webhooks. The address of a webhook ends with the name of its source: "
        f"<code>{escape(public_url or '')}/webhooks/movemint</code>, for one."
    )


async def _write_refusals(connect: Callable[[], Awaitable[AsyncConnection]], numbers: Numbers) -> None:
    """On a connection of its own: nothing that happens to it may hinder an append."""
    with answered_within(_COUNTING_SECONDS):
        connection = await connect()
        try:
            by_value = {(source, reason.value, hour): number for (source, reason, hour), number in numbers.items()}
            async with connection.transaction():  # all or none: what fails is written again
                await count_refused(connection, by_value)
        finally:
            await connection.close()


def webhook_route(webhook: Webhook) -> Route:
    return Route("/webhooks/{source}", webhook, methods=["POST"])


def _watched(
    webhook: Webhook, settings: Settings, found: Mapping[str, Secrets]
) -> tuple[WatchedSources, Mapping[bytes, Take]]:
    """What keeps the webhook's sources as the operator's file has them, and the shortcuts to these."""
    shortcuts: dict[bytes, Take] = {}

    def take(sources: Mapping[str, Secrets]) -> None:
        webhook.take_sources(sources)
        shortcuts.clear()
        shortcuts.update(_shortcuts(webhook, sources))

    take(found)
    return WatchedSources(settings, found, take), shortcuts


def _shortcuts(webhook: Webhook, sources: Iterable[str]) -> dict[bytes, Take]:
    return {f"/webhooks/{quote(source)}".encode(): partial(webhook.take, source) for source in sources}

"""Who is signed in on the pages: sessions of tokens in the database, and links that begin one without a token."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import (
    Column,
    CompoundSelect,
    Connection,
    DateTime,
    ForeignKeyConstraint,
    Function,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    func,
    insert,
    select,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncEngine

from ingest.database import metadata
from projections.roster.reading import in_snapshot
from projections.web.access.tokens import NO_SOURCE, api_token, digest

SESSION_SECONDS = 14 * 24 * 3600
LINK_MINUTES = 15

page_session = Table(
    "page_session",
    metadata,
    Column("digest", LargeBinary, nullable=False),
    Column("token", LargeBinary, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("digest", name="page_session_pkey"),
    ForeignKeyConstraint(["token"], ["api_token.digest"], name="page_session_token", ondelete="CASCADE"),
    Index("page_session_token", "token"),
)
sign_in_link = Table(
    "sign_in_link",
    metadata,
    Column("digest", LargeBinary, nullable=False),
    Column("token", LargeBinary, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    PrimaryKeyConstraint("digest", name="sign_in_link_pkey"),
    ForeignKeyConstraint(["token"], ["api_token.digest"], name="sign_in_link_token", ondelete="CASCADE"),
    Index("sign_in_link_token", "token"),
)
_SIGNED = """
select t.digest, t.source = %(no_source)s as is_operator
from page_session s
join api_token t on t.digest = s.token
where s.digest = %(session)s and s.expires_at > now() and t.revoked_at is null
"""


@dataclass(frozen=True, slots=True)
class Signed:
    """What a session is of: the digest of its token, and whether that is an operator's."""

    token: bytes
    is_operator: bool


class Sessions:
    """The sessions, over an engine whose database can be written: never a replica."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def begin(self, token: bytes) -> str | None:
        """Begin a session of the token with this digest, and return its secret; None if the token is not valid."""
        return await self._begin(lambda session: func.begin_session(session, token, SESSION_SECONDS))

    async def begin_by_link(self, link: str) -> str | None:
        """Use a link up: the secret of its session; None if it was used before, has expired, or never was."""
        return await self._begin(lambda session: func.begin_session_by_link(session, digest(link), SESSION_SECONDS))

    async def signed(self, session: str) -> Signed | None:
        """What a session is of; None if it has ended, has expired, or its token was revoked."""
        async with in_snapshot(self._engine, _SIGNED, {"session": digest(session), "no_source": NO_SOURCE}) as (_, row):
            return None if row is None else Signed(*row)

    async def end(self, session: str) -> None:
        """End a session: somebody signs out."""
        async with self._engine.begin() as connection:
            await connection.execute(select(func.end_session(digest(session))))

    async def _begin(self, begins: Callable[[bytes], Function[bool]]) -> str | None:
        session = secrets.token_urlsafe(32)
        async with self._engine.begin() as connection:
            has_begun = (await connection.execute(select(begins(digest(session))))).scalar_one()
        return session if has_begun else None


def live_digests() -> CompoundSelect[bytes]:
    """The query for the digests of all valid tokens, of all sessions, and of all links."""
    token, session, link = api_token.c, page_session.c, sign_in_link.c
    valid = token.expires_at.is_(None) | (token.expires_at > func.now())
    of_tokens = select(token.digest).where(token.revoked_at.is_(None), valid)
    of_sessions = select(session.digest).where(session.expires_at > func.now())
    return union_all(of_tokens, of_sessions, select(link.digest).where(link.expires_at > func.now()))


def make_link(connection: Connection, token: str) -> str:
    """Make a link of a token that signs in once, within `LINK_MINUTES`; return its secret, which is stored nowhere."""
    link = secrets.token_urlsafe(32)
    expires_at = datetime.now(UTC) + timedelta(minutes=LINK_MINUTES)
    values = {"digest": digest(link), "token": digest(token), "expires_at": expires_at}
    connection.execute(insert(sign_in_link).values(**values))
    return link

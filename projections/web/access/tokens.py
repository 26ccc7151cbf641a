"""The bearer tokens of the read API: made, listed, revoked, looked up. Only their SHA-256 is stored."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    Boolean,
    Column,
    Connection,
    DateTime,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    Row,
    Select,
    Table,
    Text,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError

from ingest.database import metadata
from ingest.sqlstate import constraint

TOKEN_PREFIX = "rosterlog_"  # noqa: S105 - what every token begins with
NO_SOURCE = ""  # of an operator's token, which is of no roster

api_token = Table(
    "api_token",
    metadata,
    Column("source", Text(collation="C"), nullable=False),
    Column("name", Text(collation="C"), nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("event_ids", ARRAY(Text)),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("expires_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    Column("last_used_at", DateTime(timezone=True)),
    Column("sees_personal_data", Boolean, nullable=False, server_default=text("true")),
    PrimaryKeyConstraint("digest", name="api_token_pkey"),
    Index("api_token_live_name", "name", unique=True, postgresql_where=text("revoked_at is null")),
)


class NameTaken(Exception):
    """A live token of this name exists."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a token may see: one source, of that everything or the named events; and whether what is personal."""

    source: str
    event_ids: tuple[str, ...] | None
    digest: bytes
    sees_personal_data: bool = True


def create(
    connection: Connection,
    name: str,
    source: str,
    event_ids: Sequence[str],
    expires_at: datetime | None,
    *,
    sees_personal_data: bool = True,
) -> str:
    """Store a new token's digest and return the token, which is stored nowhere. Raises `NameTaken`.

    With `NO_SOURCE` it is an operator's token, which sees the figures of all sources and no participant.
    """
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    try:
        connection.execute(
            insert(api_token).values(
                source=source,
                name=name,
                digest=digest(token),
                event_ids=list(event_ids) or None,
                expires_at=expires_at,
                sees_personal_data=sees_personal_data,
            )
        )
    except IntegrityError as error:
        if constraint(error) != "api_token_live_name":
            raise
        raise NameTaken(name) from None
    return token


def revoke(connection: Connection, name: str) -> bool:
    """End the live token of this name, at once. False if there is none."""
    live = update(api_token).where(api_token.c.name == name, api_token.c.revoked_at.is_(None))
    return connection.execute(live.values(revoked_at=func.now())).rowcount > 0


def live_tokens(
    connection: Connection,
) -> Sequence[Row[str, str, list[str] | None, bool, datetime, datetime | None, datetime | None]]:
    """The live tokens: name, source, events, whether each sees personal data, made, expires, last used."""
    token = api_token.c
    scope = token.name, token.source, token.event_ids, token.sees_personal_data
    columns = select(*scope, token.created_at, token.expires_at, token.last_used_at)
    return connection.execute(columns.where(token.revoked_at.is_(None)).order_by(token.name)).all()


# The scope of the token with this `digest` and the revision of its source's roster: source, event_ids,
# sees_personal_data, build, position, change, mark; the source of an operator's is empty. No row: the token is unknown,
# revoked or expired.
LOOKED_UP = """
select s.source, s.event_ids, s.sees_personal_data, s.build, s.position, s.change, s.mark
from scope_of(%(digest)s) s
"""


def is_operator(digest: bytes) -> Select[Any]:
    """The query whether a valid token is an operator's. No row: the token is unknown, revoked or expired."""
    stored = api_token.c
    valid = stored.expires_at.is_(None) | (stored.expires_at > func.now())
    return select(stored.source == NO_SOURCE).where(stored.digest == digest, stored.revoked_at.is_(None), valid)


def digest(token: str) -> bytes:
    """What is stored of a token."""
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()

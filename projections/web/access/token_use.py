"""Records which tokens are in use, in the background: no request waits for it or fails because of it."""

import asyncio
import logging

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from ingest.sqlstate import error_fields

logger = logging.getLogger(__name__)

_EVERY_SECONDS = 2.0
_RECORD = text("select note_token_use(:digest)")


class TokenUse:
    """The digests of the tokens used since the last flush. `engine` None: nothing is recorded."""

    def __init__(self, engine: AsyncEngine | None, away: tuple[type[Exception], ...]) -> None:
        self._engine = engine
        self._away = away
        self._used: set[bytes] = set()

    def note(self, digest: bytes) -> None:
        if self._engine is not None:
            self._used.add(digest)

    async def run(self) -> None:
        """Flush every two seconds, for ever; to be run as a task of the server."""
        while self._engine is not None:
            await asyncio.sleep(_EVERY_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Record the noted tokens. Those that cannot be recorded are dropped: each is noted again at its next use."""
        used, self._used = self._used, set()
        if not used or self._engine is None:
            return
        try:
            async with self._engine.begin() as connection:
                for digest in sorted(used):
                    await connection.execute(_RECORD, {"digest": digest})
        except self._away as error:
            logger.warning("use of tokens not written down", extra={"fields": error_fields(error)})

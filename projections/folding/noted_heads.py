"""Notes the sources and heads of the log that no append has noted, such as those of a restored log."""

import time

from sqlalchemy import Engine, text

_EVERY_SECONDS = 60.0
_AGAIN_SECONDS = 5.0  # after a failure, as by the lock of a source whose append is under way
_NOTE_HEADS = text("select note_heads()")


class NotedHeads:
    """A worker's work beside folding: at its start, and once a minute."""

    def __init__(self) -> None:
        self._next_at = float("-inf")

    def __call__(self, engine: Engine) -> bool:
        """False: there is nothing left to do."""
        if time.monotonic() >= self._next_at:
            self._next_at = time.monotonic() + _AGAIN_SECONDS
            with engine.begin() as connection:
                connection.execute(_NOTE_HEADS)
            self._next_at = time.monotonic() + _EVERY_SECONDS
        return False

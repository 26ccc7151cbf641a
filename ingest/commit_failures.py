"""What the last commits showed to be in the way of the next ones: of all, or of single sources."""

import asyncio
from collections.abc import Iterable

MOST_TOLD = 5  # sources
_AWAY_SECONDS = 0.5  # for so long after the database failed, every delivery is refused at once
_FAILING_SECONDS = 5.0  # for so long after a failure the server is not ready, unless a commit succeeds


class CommitFailures:
    """The failures of the last seconds. A commit that succeeds ends those of all, and that of its own source."""

    def __init__(self) -> None:
        self._away_until = 0.0  # all of them by the loop's time
        self._failing_until = 0.0
        self._why = ""
        self._sources: dict[str, float] = {}

    @property
    def is_away(self) -> bool:
        """Whether the database failed just now, so that nothing need be tried."""
        return _now() < self._away_until

    def note_success(self) -> None:
        """Something was committed, so that what failed is no failure of all."""
        self._failing_until = 0.0

    def note_end(self, source: str) -> None:
        """A commit of this source succeeded."""
        self._sources.pop(source, None)

    def note_away(self, why: str) -> None:
        """No append can succeed now."""
        self._away_until = _now() + _AWAY_SECONDS
        self._failing_until, self._why = _now() + _FAILING_SECONDS, why

    def note_shared(self, sources: Iterable[str]) -> None:
        """The commit that these sources shared had no answer in time."""
        self._failing_until, self._why = _now() + _FAILING_SECONDS, _no_commit_for(sources)

    def note_source(self, source: str) -> None:
        """This source's commit took too long, or failed as no other source's does."""
        self._sources[source] = _now() + _FAILING_SECONDS

    def hindrance(self, stalled: Iterable[str]) -> str | None:
        """Why an append would not succeed. `stalled`: sources whose commit under way takes too long already."""
        sources = {*stalled, *(source for source, until in self._sources.items() if _now() < until)}
        if sources:
            return _no_commit_for(sorted(sources))
        return self._why if _now() < self._failing_until else None


def _no_commit_for(sources: Iterable[str]) -> str:
    return f"no commit in time for {', '.join(list(sources)[:MOST_TOLD])}"


def _now() -> float:
    return asyncio.get_running_loop().time()

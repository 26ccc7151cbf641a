"""Keeps the sources of a running server as the operator's file or folder has them, which is read again when it changes.

A change is taken once two looks have seen it alike, so that nothing half-written is. What cannot be used is said, once,
and the secrets there were stay in use.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from ingest.metrics import SOURCES_PROBLEMS, Reading
from ingest.settings import Settings, SettingsError
from ingest.sources import Secrets, SourcesRead, mark_of

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
_SHARE = 200  # a look takes at most this part of the time: one at 10,000 files takes some 30 ms
_NAMED = 5  # in a line of the log

Changed = Callable[[Mapping[str, Secrets]], None]


class WatchedSources:
    """The sources by `secrets`, of which another one is there after a change; `changed` is told then."""

    def __init__(self, settings: Settings, changed: Changed) -> None:
        self._settings = settings
        self._changed = changed
        self._wake = asyncio.Event()
        self._taken: tuple[object, ...] | None = None
        self._seen: tuple[object, ...] | None = None
        self._problems = 0
        self.secrets: Mapping[str, Secrets] = settings.sources

    def readings(self) -> list[Reading]:
        return [] if self._settings.sources_file is None else [Reading(SOURCES_PROBLEMS, (), self._problems)]

    def look_now(self) -> None:
        """Look without waiting, as a signal asks for."""
        self._wake.set()

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        if self._settings.sources_file is None:
            return
        while True:
            begun = time.monotonic()
            read = await asyncio.to_thread(self._look)
            if read is not None:
                self._take(read)
            pause = max(_LOOK_SECONDS, _SHARE * (time.monotonic() - begun))
            try:
                async with asyncio.timeout(pause):
                    await self._wake.wait()
            except TimeoutError:
                continue
            self._wake.clear()

    def _look(self) -> SourcesRead | str | None:
        """What the file has, if it has changed and settled; why it cannot be used; None if nothing is new."""
        path = self._settings.sources_file
        assert path is not None  # noqa: S101 - `run` looks at it
        mark = mark_of(path)
        is_settled, self._seen = mark == self._seen, mark
        if not is_settled or mark == self._taken:
            return None
        try:
            read: SourcesRead | str = self._settings.read_sources_file()
        except SettingsError as error:
            read = str(error)
        if mark_of(path) != mark:
            return None
        self._taken = mark
        return read

    def _take(self, read: SourcesRead | str) -> None:
        if isinstance(read, str):
            self._problems = 1
            logger.error("the sources stay as they are, until the file can be used: %s", read)
            return
        kept = {name: self.secrets[name] for name in read.faults if name in self.secrets}
        secrets = {**self._settings.own_sources, **read.secrets, **kept}
        self._problems = len(read.faults)
        for name, fault in [*read.faults.items()][:_NAMED]:
            logger.error("the source %s stays as it is, until its file can be used: it %s", name, fault)
        if read.readable_by_all:
            logger.warning(
                "%d files of secrets may be read by every account, such as %s: take that right away",
                len(read.readable_by_all), read.readable_by_all[0],
            )  # fmt: skip
        if secrets != self.secrets:
            _tell(self.secrets, secrets)
            self.secrets = secrets
            self._changed(secrets)


def _tell(before: Mapping[str, Secrets], now: Mapping[str, Secrets]) -> None:
    """Which sources are new, gone or have other secrets, in a line of the log."""
    changes = {
        "added": sorted(now.keys() - before.keys()),
        "removed": sorted(before.keys() - now.keys()),
        "with_other_secrets": sorted(name for name in now.keys() & before.keys() if now[name] != before[name]),
    }
    fields = {kind: names[:_NAMED] for kind, names in changes.items() if names}
    logger.info("the sources have changed", extra={"fields": {"sources": len(now), **fields}})

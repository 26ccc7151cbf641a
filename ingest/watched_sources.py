"""Keeps the sources of a running server as the operator's file or folder has them, which is read again when it changes.

A change is taken once two looks have seen it alike, so that nothing half-written is. What cannot be used is said, once,
and the secrets there were stay in use; it is tried again at each look, since what hinders it may show nowhere.
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
_LONGEST_PAUSE = 4.0
_SHARE = 200  # a look takes at most this part of the time: one at 10,000 files takes some 30 ms
_NAMED = 5  # in a line of the log
_NOTHING = object()  # is no mark

Changed = Callable[[Mapping[str, Secrets]], None]


class WatchedSources:
    """The sources by `secrets`, of which another one is there after a change; `changed` is told then."""

    def __init__(self, settings: Settings, secrets: Mapping[str, Secrets], changed: Changed) -> None:
        self._settings = settings
        self._changed = changed
        self._wake = asyncio.Event()
        self._taken: object = _NOTHING
        self._seen: object = _NOTHING
        self._said: frozenset[str] = frozenset()  # what is said already, and need not be said at each look
        self._pause = _LOOK_SECONDS
        self._problems = 0
        self.secrets = secrets

    def readings(self) -> list[Reading]:
        return [] if self._settings.sources_file is None else [Reading(SOURCES_PROBLEMS, (), self._problems)]

    def look_now(self) -> None:
        """Look without waiting and read whatever is there, as a signal asks for."""
        self._wake.set()

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        if self._settings.sources_file is None:
            return
        while True:
            try:
                read = await asyncio.to_thread(self._look)
                if read is not None:
                    self._take(read)
            except Exception as error:  # a fault of ours must not end the watching
                self._pause = _LONGEST_PAUSE
                if self._is_new({f"a look failed: {type(error).__name__}"}):
                    logger.exception("the sources stay as they are, for the look at them failed; it is tried again")
            try:
                async with asyncio.timeout(self._pause):
                    await self._wake.wait()
            except TimeoutError:
                continue
            self._wake.clear()
            self._taken, self._said = _NOTHING, frozenset()

    def _look(self) -> SourcesRead | str | None:
        """What the file has, if it has changed and settled; why it cannot be used; None if nothing is new."""
        path = self._settings.sources_file
        assert path is not None  # noqa: S101 - `run` looks at it
        begun = time.monotonic()
        mark = mark_of(path)
        looked = time.monotonic() - begun
        is_settled, self._seen = mark == self._seen, mark
        self._pause = _pause_after(looked) if is_settled else _LOOK_SECONDS
        if not is_settled or mark == self._taken:
            return None
        try:
            read: SourcesRead | str = self._settings.read_sources_file()
        except SettingsError as error:
            read = str(error)
        if mark_of(path) != mark:
            self._pause = _LOOK_SECONDS
            return None
        if isinstance(read, str) or read.faults:
            self._pause = _pause_after(time.monotonic() - begun)
        else:
            self._taken = mark
        return read

    def _take(self, read: SourcesRead | str) -> None:
        if isinstance(read, str):
            self._problems = 1
            if self._is_new({read}):
                logger.error("the sources stay as they are, until the file can be used: %s", read)
            return
        kept = {name: self.secrets[name] for name in read.faults if name in self.secrets}
        secrets = {**self._settings.own_sources, **read.secrets, **kept}
        self._problems = len(read.faults)
        new = self._is_new({*(f"{name} {fault}" for name, fault in read.faults.items()), *read.readable_by_all})
        for name, fault in [*read.faults.items()][: _NAMED if new else 0]:
            logger.error("the source %s stays as it is, until its file can be used: it %s", name, fault)
        if read.readable_by_all and new:
            logger.warning(
                "%d files of secrets may be read by every account, such as %s: take that right away",
                len(read.readable_by_all), read.readable_by_all[0],
            )  # fmt: skip
        if secrets != self.secrets:
            _tell(self.secrets, secrets)
            self.secrets = secrets
            self._changed(secrets)

    def _is_new(self, sentences: set[str]) -> bool:
        """Whether one of them is to be said: these are the problems of now, and it was none of those before."""
        before, self._said = self._said, frozenset(sentences)
        return not self._said <= before


def _pause_after(seconds: float) -> float:
    return min(_LONGEST_PAUSE, max(_LOOK_SECONDS, _SHARE * seconds))


def _tell(before: Mapping[str, Secrets], now: Mapping[str, Secrets]) -> None:
    """Which sources are new, gone or have other secrets, in a line of the log."""
    changes = {
        "added": sorted(now.keys() - before.keys()),
        "removed": sorted(before.keys() - now.keys()),
        "with_other_secrets": sorted(name for name in now.keys() & before.keys() if now[name] != before[name]),
    }
    fields = {kind: names[:_NAMED] for kind, names in changes.items() if names}
    logger.info("the sources have changed", extra={"fields": {"sources": len(now), **fields}})

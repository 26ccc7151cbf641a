"""When a running server reads its file of sources again: what it takes, what it says, and how soon it looks."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path

import pytest

from ingest import watched_sources
from ingest.settings import read_settings
from ingest.sources import Secrets, SourcesRead
from ingest.watched_sources import WatchedSources
from tests import DEADLINE

_BEFORE = {"spring": (b"before",)}


class _Watch:
    """Watches one file, of which nothing but its content ever changes, and waits for what is to happen."""

    def __init__(self, file: Path) -> None:
        settings = read_settings({"ROSTERLOG_SOURCES_FILE": str(file)})
        self.taken: list[Mapping[str, Secrets]] = []
        self.sources = WatchedSources(settings, _BEFORE, self.taken.append)

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not condition():
                await asyncio.sleep(0.001)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(watched_sources, "_LOOK_SECONDS", 0.001)
    monkeypatch.setattr(watched_sources, "_LONGEST_PAUSE", 0.001)
    monkeypatch.setattr(watched_sources, "mark_of", lambda _: (1,))
    file = tmp_path / "sources.json"
    _write(file, "before")
    return file


def test_what_could_not_be_used_is_tried_again_and_said_once(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As where the disk, or the folder above, was the trouble: nothing of the file itself is another then."""
    file.unlink()
    reads: list[int] = []

    async def scenario(watch: _Watch) -> None:
        take = watch.sources._take

        def counted(read: SourcesRead | str) -> None:
            reads.append(1)
            take(read)

        watch.sources._take = counted  # type: ignore[method-assign]
        await watch.until(lambda: len(reads) > 3)
        assert next(iter(watch.sources.readings())).value == 1
        _write(file, "mended")
        await watch.until(lambda: watch.taken)
        assert next(iter(watch.sources.readings())).value == 0

    assert _watched(file, scenario).taken == [{"spring": (b"mended",)}]
    assert [record.message.count("cannot be read") for record in caplog.records if record.levelname == "ERROR"] == [1]


def test_a_signal_has_the_file_read_whether_it_looks_changed_or_not(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(watch: _Watch) -> None:
        await watch.until(lambda: watch.sources._taken == (1,))
        monkeypatch.setattr(watched_sources, "_LOOK_SECONDS", DEADLINE)
        _write(file, "after")
        watch.sources.look_now()
        await watch.until(lambda: watch.taken)

    assert _watched(file, scenario).taken == [{"spring": (b"after",)}]


def test_a_look_that_fails_is_said_and_is_not_the_last(
    file: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    marks = iter([RuntimeError("a fault of ours")] * 3)

    def mark_of(_: Path) -> tuple[int]:
        for error in marks:
            raise error
        return (1,)

    monkeypatch.setattr(watched_sources, "mark_of", mark_of)
    _write(file, "after")

    async def scenario(watch: _Watch) -> None:
        await watch.until(lambda: watch.taken)

    _watched(file, scenario)
    assert [record.levelname for record in caplog.records if record.levelno > logging.INFO] == ["ERROR"]


def test_looks_at_many_files_are_rarer_but_never_rare() -> None:
    assert [watched_sources._pause_after(seconds) for seconds in (0.0, 0.01, 5.0)] == [1.0, 2.0, 4.0]


def _watched(file: Path, scenario: Callable[[_Watch], Coroutine[None, None, None]]) -> _Watch:
    async def main() -> _Watch:
        watch = _Watch(file)
        running = asyncio.create_task(watch.sources.run())
        await scenario(watch)
        running.cancel()
        return watch

    return asyncio.run(main())


def _write(file: Path, secret: str) -> None:
    file.write_text(f'{{"spring": ["{secret}"]}}')
    file.chmod(0o600)

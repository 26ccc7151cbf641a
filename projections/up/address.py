"""The address at which a running `up` is found from its machine, left in its data folder for other commands."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ingest.settings import Settings

_FILE = "address"


@contextmanager
def left_in(data_dir: Path, url: str) -> Iterator[None]:
    """Leave the address there for the block."""
    path = data_dir / _FILE
    path.write_text(url + "\n", encoding="utf-8")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def pages_url(settings: Settings) -> str:
    """Where a browser finds the pages: as ROSTERLOG_PUBLIC_URL says, else a running `up`, else host and port."""
    if settings.public_url is not None:
        return settings.public_url
    with suppress(OSError, UnicodeDecodeError):
        return (settings.data_dir / _FILE).read_text(encoding="utf-8").strip()
    return f"http://{settings.host}:{settings.port}"

"""A data folder of a test's own."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def data() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rosterlog-test-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder) / "data"

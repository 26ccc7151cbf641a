"""These tests are collected only where the command line names them."""

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    del collection_path
    return None if any("cluster" in argument for argument in config.args) else True

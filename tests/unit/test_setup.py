"""What `make` installs, and when: what runs the product first, the developers' tools where they are asked for."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from tests import DEADLINE, ROOT

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="this machine has no make")

PRODUCT, DEVELOPING = "requirements.lock", ".ci/developing.lock"
INSTALLED, DEVELOPED = ".venv/.installed", ".venv/.developing"
TOOLS = {"pytest", "mypy", "ruff", "hypothesis", "schemathesis", "uv", "import-linter", "squawk-cli", "pandas"}


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".venv").mkdir()
    for name in ("Makefile", "pyproject.toml", PRODUCT, DEVELOPING):
        shutil.copy(ROOT / name, tmp_path / name)
        os.utime(tmp_path / name, (1, 1))
    return tmp_path


def changed(checkout: Path, *names: str, times: Iterator[int] = count(2)) -> None:  # noqa: B008 - one clock for all
    """Let files be newer than all the others."""
    for name in names:
        (checkout / name).touch()
        moment = next(times)
        os.utime(checkout / name, (moment, moment))


def installs(checkout: Path, target: str) -> list[str]:
    """The lock files that `make TARGET` would install, in their order."""
    done = subprocess.run(["make", "-n", target], cwd=checkout, capture_output=True, text=True, check=True)
    lines = [line for line in done.stdout.splitlines() if "pip" in line and "-r " in line]
    assert all("--require-hashes" in line for line in lines)
    return [line.split()[-1] for line in lines]


def test_what_is_used_needs_no_tools_of_developers(checkout: Path) -> None:
    assert installs(checkout, "setup") == installs(checkout, "run") == [PRODUCT]
    for target in ("test", "check", "test-faults", "format", "bench"):
        assert installs(checkout, target) == [PRODUCT, DEVELOPING], target


def test_each_is_installed_once_whichever_comes_first(checkout: Path) -> None:
    changed(checkout, INSTALLED)
    assert installs(checkout, "run") == []
    assert installs(checkout, "test") == [DEVELOPING]
    changed(checkout, DEVELOPED)
    assert installs(checkout, "test") == installs(checkout, "setup") == []


def test_another_lock_is_installed_at_the_next_command(checkout: Path) -> None:
    changed(checkout, INSTALLED, DEVELOPED, DEVELOPING)
    assert installs(checkout, "setup") == []
    assert installs(checkout, "test") == [DEVELOPING]
    changed(checkout, DEVELOPED, PRODUCT)
    assert installs(checkout, "run") == [PRODUCT]
    assert installs(checkout, "check") == [PRODUCT, DEVELOPING]
    changed(checkout, INSTALLED, DEVELOPED, "pyproject.toml")
    assert installs(checkout, "test") == [PRODUCT, DEVELOPING]


def test_stacks_are_printed_only_of_a_test_that_hangs_and_it_ends(pytestconfig: pytest.Config) -> None:
    assert float(pytestconfig.getini("faulthandler_timeout")) > 10 * DEADLINE
    assert pytestconfig.getini("faulthandler_exit_on_timeout") is True


def locked(name: str) -> dict[str, str]:
    """Each package of a lock file, with its version and its hashes; on which machines it is needed may differ."""
    text = (ROOT / name).read_text()
    assert "://" not in text
    entries = re.findall(r"^([a-z0-9-]+)==(.*(?:\n    --hash=.*)+)", text, re.M)
    assert len(entries) == len(re.findall(r"^\S", text, re.M)), "every line is a package with hashes"
    return {package: re.sub(r" ;.*\\", " \\\\", pinned) for package, pinned in entries}


def test_developers_have_the_same_versions_of_what_runs_the_product() -> None:
    product, developing = locked(PRODUCT), locked(DEVELOPING)
    assert product.items() <= developing.items()
    assert developing.keys() - product.keys() >= TOOLS

"""The program as it is installed elsewhere: out of the wheel."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import DEADLINE, ROOT

_PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the wheel has, and no file of the checkout; for PYTHONPATH."""
    folder = tmp_path_factory.mktemp("wheel")
    build = ("wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT))
    subprocess.run([*_PIP, *build], check=True, cwd=folder, timeout=DEADLINE)
    [wheel] = folder.glob("*.whl")
    install = ("install", "--no-deps", "--no-index", "--no-compile", "--target", str(folder / "site"), str(wheel))
    subprocess.run([*_PIP, *install], check=True, cwd=folder, timeout=DEADLINE)
    return folder / "site"

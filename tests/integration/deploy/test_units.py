"""The units of systemd: it takes them as they are, finds little that they leave open, and they fit the program."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from ingest.child_process import Patience
from ingest.cli import main as receiving
from ingest.postgres import cluster
from ingest.settings import read_settings
from ingest.web import supervisor
from ingest.web.bounds import MOST_CONNECTIONS
from ingest.web.serve import DRAIN_SECONDS
from projections.cli import main as answering
from projections.cli.reconcile import reconcile
from tests import DEADLINE, ROOT
from tests.integration.deploy.deployed import SETTINGS, SHARED, SYSTEMD, UNITS, directives
from tests.tools import tool

STAYING = ("ingest", "api", "worker", "up")
MOST_EXPOSURE = 15  # of 100, as systemd counts it; what is left is the network, which a server needs


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root folder with the units where systemd looks for them, those of the system, and a program to start."""
    root = tmp_path_factory.mktemp("machine")
    shutil.copytree(SYSTEMD, root / "etc" / "systemd" / "system")
    system = Path("/usr/lib/systemd/system")
    if system.is_dir():
        shutil.copytree(system, root / "usr" / "lib" / "systemd" / "system", symlinks=True)
    program = root / "opt" / "rosterlog" / "bin" / "rosterlog"
    program.parent.mkdir(parents=True)
    program.touch(mode=0o755)
    return root


def analyzed(machine: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [tool("systemd-analyze"), "--no-pager", f"--root={machine}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=DEADLINE)


def test_systemd_takes_each_unit_without_a_word(machine: Path) -> None:
    units = [path.name for path in UNITS.values()] + [path.name for path in SYSTEMD.glob("*.timer")]
    said = analyzed(machine, "verify", "--man=no", *units, "rosterlog.target")
    assert (said.returncode, said.stdout + said.stderr) == (0, "")


@pytest.mark.parametrize("service", UNITS)
def test_systemd_finds_little_that_a_unit_leaves_open(machine: Path, service: str) -> None:
    arguments = ("security", "--offline=true", f"--threshold={MOST_EXPOSURE}", f"rosterlog-{service}.service")
    said = analyzed(machine, *arguments)
    assert said.returncode == 0, said.stdout


def test_further_workers_are_as_the_first_one_but_for_their_port(machine: Path) -> None:
    first, further = UNITS["worker"].read_text(), (SYSTEMD / "rosterlog-worker@.service").read_text()
    assert further.partition("\n")[2] == first.replace("a worker\n", "worker %i\n").replace("=8012\n", "=802%i\n")
    said = analyzed(machine, "verify", "--man=no", "rosterlog-worker@2.service")
    assert (said.returncode, said.stdout + said.stderr) == (0, "")
    arguments = ("security", "--offline=true", f"--threshold={MOST_EXPOSURE}", "rosterlog-worker@2.service")
    assert analyzed(machine, *arguments).returncode == 0, "what all units share holds for it"


def test_there_is_a_unit_for_each_command_that_stays() -> None:
    assert {*STAYING, "reconcile"} == UNITS.keys()
    for service in STAYING:
        assert directives(service)["ExecStart"] == [f"/opt/rosterlog/bin/rosterlog {service}"]
        assert service in {**receiving.COMMANDS, **answering.COMMANDS}


@pytest.mark.parametrize("service", UNITS)
def test_a_unit_names_settings_that_the_program_knows(service: str) -> None:
    pairs = [pair for value in directives(service)["Environment"] for pair in shlex.split(value)]
    names = {pair.partition("=")[0] for pair in pairs}
    assert {name for name in names if name.startswith("ROSTERLOG_")} <= SETTINGS
    assert not any(re.search("SECRET|PASSWORD|DATABASE_URL", name) for name in names), "a unit is readable for all"


@pytest.mark.parametrize("name", ["rosterlog.env", "webhook.env", "reconcile.env"])
def test_the_files_of_settings_name_settings_and_hold_no_secret(name: str) -> None:
    pairs = re.findall(r"^#?([A-Z_]+)='(.*)'$", (SYSTEMD / name).read_text(), re.M)
    assert pairs
    assert {setting for setting, _ in pairs} <= SETTINGS | {"RECONCILE_ARGUMENTS"}
    assert all(not value for setting, value in pairs if "SECRET" in setting)


def test_only_those_who_receive_know_the_secrets_of_the_webhook() -> None:
    knowing = {service for service in UNITS if "/etc/rosterlog/webhook.env" in directives(service)["EnvironmentFile"]}
    assert knowing == {"ingest", "up"}
    asking = {service for service in UNITS if "/etc/rosterlog/reconcile.env" in directives(service)["EnvironmentFile"]}
    assert asking == {"reconcile"}


def test_a_look_at_the_source_is_started_by_its_timer_and_not_again_once_it_has_ended() -> None:
    unit = directives("reconcile")
    program, *arguments = shlex.split(unit["ExecStart"][0])
    assert (program, arguments.pop()) == ("/opt/rosterlog/bin/rosterlog", "$RECONCILE_ARGUMENTS")
    parsed = reconcile.make_context("reconcile", [each.replace("%S", "/var/lib") for each in arguments[1:]], obj=None)
    assert parsed.params["applies"]
    assert unit["RestartPreventExitStatus"] == ["0 1 2"], "what the program ends with by itself"
    timer = (SYSTEMD / "rosterlog-reconcile.timer").read_text()
    assert re.findall("^(OnCalendar|Persistent|WantedBy)=(.*)$", timer, re.M) == [
        ("OnCalendar", "00/6:00"), ("Persistent", "yes"), ("WantedBy", "rosterlog.target"),
    ]  # fmt: skip


@pytest.mark.parametrize("service", UNITS)
def test_a_unit_is_started_again_for_ever_and_writes_in_its_own_folder_alone(service: str) -> None:
    unit = directives(service)
    assert unit["Restart"] == ["always"]
    assert unit["StartLimitIntervalSec"] == ["0"]
    assert unit["ProtectSystem"] == ["strict"]
    assert unit.get("StateDirectory", []) == (["rosterlog"] if service in ("up", "reconcile") else [])
    assert not {"ReadWritePaths", "BindPaths"} & unit.keys()
    assert int(unit["LimitNOFILE"][0]) > MOST_CONNECTIONS
    assert unit["LimitCORE"] == ["0"]


def test_each_unit_has_the_time_that_its_end_takes() -> None:
    for service in ("ingest", "api", "worker", "reconcile"):
        assert _stop_seconds(service) >= DRAIN_SECONDS + 10
    assert _stop_seconds("ingest") > supervisor.stop_seconds(read_settings({}).answer_seconds)
    database = cluster._FAST_STOP_SECONDS + cluster._STOP_AT_ONCE_SECONDS
    assert _stop_seconds("up") >= DRAIN_SECONDS + Patience().stop + database + 10
    assert directives("up")["KillMode"] == ["mixed"], "or its database ends before it"


def _stop_seconds(service: str) -> float:
    [seconds] = directives(service)["TimeoutStopSec"]
    return float(seconds)


def test_no_unit_says_again_what_all_share() -> None:
    """What the shared file says counts, whatever the unit says: systemd reads the unit first."""
    shared = {*re.findall(r"^([A-Za-z]+)=", SHARED.read_text(), re.M)} - {"EnvironmentFile", "Environment"}
    for path in UNITS.values():
        assert not shared & {*re.findall(r"^([A-Za-z]+)=", path.read_text(), re.M)}, path


def test_the_script_of_commands_uses_what_the_units_use() -> None:
    script = (SYSTEMD / "rosterlog").read_text()
    subprocess.run(["sh", "-n", str(SYSTEMD / "rosterlog")], check=True, timeout=DEADLINE)
    up = directives("up")
    assert {*re.findall(r"^\. (\S+)$", script, re.M)} == {*up["EnvironmentFile"]}
    assert f"exec runuser --user {up['User'][0]} -- {up['ExecStart'][0].split()[0]} " in script
    assert f"ROSTERLOG_DATA_DIR=/var/lib/{up['StateDirectory'][0]}\n" in script
    assert os.access(SYSTEMD / "rosterlog", os.X_OK)


def test_operations_names_files_that_are_there() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    named = {path.rstrip("/.,") for path in re.findall(r"deploy/[\w./*-]+", text)}
    assert len(named) > 8
    for path in named - {"deploy/systemd"}:
        assert list(ROOT.glob(path)), path

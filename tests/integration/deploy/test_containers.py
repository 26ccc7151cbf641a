"""The Containerfile and compose.yaml: what they name is there, and the program runs as process 1 as they run it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from ingest.cli import main as receiving
from projections.cli import main as answering
from tests import DEADLINE, ROOT, model
from tests.integration.deploy.deployed import SETTINGS
from tests.program import deliver, environ, free_port, running
from tests.tools import tool

DEPLOY = ROOT / "deploy"
COMMANDS = {*receiving.COMMANDS, *answering.COMMANDS}
CONTAINERFILE = (DEPLOY / "Containerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "rosterlog:local"}
KEYS = {
    "build", "cap_drop", "command", "depends_on", "environment", "healthcheck", "image", "ports", "profiles",
    "read_only", "restart", "security_opt", "shm_size", "stop_grace_period", "tmpfs", "ulimits", "volumes",
}  # fmt: skip


def instructions() -> list[tuple[str, str]]:
    """The instructions of the Containerfile with their arguments, each on one line."""
    lines = [line for line in CONTAINERFILE.splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(name, rest.strip()) for name, _, rest in (line.partition(" ") for line in joined.splitlines()) if name]


def argument(name: str) -> str:
    """The last argument of an instruction, which is the one that counts."""
    return [rest for instruction, rest in instructions() if instruction == name][-1]


def image_environment() -> dict[str, str]:
    pairs = [pair for name, rest in instructions() if name == "ENV" for pair in rest.split()]
    return dict(pair.split("=", 1) for pair in pairs)


def test_the_instructions_are_those_of_a_containerfile() -> None:
    names = {
        "FROM",
        "WORKDIR",
        "COPY",
        "RUN",
        "ENV",
        "USER",
        "EXPOSE",
        "STOPSIGNAL",
        "HEALTHCHECK",
        "ENTRYPOINT",
        "CMD",
    }
    assert {name for name, _ in instructions()} <= names
    assert instructions()[0][0] == "FROM"


def test_every_image_has_a_tag_of_its_own() -> None:
    images = [rest.split()[0] for name, rest in instructions() if name == "FROM"]
    images += [service["image"] for service in SERVICES.values()]
    for image in images:
        _, _, tag = image.rpartition("/")[2].partition(":")
        assert tag not in ("", "latest"), image
        assert "/" in image or image == "rosterlog:local", "short names mean another registry elsewhere"


def test_what_is_copied_is_in_the_project() -> None:
    copied = [rest.split() for name, rest in instructions() if name == "COPY" and not rest.startswith("--from=")]
    sources = [source for words in copied for source in words[:-1]]
    listed = subprocess.run(["git", "ls-files", *sources], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for source in sources:
        assert re.search(rf"^{re.escape(source)}(/|$)", listed, re.M), source
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert {*project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]} <= {*sources}


def test_the_lock_is_compared_and_the_product_alone_is_installed() -> None:
    runs = " ".join(rest for name, rest in instructions() if name == "RUN")
    assert "--require-hashes" in runs
    [extras] = re.findall(r"'rosterlog\[([a-z,]+)\]'", runs)
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {*extras.split(",")} == declared.keys() - {"build", "dev"}


def test_the_image_holds_no_secret_and_is_not_for_root() -> None:
    assert not re.search(r"SECRET|PASSWORD|TOKEN|DATABASE_URL", CONTAINERFILE)
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", argument("USER")), (
        "numbers, so that a cluster can see that it is not root"
    )
    assert argument("STOPSIGNAL") == "SIGTERM"


def test_the_image_sets_and_runs_what_the_program_knows() -> None:
    settings = image_environment()
    assert {name for name in settings if name.startswith("ROSTERLOG_")} <= SETTINGS
    assert argument("EXPOSE").split() == [settings["ROSTERLOG_PORT"], settings["ROSTERLOG_METRICS_PORT"]]
    assert json.loads(argument("ENTRYPOINT")) == ["rosterlog"]
    assert json.loads(argument("CMD"))[0] in COMMANDS
    assert f"127.0.0.1:{settings['ROSTERLOG_METRICS_PORT']}/livez" in argument("HEALTHCHECK")


def test_each_service_is_made_of_what_compose_knows() -> None:
    assert COMPOSE.keys() == {"name", "x-rosterlog", "x-database", "services", "volumes"}
    for name, service in SERVICES.items():
        assert service.keys() <= KEYS, name
        assert {*service.get("depends_on", ())} <= SERVICES.keys()
        assert service["restart"] in ("unless-stopped", "on-failure")
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            is_there = (DEPLOY / source).is_file() if source.startswith("./") else source in COMPOSE["volumes"]
            assert is_there, volume


def test_each_service_of_ours_has_a_command_and_settings_that_the_program_knows() -> None:
    assert {"migrate", "ingest", "api", "worker"} == OURS.keys()
    for name, service in OURS.items():
        assert service["command"] == [name]
        assert name in COMMANDS
        assert service["environment"].keys() <= SETTINGS
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"]
        build = DEPLOY / service["build"]["context"]
        assert (build / service["build"]["dockerfile"]).samefile(DEPLOY / "Containerfile")
    assert [name for name, service in OURS.items() if "MOVEMINT_WEBHOOK_SECRET" in service["environment"]] == ["ingest"]


def test_only_the_proxy_is_published() -> None:
    for name, service in SERVICES.items():
        if name != "caddy":
            assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
    assert SERVICES["caddy"]["profiles"] == ["public"]
    caddyfile = (DEPLOY / "caddy" / "Caddyfile").read_text()
    assert {*re.findall(r"\{\$([A-Z_]+):", caddyfile)} == SERVICES["caddy"]["environment"].keys()


def test_no_secret_stands_in_compose_yaml() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    for line in re.findall(r"^ .*(?:SECRET|PASSWORD|DATABASE_URL).*$", text, re.M):
        assert re.search(r"\$\{[A-Z_]+:\?set it in deploy/\.env\}", line), line


def test_docker_reads_compose_yaml() -> None:
    """Where docker has compose: what it says of the file."""
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker compose is not installed")
    env = {**os.environ, "POSTGRES_PASSWORD": "x", "MOVEMINT_WEBHOOK_SECRET": "y"}
    command = [docker, "compose", "--file", str(DEPLOY / "compose.yaml"), "--profile", "public", "config", "--quiet"]
    subprocess.run(command, check=True, env=env, timeout=DEADLINE)


@pytest.fixture
def first_process() -> tuple[str, ...]:
    """What runs a program as process 1 of its own, with nobody above it to reap or to forward."""
    isolated = (
        tool("unshare"),
        "--pid",
        "--fork",
        "--mount-proc",
        *(() if os.geteuid() == 0 else ("--map-root-user",)),
    )
    if subprocess.run([*isolated, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this account may not make a process namespace here")
    return isolated


def test_as_process_1_it_serves_and_stops_when_it_is_told(
    installed: Path, first_process: tuple[str, ...], database: str, tmp_path: Path
) -> None:
    here = {"ROSTERLOG_HOST": "127.0.0.1", "ROSTERLOG_METRICS_HOST": "127.0.0.1", "PATH": os.environ["PATH"]}
    port, metrics_port = free_port(), free_port()
    settings = {**image_environment(), **here, "ROSTERLOG_PORT": str(port), "ROSTERLOG_METRICS_PORT": str(metrics_port)}
    secret = {"DATABASE_URL": database, "MOVEMINT_WEBHOOK_SECRET": model.SECRET.decode()}
    env = environ(PYTHONPATH=str(installed), **{**settings, **secret})
    command = (*first_process, sys.executable, "-m", "projections", *SERVICES["ingest"]["command"])
    with running(env=env, cwd=tmp_path, command=command) as outside:
        outside.line('"webhooks":')
        assert deliver(port, model.body(1))[0] == 200
        if "ROSTERLOG_METRICS_PORT" in env:
            health = json.loads(argument("HEALTHCHECK").partition("CMD ")[2])
            code = health[2].replace(image_environment()["ROSTERLOG_METRICS_PORT"], str(metrics_port))
            subprocess.run([sys.executable, "-c", code], check=True, env=env, timeout=DEADLINE)
        [process] = psutil.Process(outside.process.pid).children()
        process.send_signal(signal.SIGTERM)
        assert outside.process.wait(timeout=DEADLINE) == 0
    assert list(files_in(tmp_path)) == [], "it writes nothing"


def files_in(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())

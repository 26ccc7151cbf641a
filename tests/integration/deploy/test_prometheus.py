"""What Prometheus is told: promtool reads it, and it asks at the ports where the services answer."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests import DEADLINE, ROOT
from tests.integration.deploy.deployed import SYSTEMD
from tests.integration.deploy.test_containers import SERVICES, image_environment
from tests.tools import tool

PROMETHEUS = ROOT / "deploy" / "prometheus"


ONE_PROCESS = (PROMETHEUS / "targets.yml").read_text()
SEPARATE_PROCESSES = re.sub(r"^#(?=-|  )", "", ONE_PROCESS, flags=re.M)
COMPOSE = (PROMETHEUS / "targets-compose.yml").read_text()


@pytest.mark.parametrize("targets", [ONE_PROCESS, SEPARATE_PROCESSES, COMPOSE])
def test_promtool_takes_the_configuration(targets: str, tmp_path: Path) -> None:
    folder = tmp_path / "prometheus"
    shutil.copytree(PROMETHEUS, folder)
    (folder / "targets.yml").write_text(targets)
    checked = subprocess.run(
        [tool("promtool"), "check", "config", str(folder / "prometheus.yml")],
        capture_output=True, text=True, check=False, timeout=DEADLINE,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr
    assert "WARNING" not in checked.stdout + checked.stderr, checked.stderr


def test_it_asks_those_alone_that_run_when_operations_is_followed() -> None:
    """What is asked and does not run is down for ever, and an alert never ends."""
    operations = (ROOT / "docs" / "operations.md").read_text()
    started = [
        re.findall(r"rosterlog-(\w+)\.service", line) for line in re.findall(r"enable --now (.+)$", operations, re.M)
    ]
    assert started == [["up"], ["ingest", "api", "worker"]]
    for services, targets in zip(started, (ONE_PROCESS, SEPARATE_PROCESSES), strict=True):
        assert [*_targets(targets).values()] == [f"127.0.0.1:{_metrics_port(service)}" for service in services]


def test_it_asks_each_unit_at_its_own_port() -> None:
    units = {service: f"127.0.0.1:{_metrics_port(service)}" for service in ("ingest", "api", "worker")}
    assert _targets(SEPARATE_PROCESSES) == units
    assert len({*units.values()}) == 3, "on one machine each needs a port of its own"
    assert _metrics_port("up") == _metrics_port("ingest"), "of which only one runs"


def test_it_asks_each_service_of_compose_at_the_port_of_the_image() -> None:
    asked = _targets(COMPOSE)
    assert asked == {name: f"{name}:{image_environment()['ROSTERLOG_METRICS_PORT']}" for name in asked}
    assert asked.keys() == {"ingest", "api", "worker"} <= SERVICES.keys()


def _targets(text: str) -> dict[str, str]:
    groups = yaml.safe_load(text)
    return {group["labels"]["service"]: target for group in groups for target in group["targets"]}


def _metrics_port(service: str) -> str:
    text = (SYSTEMD / f"rosterlog-{service}.service").read_text()
    [port] = re.findall(r"ROSTERLOG_METRICS_PORT=(\d+)", text)
    return str(port)

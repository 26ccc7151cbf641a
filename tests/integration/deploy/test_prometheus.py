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


@pytest.mark.parametrize("targets", ["targets.yml", "targets-compose.yml"])
def test_promtool_takes_the_configuration(targets: str, tmp_path: Path) -> None:
    folder = tmp_path / "prometheus"
    shutil.copytree(PROMETHEUS, folder)
    shutil.copy(PROMETHEUS / targets, folder / "targets.yml")
    checked = subprocess.run(
        [tool("promtool"), "check", "config", str(folder / "prometheus.yml")],
        capture_output=True, text=True, check=False, timeout=DEADLINE,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stderr
    assert "WARNING" not in checked.stdout + checked.stderr, checked.stderr


def test_it_asks_each_unit_at_its_own_port() -> None:
    units = {service: f"127.0.0.1:{_metrics_port(service)}" for service in ("ingest", "api", "worker")}
    assert _targets("targets.yml") == units
    assert len({*units.values()}) == 3, "on one machine each needs a port of its own"
    assert _metrics_port("up") == _metrics_port("ingest"), "of which only one runs"


def test_it_asks_each_service_of_compose_at_the_port_of_the_image() -> None:
    asked = _targets("targets-compose.yml")
    assert asked == {name: f"{name}:{image_environment()['ROSTERLOG_METRICS_PORT']}" for name in asked}
    assert asked.keys() == {"ingest", "api", "worker"} <= SERVICES.keys()


def _targets(name: str) -> dict[str, str]:
    groups = yaml.safe_load((PROMETHEUS / name).read_text())
    return {group["labels"]["service"]: target for group in groups for target in group["targets"]}


def _metrics_port(service: str) -> str:
    text = (SYSTEMD / f"rosterlog-{service}.service").read_text()
    [port] = re.findall(r"ROSTERLOG_METRICS_PORT=(\d+)", text)
    return str(port)

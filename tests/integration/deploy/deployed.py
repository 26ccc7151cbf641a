"""What files of `deploy/` may name, and what units of systemd say."""

import re
from collections.abc import Mapping

from ingest.settings import Settings
from tests import ROOT

SYSTEMD = ROOT / "deploy" / "systemd"
UNITS = {path.stem.removeprefix("rosterlog-"): path for path in SYSTEMD.glob("rosterlog-*.service")}
SHARED = SYSTEMD / "rosterlog-.service.d" / "service.conf"
COMING = {"ROSTERLOG_METRICS_HOST", "ROSTERLOG_METRICS_PORT"}  # of the metrics' own port
SETTINGS = {str(field.alias) for field in Settings.model_fields.values()} | COMING


def known(environ: Mapping[str, str]) -> dict[str, str]:
    """Without what the program does not take yet."""
    names = {str(field.alias) for field in Settings.model_fields.values()}
    return {name: value for name, value in environ.items() if name not in COMING or name in names}


def directives(service: str) -> dict[str, list[str]]:
    """The directives of a unit with what all units share, each with its values in the order in which systemd reads."""
    lines = UNITS[service].read_text() + SHARED.read_text()
    values: dict[str, list[str]] = {}
    for name, value in re.findall(r"^([A-Za-z]+)=(.*)$", lines, re.M):
        values.setdefault(name, []).append(value)
    return values

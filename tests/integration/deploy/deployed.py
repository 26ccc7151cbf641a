"""What files of `deploy/` may name, and what units of systemd say."""

import re

from ingest.settings import Settings
from tests import ROOT

SYSTEMD = ROOT / "deploy" / "systemd"
UNITS = {path.stem.removeprefix("rosterlog-"): path for path in SYSTEMD.glob("rosterlog-*[!@].service")}
SHARED = SYSTEMD / "rosterlog-.service.d" / "service.conf"
SETTINGS = {str(field.alias) for field in Settings.model_fields.values()}


def directives(service: str) -> dict[str, list[str]]:
    """The directives of a unit with what all units share, each with its values in the order in which systemd reads."""
    lines = UNITS[service].read_text() + SHARED.read_text()
    values: dict[str, list[str]] = {}
    for name, value in re.findall(r"^([A-Za-z]+)=(.*)$", lines, re.M):
        values.setdefault(name, []).append(value)
    return values

"""The wheel has everything that the program needs, and the lock everything that the wheel needs."""

import re
import tomllib
from pathlib import Path

from tests import ROOT


def test_every_file_that_the_program_reads_is_in_the_wheel(installed: Path) -> None:
    for room in ("ingest", "projections", "migrations"):
        for path in (ROOT / room).rglob("*"):
            if path.is_file() and path.suffix != ".pyc":
                assert (installed / path.relative_to(ROOT)).is_file(), path


def test_the_lock_has_each_package_that_the_program_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [name for extra, names in project["optional-dependencies"].items() if extra != "dev" for name in names]
    names = {re.split(r"[\[<>=;]", line)[0].strip().lower() for line in [*project["dependencies"], *extras]}
    locked = re.findall(r"^([a-z0-9.-]+)==", (ROOT / "requirements.lock").read_text(), re.M)
    assert names <= {*locked}

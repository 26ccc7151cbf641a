"""The wheel has everything that the program needs, and the lock everything that the wheel needs."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from tests import DEADLINE, ROOT, model
from tests.program import deliver, environ, free_port, get, run, running


def test_the_wheel_alone_migrates_delivers_and_answers(installed: Path, tmp_path: Path) -> None:
    """In an empty home, on a data folder with a space in its name."""
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o711)
    env = environ(
        PYTHONPATH=str(installed), HOME=str(home), ROSTERLOG_DATA_DIR=str(home / "our races"),
        MOVEMINT_WEBHOOK_SECRET=model.SECRET.decode(),
    )  # fmt: skip
    assert where("projections", env, home) == where("migrations", env, home) == installed
    port = free_port()
    with running("up", "--port", str(port), env=env, cwd=home) as up:
        up.line("Ctrl-C stops everything")
        assert deliver(port, model.body(1, first_name="Ada"))[0] == 200
        assert get(port, "/openapi.json")[0] == 200
        assert "late_arrivals" in run("report", env=env, cwd=home)
        assert up.stop() == 0
    assert [path.name for path in home.iterdir()] == ["our races"], "nothing else is written"


def where(package: str, env: dict[str, str], cwd: Path) -> Path:
    program = f"import {package}; print({package}.__file__)"
    said = subprocess.run(
        [sys.executable, "-c", program], env=env, cwd=cwd, capture_output=True, text=True, check=True, timeout=DEADLINE
    )
    return Path(said.stdout.strip()).parents[1]


def test_every_file_that_the_program_reads_is_in_the_wheel(installed: Path) -> None:
    for room in ("ingest", "projections", "migrations"):
        for path in (ROOT / room).rglob("*"):
            if path.is_file() and path.suffix != ".pyc":
                assert (installed / path.relative_to(ROOT)).is_file(), path


def test_the_lock_has_each_package_that_the_program_names() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = [name for extra in project["optional-dependencies"].values() for name in extra]
    names = {re.split(r"[\[<>=;]", line)[0].strip().lower() for line in [*project["dependencies"], *extras]}
    locked = re.findall(r"^([a-z0-9.-]+)==", (ROOT / "requirements.lock").read_text(), re.M)
    assert names <= {*locked}

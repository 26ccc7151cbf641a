"""`rosterlog doctor` on one machine: what is well is well, and a finding of a file or of the database ends with 1."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import model
from tests.program import deliver, environ, free_port, run, running, status_json, status_of, until

pytestmark = pytest.mark.acceptance
OF_THIS_MACHINE = {"account", "disk"}  # what may be told of it rightly: the tests run as root, or its disk is small


@pytest.fixture
def data() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rosterlog-doctor-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder) / "data"


def doctor(env: dict[str, str], *args: str, code: int = 0) -> dict[str, Any]:
    """What it says to programs."""
    document: dict[str, Any] = json.loads(run("doctor", "--json", *args, env=env, code=code).splitlines()[-1])
    assert document["ok"] == (code == 0)
    return document


def told(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (finding["check"], finding["level"])
        for finding in document["findings"]
        if finding["level"] != "ok" and finding["check"] not in OF_THIS_MACHINE
    ]


def test_one_machine_that_is_well_is_told_nothing_and_what_is_wrong_is(data: Path) -> None:
    env = environ(ROSTERLOG_DATA_DIR=str(data), MOVEMINT_WEBHOOK_SECRET=model.SECRET.decode())
    port = free_port()
    with running("up", "--port", str(port), env=env):
        until(lambda: status_of(port, "/readyz") == 200)
        for number in range(5):
            assert deliver(port, model.body(number, first_name=f"n{number}"))[0] == 200
        until(lambda: status_json(env)["sources"][0]["lag"] == 0)
        found = doctor(env, "--url", f"http://127.0.0.1:{port}")
        assert told(found) == []
        assert {"files", "disk", "worker", "bytes", "signature"} <= {each["check"] for each in found["findings"]}
        assert all(finding.keys() == {"check", "level", "says", "do"} for finding in found["findings"])
    password = (data / "postgres" / "password").resolve()
    password.chmod(0o644)
    assert told(doctor(env, code=1)) == [("files", "fail")]  # started for the examination, and stopped again
    password.chmod(0o600)
    said = run("doctor", env=env)
    assert "ok    worker" in said
    assert f"ROSTERLOG_DATA_DIR={data} rosterlog verify proves the whole log" in said
    for name in ("ROSTERLOG_DATA_DIR", "DATABASE_URL"):
        away = {**env, name: str(data / "nothing") if name.endswith("DIR") else f"postgresql://x@127.0.0.1:{port}/x"}
        assert told(doctor(away, code=1)) == [("database", "fail")]


def test_wrong_usage_is_told_before_anything_is_looked_at() -> None:
    env = environ(MOVEMINT_WEBHOOK_SECRET="x", DATABASE_URL="postgresql://x@127.0.0.1:1/x")
    said = run("doctor", "--url", "example.org", env=env, code=2)
    assert said.startswith("rosterlog: --url is no http")
    assert "--url needs a secret" in run("doctor", "--url", "https://example.org", env=environ(), code=2)

"""A small disk of its own for a real database: nearly full it is told, full the server is not ready, and no longer."""

import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.disk import FULL_BYTES
from tests import model
from tests.alerting import fires
from tests.program import environ, free_port, get, run, running, status_json, status_of, until
from tests.scrape import metrics_of, scraped

pytestmark = pytest.mark.acceptance

FULL = 90  # MB that are left


@pytest.fixture
def disk() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="rosterlog-disk-") as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=600m,mode=711", "tmpfs", folder], check=False, capture_output=True
        )
        if mounted.returncode != 0:
            pytest.skip("only a user who may mount has a disk of this size")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


def test_a_disk_is_watched_from_nearly_full_to_full_and_back(disk: Path, tmp_path: Path) -> None:
    port, watched = free_port(), free_port()
    env = environ(
        ROSTERLOG_DATA_DIR=str(disk / "data"), MOVEMINT_WEBHOOK_SECRET=model.SECRET.decode(),
        ROSTERLOG_METRICS_PORT=str(watched),
    )  # fmt: skip
    with running("up", "--port", str(port), env=env) as up:
        up.line("Ctrl-C")
        until(lambda: status_of(port, "/readyz") == 200)
        assert "the disk of the database is nearly full" in run("status", env=env, code=1)
        left = status_json(env)["disk_free_bytes"]
        filling = disk / "filling"
        with filling.open("wb") as file:
            for _ in range(left // 1_000_000 - FULL):
                file.write(bytes(1_000_000))
        answer = get(port, "/readyz")
        assert (answer[0], "disk (the disk is full" in answer[2]["detail"]) == (503, True)
        assert "the disk of the database is full" in run("status", env=env, code=1)
        assert re.search(
            "^fail +disk .* are free for the database: when it is full", run("doctor", env=env, code=1), re.M
        )
        until(lambda: 0 < metrics_of(watched).get("rosterlog_database_disk_free_bytes", 0) < FULL_BYTES)
        text = scraped(watched)[1]
        assert fires(tmp_path, "RosterlogDiskFills", text, text, 16)
        filling.unlink()
        until(lambda: status_of(port, "/readyz") == 200)

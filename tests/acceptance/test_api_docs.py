"""Every example of docs/api.md is run, in its order, and answers what is written below it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests import model
from tests.acceptance.program import environ, free_port, running, status_of, until
from tests.integration.asking import make_token
from tests.integration.building import drain

pytestmark = pytest.mark.acceptance

DOCS = Path(__file__).parents[2] / "docs" / "api.md"
MARATHON = {"event_id": 501, "event_name": "Harbour Lights Marathon", "sub_event": {"id": 9011, "name": "Marathon"}}
ANNA = {
    **MARATHON, "first_name": "Anna", "last_name": "Cruz", "bib": "12", "status": "active", "dob": "1990-05-06",
    "answers": [{"question": "Shirt size", "answer": "M"}], "created_at": "2026-03-02T08:00:00Z",
    "updated_at": "2026-03-02T08:00:00Z",
}  # fmt: skip
DELIVERIES = [
    model.body(101, **ANNA),
    model.body(
        102, **MARATHON, first_name="Łukasz", last_name="Nowak", bib="9", status="active", dob="1999-01-31",
        created_at="2026-03-02T09:30:00Z", answers=[{"question": "Shirt size", "answer": "S"}],
    ),
    model.body(
        103, event_id=502, event_name="Fellside Trail Weekend", first_name="Zoë", last_name="de la Cruz",
        status="deferred", created_at="2026-03-03T10:00:00Z", answers=[{"question": "Shirt size", "answer": "M"}],
    ),
    model.body(101, **{**ANNA, "bib": "112", "updated_at": "2026-04-01T12:00:00Z"}),
]  # fmt: skip
EXAMPLE = re.compile(r"```sh\n(.*?)```\n\n```(?:json|text)\n(.*?)```", re.DOTALL)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples are for curl, which this machine has not")
def test_every_example_answers_what_is_written(
    database: str, engine: Engine, worker_engine: Engine, tmp_path: Path
) -> None:
    model.append(database, DELIVERIES)
    drain(worker_engine)
    text = DOCS.read_text(encoding="utf-8")
    examples = EXAMPLE.findall(text)
    assert len(examples) == text.count("```sh\n") >= 14
    (tmp_path / "rosterlog").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m projections "$@"\n')
    (tmp_path / "rosterlog").chmod(0o755)
    port = free_port()
    env = environ(DATABASE_URL=database, PYTHONPATH=str(DOCS.parents[1]))
    with running("api", "--port", str(port), env=env):
        until(lambda: status_of(port, "/readyz") == 200)
        path = f"{tmp_path}:{os.environ['PATH']}"
        variables = {"URL": f"http://127.0.0.1:{port}", "TOKEN": make_token(engine), "PATH": path}
        for command, answer in examples:
            said = subprocess.run(
                ["bash", "-euc", command], env={**env, **variables}, cwd=tmp_path, capture_output=True, text=True,
                check=False, timeout=60,
            )  # fmt: skip
            expected = ".*".join(map(re.escape, answer.strip().split("...")))
            assert re.fullmatch(expected, said.stdout.strip(), re.DOTALL), f"{command}\n{said.stdout}{said.stderr}"

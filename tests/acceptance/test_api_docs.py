"""Every example of docs/api.md is run, in its order, and answers what is written below it."""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests import model
from tests.api_client import make_token
from tests.doc_examples import DELIVERIES, DOCS, check, examples, programs
from tests.fold_all import drain
from tests.program import environ, free_port, running, status_of, until

pytestmark = pytest.mark.acceptance


@pytest.mark.skipif(shutil.which("curl") is None, reason="the examples are for curl, which this machine has not")
def test_every_example_answers_what_is_written(
    database: str, engine: Engine, worker_engine: Engine, tmp_path: Path
) -> None:
    model.append(database, DELIVERIES)
    drain(worker_engine)
    documented = examples("api.md")
    assert len(documented) >= 14
    port = free_port()
    env = environ(DATABASE_URL=database, PYTHONPATH=str(DOCS.parent), PATH=programs(tmp_path))
    with running("api", "--port", str(port), env=env):
        until(lambda: status_of(port, "/readyz") == 200)
        variables = {"URL": f"http://127.0.0.1:{port}", "TOKEN": make_token(engine)}
        for command, answer in documented:
            check(command, answer, {**env, **variables}, tmp_path)

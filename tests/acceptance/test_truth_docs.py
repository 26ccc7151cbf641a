"""Every example of docs/truth.md is run, over the people of the documents."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests import model
from tests.doc_examples import DELIVERIES, DOCS, check, examples, programs
from tests.fold_all import drain
from tests.program import environ

pytestmark = pytest.mark.acceptance

FILES = {
    "participants.csv": (
        "ID;First name;Last name;Bib;Status;Registered at\n"
        "101;Anna;Cruz;112;refunded;2026-03-02T08:00:00Z\n"
        "102;Łukasz;Nowak;9;active;2026-03-02T09:30:00Z\n"
        "104;Ivo;Petrov;;active;2026-03-04T12:00:00Z\n"
    ),
    "named.csv": "Reg. no.,First name,Shirt\n101,Anna,M\n102,Lukasz,S\n",
}


def test_every_example_answers_what_is_written(database: str, worker_engine: Engine, tmp_path: Path) -> None:
    model.append(database, DELIVERIES)
    drain(worker_engine)
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content.replace("\n", "\n").encode())
    env = environ(DATABASE_URL=database, PYTHONPATH=str(DOCS.parent), PATH=programs(tmp_path))
    documented = examples("truth.md")
    assert len(documented) >= 7
    for command, answer in documented:
        check(command, answer, env, tmp_path)

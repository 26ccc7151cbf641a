"""Fixtures that several files of tests share."""

import pytest
from sqlalchemy import Engine

from tests import model
from tests.integration.building import drain
from tests.integration.rebuilding import PEOPLE


@pytest.fixture
def folded(database: str, worker_engine: Engine) -> str:
    """Three hundred people on the roster, every bib "old"; by the other definition every bib is "new"."""
    model.append(database, PEOPLE)
    drain(worker_engine)
    return database


@pytest.fixture
def some(database: str, worker_engine: Engine) -> str:
    """Forty people."""
    model.append(database, [model.body(number, event_id=number % 2, first_name=f"n{number}") for number in range(40)])
    drain(worker_engine)
    return database

"""Fixtures that several files of tests share."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from ingest import postgres
from tests import model
from tests.conftest import create
from tests.fold_all import drain
from tests.other_definition import PEOPLE
from tests.secret_people import fill
from tests.zoned_people import BODIES, Projections, fold_by, zoned_catalogue


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


@pytest.fixture(scope="module")
def shared(server: postgres.Server, template: str) -> str:
    """Theirs, for tests that change nothing."""
    return fill(create(server, template))


@pytest.fixture
def asking(shared: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(shared, autocommit=True) as connection:
        yield connection


@pytest.fixture
def reported(database: str) -> str:
    return fill(database)


@pytest.fixture(scope="session")
def zoned_projections(tmp_path_factory: pytest.TempPathFactory) -> Projections:
    """By a definition with races in Denver and in Kiritimati."""
    return zoned_catalogue(tmp_path_factory.mktemp("zones"))


@pytest.fixture(scope="module")
def zoned(server: postgres.Server, template: str, zoned_projections: Projections) -> str:
    """People of these races in one source, for tests that change nothing."""
    return fold_by(zoned_projections, create(server, template), BODIES)

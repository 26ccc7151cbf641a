"""Fixtures that several files of tests share."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from ingest import postgres
from tests import model, secret_people
from tests.conftest import create, filled
from tests.fold_all import fill
from tests.other_definition import PEOPLE
from tests.zoned_people import BODIES, Projections, fold_by, zoned_catalogue


@pytest.fixture(scope="session")
def folded_template(server: postgres.Server, template: str) -> str:
    return filled(server, template, lambda conninfo: fill(conninfo, PEOPLE))


@pytest.fixture
def folded(database: str, folded_template: str) -> str:
    """Three hundred people on the roster, every bib "old"; by the other definition every bib is "new"."""
    del folded_template
    return database


@pytest.fixture(scope="session")
def some_template(server: postgres.Server, template: str) -> str:
    forty = [model.body(number, event_id=number % 2, first_name=f"n{number}") for number in range(40)]
    return filled(server, template, lambda conninfo: fill(conninfo, forty))


@pytest.fixture
def some(database: str, some_template: str) -> str:
    """Forty people."""
    del some_template
    return database


@pytest.fixture(scope="session")
def secret_template(server: postgres.Server, template: str) -> str:
    return filled(server, template, secret_people.fill)


@pytest.fixture(scope="module")
def shared(server: postgres.Server, template: str) -> str:
    """People with secrets, for tests that change nothing."""
    return secret_people.fill(create(server, template))


@pytest.fixture
def asking(shared: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(shared, autocommit=True) as connection:
        yield connection


@pytest.fixture
def reported(database: str, secret_template: str) -> str:
    del secret_template
    return database


@pytest.fixture(scope="session")
def zoned_projections(tmp_path_factory: pytest.TempPathFactory) -> Projections:
    """By a definition with races in Denver and in Kiritimati."""
    return zoned_catalogue(tmp_path_factory.mktemp("zones"))


@pytest.fixture(scope="module")
def zoned(server: postgres.Server, template: str, zoned_projections: Projections) -> str:
    """People of these races in one source, for tests that change nothing."""
    return fold_by(zoned_projections, create(server, template), BODIES)

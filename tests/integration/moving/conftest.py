"""Two databases, between which a source is copied and moved."""

import itertools
from collections.abc import Iterator

import pytest

from ingest import postgres
from projections.folding.moving import Move
from tests.conftest import create
from tests.moves import between, engines

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def old(server: postgres.Server, template: str) -> str:
    """The database where the sources of most tests are, each test's under a name of its own."""
    return create(server, template)


@pytest.fixture(scope="module")
def new(server: postgres.Server, template: str) -> str:
    """The other database."""
    return create(server, template)


@pytest.fixture
def other(server: postgres.Server, template: str) -> str:
    """Another database of this test's own."""
    return create(server, template)


@pytest.fixture
def move(old: str, new: str) -> Iterator[Move]:
    """The move of a source of this test's own."""
    with engines(old, new) as (here, there):
        yield between(f"source-{next(_numbers)}", here, there)


@pytest.fixture
def alone(database: str, other: str) -> Iterator[Move]:
    """The move of the only source of two databases of this test's own."""
    with engines(database, other) as (here, there):
        yield between("movemint", here, there)

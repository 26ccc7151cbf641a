"""Fixtures of the tests about answers to questions."""

from collections.abc import Iterator

import pytest

from ingest import postgres
from tests.answers_world import PEOPLE, World, world_over
from tests.conftest import create


@pytest.fixture(scope="module")
def world(server: postgres.Server, template: str) -> Iterator[World]:
    with world_over(create(server, template)) as world:
        yield world


@pytest.fixture(scope="module")
def token(world: World) -> str:
    return world.told(PEOPLE, "movemint")

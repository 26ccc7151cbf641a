"""An API with one person on its roster, for tests of who may see it."""

from collections.abc import Iterator

import pytest

from ingest import postgres
from tests import model
from tests.api_client import Api, running
from tests.conftest import filled
from tests.fold_all import fill

ADA = model.body(1, event_id=1, event_name="Lake", first_name="Ada")


@pytest.fixture(scope="session")
def ada_template(server: postgres.Server, template: str) -> str:
    return filled(server, template, lambda conninfo: fill(conninfo, [ADA]))


@pytest.fixture
def ada(database: str, ada_template: str) -> str:
    """One person, in the race Lake."""
    del ada_template
    return database


@pytest.fixture
def api(ada: str) -> Iterator[Api]:
    with running(ada) as api:
        yield api

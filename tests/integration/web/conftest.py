"""An API with one person on its roster, for tests of who may see it."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests import model
from tests.api_client import Api, running
from tests.fold_all import drain


@pytest.fixture
def ada(database: str, worker_engine: Engine) -> str:
    """One person, in the race Lake."""
    model.append(database, [model.body(1, event_id=1, event_name="Lake", first_name="Ada")])
    drain(worker_engine)
    return database


@pytest.fixture
def api(ada: str) -> Iterator[Api]:
    with running(ada) as api:
        yield api

"""The API against its own description, over HTTP: whatever a stranger makes of it, it answers as it says it does."""

import http.client
import json
import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from sqlalchemy import Engine

from tests import DEADLINE, ROOT, model
from tests.api_client import make_token
from tests.fold_all import drain
from tests.program import environ, free_port, get, running, status_of, until

pytestmark = pytest.mark.acceptance

GOLDEN = ROOT / "docs" / "openapi.json"
_EXAMPLES = 20  # of each address
# The one wants every text to be taken, but a cursor must have been given by the API, and a position been reached. The
# other tries so many wrong tokens that its address is refused: they have a test of their own.
_NOT_CHECKED = [schemathesis.checks.positive_data_acceptance, schemathesis.checks.ignored_auth]


@pytest.fixture
def served(database: str, engine: Engine, worker_engine: Engine) -> Iterator[tuple[int, str]]:
    """An API over thirty people, of whom one is called "12"; its port, and a token."""
    model.append(database, [model.body(number, event_id=12, bib=str(number), dob="1990-05-06") for number in range(30)])
    drain(worker_engine)
    port = free_port()
    env = environ(DATABASE_URL=database, ROSTERLOG_TOKEN_RATE="100000")
    with running("api", "--port", str(port), env=env):
        until(lambda: status_of(port, "/readyz") == 200)
        yield port, make_token(engine)


def test_the_document_is_the_one_in_the_repository(served: tuple[int, str]) -> None:
    status, _, document = get(served[0], "/openapi.json")
    assert status == 200
    assert document == json.loads(GOLDEN.read_text()), "make docs writes it anew; look at what changes"


@pytest.mark.slow
def test_whatever_is_made_of_the_document_is_answered_as_it_says(served: tuple[int, str]) -> None:
    """Seeded, and bounded. Every request is checked: status, type, shape, refusals of what is wrong, tokens."""
    port, token = served
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{port}/openapi.json")
    tried = 0
    for result in schema.get_all_operations():
        operation: Any = result.ok()  # type: ignore[union-attr] # an invalid document fails here

        @seed(1)
        @settings(max_examples=_EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(case=operation.as_strategy())
        def check(case: Any) -> None:  # noqa: ANN401 - schemathesis's
            nonlocal tried
            tried += 1
            for name in ("wait", "min_position"):  # seconds for nothing: other tests wait
                case.query.pop(name, None)
            if re.fullmatch(r"[0-9]{3,}(\.[0-9]+\.[0-9]+)?", str(case.query.get("after"))):
                case.query.pop("after")  # likewise: a place that this roster has not reached, answered with 503 later
            case.call_and_validate(headers={"Authorization": f"Bearer {token}"}, excluded_checks=_NOT_CHECKED)

        check()
    assert tried >= _EXAMPLES * 8


def test_no_address_answers_without_a_right_token(served: tuple[int, str]) -> None:
    port, _ = served
    described = json.loads(GOLDEN.read_text())["paths"]
    paths = [path.replace("{participant_id}", "12").replace("{event_id}", "12") for path in described]
    assert len(paths) == 12
    for path in paths:
        for token in (None, "wrong"):
            status, headers, problem = get(port, path, token)
            assert (status, problem["status"]) == (401, 401), path
            assert headers["www-authenticate"].startswith("Bearer")


def test_the_page_loads_nothing_from_elsewhere(served: tuple[int, str]) -> None:
    port, _ = served
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)) as connection:
        loaded = {}
        for path in ("/docs", "/docs/bundle.js", "/docs/style.css", "/docs/start.js"):
            connection.request("GET", path)
            answer = connection.getresponse()
            loaded[path] = answer.read().decode()
            assert answer.status == 200, path
            if path == "/docs":
                policy = answer.headers["Content-Security-Policy"]
    assert "http" not in loaded["/docs"] + loaded["/docs/start.js"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy

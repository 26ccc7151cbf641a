"""What of a question can match nobody is said in a header: an empty answer is not taken for an empty roster."""

from collections.abc import Iterator
from typing import Any

import pytest

from ingest import postgres
from ingest.database import WORKER_ROLE, sync_engine
from projections.web.api import ApiSettings
from projections.web.question import WARNING
from tests import model
from tests.api_client import Api, make_token, running
from tests.conftest import create
from tests.fold_all import drain

SIZE = "Größe?"
PEOPLE = [
    model.body(1, event_id=1, status="active", answers=[{"question": SIZE, "answer": "M"}]),
    model.body(2, event_id=2, answers=[{"question": "Meal", "answer": "vegan"}]),
    model.body(3, event_id=2, answers=[{"question": SIZE, "answer": ""}]),
]
RUNNER = "\N{RUNNER}"  # four bytes, twelve of a header
ORIGIN = "https://club.example"


@pytest.fixture(scope="module")
def told(server: postgres.Server, template: str) -> Iterator[tuple[Api, str, str]]:
    """An API, a token for all events, and one for the event 1."""
    database = create(server, template)
    model.append(database, PEOPLE)
    model.append(database, [model.body(1, event_id=9, answers=[{"question": "Shoes", "answer": "43"}])], "other")
    worker, owner = sync_engine(database, WORKER_ROLE), sync_engine(database)
    drain(worker)
    drain(worker, "other")
    tokens = make_token(owner), make_token(owner, "of one", events=("1",))
    with running(database, ApiSettings(origins=(ORIGIN,))) as api:
        yield api, *tokens
    worker.dispose()
    owner.dispose()


def warned(api: Api, token: str, **asked: Any) -> str:  # noqa: ANN401 - parameters
    """The warning of the list, which an export of the same question has as well."""
    listed = api.ask("/v1/participants", token, **asked)
    assert listed.status_code == 200, listed.text
    warning: str = listed.headers.get(WARNING, "")
    assert warning.isascii()
    if listed.json()["data"] == [] or not warning:
        for format_ in ("csv", "ndjson"):
            for method in ("GET", "HEAD"):
                exported = api.ask(f"/v1/participants.{format_}", token, **asked, method=method)
                assert exported.headers.get(WARNING, "") == warning
    return warning


def test_an_empty_value_says_that_it_matches_nobody(told: tuple[Api, str, str]) -> None:
    api, token, _ = told
    assert warned(api, token, status="").startswith("status= matches nobody:")
    assert "status__isnull=true" in warned(api, token, status="")
    assert "team__in= matches nobody" in warned(api, token, team__in=",")
    assert "bib__ne= excludes nobody" in warned(api, token, bib__ne="")
    assert warned(api, token, status="", team="").count("matches nobody") == 2
    for asked in ({"status": "active"}, {"status__ne": "active"}, {"status__in": ",active"}, {"team__startswith": ""}):
        assert warned(api, token, **asked) == ""


def test_a_misspelt_question_or_answer_is_told_and_a_right_one_is_not(told: tuple[Api, str, str]) -> None:
    api, token, _ = told
    unknown = "answer.gr%C3%B6%C3%9Fe%3F: nobody on this roster has answered it; questions are compared exactly"
    assert warned(api, token, **{"answer.größe?": "M"}) == unknown
    assert "answer.Meal: nobody on this roster has answered so" in warned(api, token, **{"answer.Meal": "Vegan"})
    assert "answer.Meal: nobody on this roster has answered so" in warned(api, token, **{"answer.Meal": ""})
    assert "answer.Shoes: nobody" in warned(api, token, **{"answer.Shoes": "43"}), "another source's question"
    both = warned(api, token, **{"answer.Meal": "none", "answer.Mael": "vegan"})
    assert both.split("; answers")[0].startswith("answer.Mael: nobody")
    for asked in ({f"answer.{SIZE}": "M"}, {f"answer.{SIZE}": "M", "answer.Meal": "vegan"}):
        assert warned(api, token, **asked) == ""


def test_a_filter_that_excludes_nobody_is_told_though_it_finds_everybody(told: tuple[Api, str, str]) -> None:
    api, token, of_one = told
    unknown = "excludes nobody: nobody on this roster has answered it; questions are compared exactly"
    for asked in ({"answer.Mael__ne": "vegan"}, {"answer.Mael__isnull": "true"}):
        [name] = asked
        assert warned(api, token, **asked) == f"{name} {unknown}"
        assert len(api.listed("/v1/participants", token, **asked)) == 3
    assert "answer.Mael: nobody on this roster has answered it" in warned(
        api, token, **{"answer.Mael__isnull": "false"}
    )
    so = "answer.Meal__ne excludes nobody: nobody on this roster has answered so; answers are compared exactly"
    assert warned(api, token, **{"answer.Meal__ne": "Vegan"}) == so
    assert "answer.Meal__ne excludes nobody: nobody on this" in warned(api, of_one, **{"answer.Meal__ne": "vegan"})
    for asked in ({"answer.Meal__ne": "vegan"}, {"answer.Meal__isnull": "true"}, {"answer.Meal__isnull": "false"}):
        assert warned(api, token, **asked) == ""
    second = api.ask("/v1/participants", token, limit=1, **{"answer.Mael__ne": "x"}).json()["next"]
    assert WARNING not in api.ask("/v1/participants", token, limit=1, cursor=second, **{"answer.Mael__ne": "x"}).headers


def test_the_warning_of_the_longest_question_fits_the_buffer_of_a_proxy(told: tuple[Api, str, str]) -> None:
    api, token, _ = told
    misspelt = {f"answer.{number}{RUNNER * 50}": "M" for number in range(6)}
    warning = warned(api, token, **misspelt)
    assert warning.count("nobody") == 3
    assert warning.endswith("; and 3 more")
    assert len(warning) < 2_000
    assert f"{'%F0%9F%8F%83' * 39}...: nobody" in warning


def test_an_event_without_anybody_is_told(told: tuple[Api, str, str]) -> None:
    api, token, _ = told
    assert warned(api, token, event_id="3") == "event_id=3: nobody on this roster is in such an event"
    assert "event_id__in=3%2C4: nobody" in warned(api, token, event_id__in="3,4")
    assert warned(api, token, event_id="2", status="active") == "", "there are people, though none of them is active"
    assert warned(api, token, event_id__in="2,3") == ""


def test_a_token_of_some_events_learns_nothing_of_others(told: tuple[Api, str, str]) -> None:
    api, _, of_one = told
    assert "answer.Meal: nobody on this roster has answered it" in warned(api, of_one, **{"answer.Meal": "vegan"})
    assert "has answered so" in warned(api, of_one, **{f"answer.{SIZE}": ""})
    assert warned(api, of_one, **{f"answer.{SIZE}": "M"}) == ""
    assert warned(api, of_one, event_id="2") == warned(api, of_one, event_id="3").replace("3", "2")


def test_pages_of_other_origins_can_read_the_warning(told: tuple[Api, str, str]) -> None:
    api, token, _ = told
    answer = api.ask("/v1/participants", token, status="", headers={"Origin": ORIGIN})
    assert WARNING in answer.headers["access-control-expose-headers"]
    document = api.ask("/openapi.json").json()
    assert WARNING in document["components"]["headers"]
    for path in ("/v1/participants", "/v1/participants.csv"):
        assert WARNING in document["paths"][path]["get"]["responses"]["200"]["headers"]
    assert WARNING not in document["paths"]["/v1/changes"]["get"]["responses"]["200"]["headers"]

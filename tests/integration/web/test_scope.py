"""A token sees nothing outside of its scope, by any path: whatever is asked, in whatever way."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest import postgres
from ingest.database import OPERATOR_ROLE, WORKER_ROLE, sync_engine
from tests import model
from tests.api_client import Api, make_token, running
from tests.browser_session import Browser
from tests.conftest import create
from tests.erased_person import erase
from tests.fold_all import drain

MARK = "zzsecret"  # in every text of whatever is hidden from somebody, followed by the event or source it is in
EVENTS = ("1", "2", "3")
Request = tuple[str, dict[str, Any]]  # a path and its parameters
SCOPES = [("1",), ("2",), ("1", "3"), ("9",)]


def state(id_: str, event: str, status: str) -> bytes:
    """Somebody in an event, with its mark in everything that could show it."""
    mark = f"{MARK}{event}x"
    return model.body(
        id_, event_id=event, event_name=mark, sub_event={"id": mark, "name": mark}, first_name=mark, last_name=mark,
        email=f"{mark}@example.org", bib=mark, team=mark, status=status, city=mark, gender=mark, note=mark,
        answers=[
            {"question": "Shirt size", "answer": mark}, {"question_id": 7, "question": mark, "answer": "yes"},
            {"question_id": mark, "question": "Of this event", "answer": ["yes", mark]},
        ],
    )  # fmt: skip


@pytest.fixture(scope="module")
def world(server: postgres.Server, template: str) -> Iterator[tuple[Api, dict[tuple[str, ...], str]]]:
    """People who stay, who move from event to event, who are erased; another source; a token for each scope."""
    conninfo = create(server, template)
    random_ = random.Random(3)
    bodies = [
        state(f"{event}-{number}", event, random_.choice(["active", "deferred"]))
        for event in EVENTS
        for number in range(8)
    ]
    for number in range(12):
        bodies += [state(f"moving-{number}", event, "active") for event in random_.sample(EVENTS, 2)]
    model.append(conninfo, bodies)
    model.append(conninfo, [state("1-1", "spring", "active")], "spring")
    worker, owner, operator = (sync_engine(conninfo, role) for role in (WORKER_ROLE, None, OPERATOR_ROLE))
    for source in ("movemint", "spring"):
        drain(worker, source)
    for event in EVENTS:
        erase(operator, f"{event}-0")
    with running(conninfo) as api:
        yield api, {scope: make_token(owner, "-".join(scope), events=scope) for scope in SCOPES}
    for engine in (worker, owner, operator):
        engine.dispose()


IDS = [*(f"{event}-{number}" for event in EVENTS for number in (0, 1)), *(f"moving-{number}" for number in range(12))]
MARKS = [f"{MARK}{event}x" for event in (*EVENTS, "spring")]
QUERIES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "q": st.sampled_from([MARK, *MARKS]),
        "event_id": st.sampled_from(EVENTS),
        "event_id__ne": st.sampled_from(EVENTS),
        "event_id__in": st.just("1,2,3"),
        "status": st.just("active"),
        "last_name__startswith": st.just(MARK),
        "participant_id__in": st.just(",".join(IDS)),
        "answer.Shirt size": st.sampled_from(MARKS),
        "answer.7": st.just("yes"),
        f"answer.{MARKS[1]}__isnull": st.just("false"),
        "include": st.just("answers"),
        "sort": st.sampled_from(["last_name", "-event_id,bib", "position", "-updated_at"]),
    },
)
LISTS = st.fixed_dictionaries(
    {"limit": st.sampled_from([1, 5, 100])}, optional={"count": st.sampled_from(["exact", "estimated"])}
)
FORMS = st.fixed_dictionaries({}, optional={"answers": st.sampled_from(["columns", "one-hot", "rows"])})
AS_OF = st.fixed_dictionaries({}, optional={"as_of": st.integers(0, 48)})


@st.composite
def requests(draw: st.DrawFn) -> Request:
    kind = draw(
        st.sampled_from(["list", "export", "one", "history", "changes", "events", "event", "status", "questions"])
    )
    id_, event = draw(st.sampled_from(IDS)), draw(st.sampled_from(EVENTS))
    if kind == "list":
        return "/v1/participants", {**draw(QUERIES), **draw(LISTS)}
    if kind == "export":
        format_ = draw(st.sampled_from(["csv", "ndjson"]))
        return f"/v1/participants.{format_}", {**draw(QUERIES), **draw(FORMS), **draw(AS_OF)}
    of_event: dict[str, Any] = draw(st.sampled_from([{}, {"event_id": event}, {"limit": 1}]))
    others: dict[str, Request] = {
        "one": (f"/v1/participants/{id_}", draw(AS_OF)),
        "history": (f"/v1/participants/{id_}/history", {"include": "answers"}),
        "questions": ("/v1/questions", {**draw(AS_OF), **of_event}),
        "changes": (
            "/v1/changes",
            {"after": draw(st.integers(0, 48)), "limit": draw(st.sampled_from([1, 100])), "include": "answers"},
        ),
        "events": ("/v1/events", draw(AS_OF)),
        "event": (f"/v1/events/{event}", draw(AS_OF)),
        "status": ("/v1/status", {}),
    }
    return others[kind]


@given(scope=st.sampled_from(SCOPES), other=st.sampled_from(SCOPES), request=requests())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_answer_holds_anything_of_what_is_outside(
    world: tuple[Api, dict[tuple[str, ...], str]], scope: tuple[str, ...], other: tuple[str, ...], request: Request
) -> None:
    api, tokens = world
    path, query = request
    hidden = [f"{MARK}{event}x" for event in (*EVENTS, "spring") if event not in scope]
    asked = {**query}
    for _ in range(30):
        answer = api.ask(path, tokens[scope], **asked)
        assert answer.status_code in (200, 404), answer.text
        assert not [mark for mark in hidden if mark in answer.text], answer.text
        not_asked = [mark for mark in hidden if mark not in str(query)]  # a link and a warning repeat what was asked
        assert not [value for value in answer.headers.values() for mark in not_asked if mark in value]
        page = answer.json() if "json" in answer.headers["content-type"] and "ndjson" not in path else {}
        if "count" in page:
            assert page["count"] == len(api.listed(path, tokens[scope], **{**query, "count": "exact", "limit": 100}))
        if not page.get("next"):
            return
        asked = {**query, "cursor": page["next"]}
        if other != scope:
            assert api.ask(path, tokens[other], **asked).status_code == 400


@pytest.mark.parametrize("scope", SCOPES)
def test_no_page_shows_anything_of_what_is_outside(
    world: tuple[Api, dict[tuple[str, ...], str]], scope: tuple[str, ...]
) -> None:
    api, tokens = world
    hidden = [f"{MARK}{event}x" for event in (*EVENTS, "spring") if event not in scope]
    browser = Browser(api)
    browser.sign_in(tokens[scope])
    paths = ["/", f"/find?q={MARK}", "/find?q=active", *(f"/races/{event}" for event in (*EVENTS, "9"))]
    paths += [f"/races/{event}?sort=-position&limit=3" for event in EVENTS]
    paths += [f"/races/{event}?{query}" for event in EVENTS for query in ("as_of=20", "status=active", "answer.7=yes")]
    paths += [f"/participants/{id_}" for id_ in IDS]
    shown = 0
    for path in paths:
        answer = browser.open(path)
        assert answer.status_code in (200, 303, 404), answer.text
        assert not [mark for mark in hidden if mark in answer.text], answer.text
        shown += MARK in answer.text
    assert shown > (5 if scope != ("9",) else -1)


@pytest.mark.parametrize("scope", SCOPES)
def test_ids_of_others_are_not_told_apart_from_ids_of_nobody(
    world: tuple[Api, dict[tuple[str, ...], str]], scope: tuple[str, ...]
) -> None:
    api, tokens = world
    outside = next(event for event in EVENTS if event not in scope)
    for path in ("/v1/participants/{}", "/v1/participants/{}/history"):
        there, nobody = (api.ask(path.format(id_), tokens[scope]) for id_ in (f"{outside}-1", "nobody"))
        assert there.status_code == nobody.status_code == 404
        assert there.json()["detail"] == nobody.json()["detail"]

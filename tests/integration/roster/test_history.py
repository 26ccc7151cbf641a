"""What a participant was, and how many there are in an event: against what was delivered."""

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import Engine

from tests import model
from tests.api_client import make_token, running
from tests.fold_all import drain

STATES: list[dict[str, Any]] = [
    {"event_id": 1, "bib": None, "status": "active"},
    {"event_id": 1, "bib": "12", "status": "active", "waiver": True},
    {"event_id": 2, "bib": "12", "status": "deferred", "waiver": True},
    {"event_id": 1, "bib": "12", "status": "active"},
]


@pytest.fixture
def told(database: str, worker_engine: Engine) -> str:
    """Somebody of four states, at positions 1, 3, 4 and 5; somebody else at 2."""
    bodies = [model.body("a/b", **state) for state in STATES]
    model.append(database, [bodies[0], model.body("else", event_id=1), *bodies[1:]])
    drain(worker_engine)
    return database


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_every_state_with_its_positions_and_what_it_changed(told: str, engine: Engine, limit: int) -> None:
    with running(told) as api:
        states = api.listed("/v1/participants/a/b/history", make_token(engine), limit=limit)
    assert [(state["position"], state["until_position"]) for state in states] == [(1, 3), (3, 4), (4, 5), (5, None)]
    assert [state["participant"]["status"] for state in states] == ["active", "active", "deferred", "active"]
    assert states[0]["changed"] == {}
    assert states[1]["changed"] == {
        "bib": {"from": None, "to": "12"},
        "attributes.bib": {"from": None, "to": "12"},
        "attributes.waiver": {"from": None, "to": True},
    }
    assert states[2]["changed"]["event_id"] == {"from": "1", "to": "2"}
    assert states[3]["changed"]["attributes.waiver"] == {"from": True, "to": None}
    assert all(state["received_at"] == state["participant"]["received_at"] for state in states)


def test_a_state_outside_of_a_tokens_events_is_not_shown(told: str, engine: Engine) -> None:
    with running(told) as api:
        states = api.listed("/v1/participants/a/b/history", make_token(engine, events=("1",)))
        assert [state["position"] for state in states] == [1, 3, 5]
        assert "event_id" not in states[2]["changed"]
        assert api.ask("/v1/participants/a/b/history", make_token(engine, "t9", events=("9",))).status_code == 404
        assert api.ask("/v1/participants/nobody/history", make_token(engine, "every")).status_code == 404


def test_the_roster_as_it_was_by_position_and_by_time(told: str, engine: Engine) -> None:
    with running(told) as api:
        token = make_token(engine)
        answer = api.ask("/v1/participants/a/b", token, as_of=4)
        assert (answer.json()["status"], answer.headers["rosterlog-position"]) == ("deferred", "4")
        assert [row["participant_id"] for row in api.listed("/v1/participants", token, as_of=1)] == ["a/b"]
        assert api.listed("/v1/participants", token, as_of=4, status="deferred", q="nobody", sort="-bib") == []
        assert len(api.listed("/v1/participants", token, as_of=4, status="deferred", sort="-bib", limit=1)) == 1
        moment = api.ask("/v1/participants/a/b", token, as_of=3).json()["received_at"]
        assert api.ask("/v1/participants/a/b", token, as_of=moment).headers["rosterlog-position"] == "3"
        assert api.ask("/v1/participants", token, as_of="2020-01-01").json()["data"] == []
        assert api.ask("/v1/participants", token, as_of="2200-01-01").json()["position"] == 5


def test_events_are_counted_as_their_participants_are(database: str, engine: Engine, worker_engine: Engine) -> None:
    people: list[dict[str, Any]] = [
        {
            "event_id": number % 3 + 1,
            "event_name": f"Race {number % 3 + 1}" if number < 25 else f"Renamed {number % 3 + 1}",
            "sub_event": {"id": number % 2, "name": "Long" if number % 2 else "Short"},
            "gender": ["female", "male", None][number % 3],
            "status": ["active", "deferred"][number % 2],
            "created_at": f"2026-03-{number % 4 + 1:02}T23:30:00-01:00",
        }
        for number in range(30)
    ]
    model.append(database, [model.body(number, **person) for number, person in enumerate(people)])
    model.append(database, [model.body("nowhere")])
    drain(worker_engine)
    with running(database) as api:
        token = make_token(engine)
        races = api.listed("/v1/events", token, limit=2)
        assert [race["event_id"] for race in races] == ["1", "2", "3"]
        assert races[1] == api.ask("/v1/events/2", token).json()
        assert api.ask("/v1/events/9", token).status_code == 404
        some = make_token(engine, "some", events=("3",))
        assert [race["event_id"] for race in api.listed("/v1/events", some)] == ["3"]
        assert api.ask("/v1/events/2", some).status_code == 404
        before = api.ask("/v1/events/1", token, as_of=4).json()
    registered = [person for person in people if person["event_id"] == 2]
    assert (races[1]["event_name"], races[1]["participants"]) == ("Renamed 2", 10)
    for name, key, counted in (
        ("statuses", "status", Counter(person["status"] for person in registered)),
        ("genders", "gender", Counter(person["gender"] for person in registered)),
        ("days", "day", Counter(f"2026-03-{int(person['created_at'][8:10]) + 1:02}" for person in registered)),
        ("sub_events", "sub_event_name", Counter(person["sub_event"]["name"] for person in registered)),
    ):
        assert {count[key]: count["participants"] for count in races[1][name]} == counted, name
    assert before["participants"] == 2

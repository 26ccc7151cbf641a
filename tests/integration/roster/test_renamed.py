"""A question that got other words loses nobody, neither between pages nor for those who ask by the words of before."""

from typing import Any

import pytest

from projections.roster import questions
from projections.web.access import tokens
from tests import model
from tests.answers_world import World, answered


def asked_in(words: str, *ids: str, event_id: int = 1, question_id: int | None = 1) -> list[bytes]:
    return [model.body(id_, event_id=event_id, answers=answered((question_id, words, "M"))) for id_ in ids]


def pages(world: World, token: str, source: str, between: list[bytes], **asked: Any) -> list[str]:  # noqa: ANN401
    """The ids on two pages, between which these deliveries arrive."""
    first = world.api.ask("/v1/participants", token, limit=3, **asked).json()
    world.tell(between, source)
    second = world.api.ask("/v1/participants", token, limit=100, cursor=first["next"], **asked)
    assert second.status_code == 200, second.text
    return [row["participant_id"] for row in first["data"] + second.json()["data"]]


@pytest.mark.parametrize("sort", ["participant_id", "-position"])
def test_whoever_was_there_throughout_comes_though_the_question_got_other_words(world: World, sort: str) -> None:
    token = world.told(asked_in("Shirt", *"123456"), f"renamed {sort}")
    between = asked_in("Trikot", "0", "9") + asked_in("Shirt", "00", "99", question_id=2)
    found = pages(world, token, f"renamed {sort}", between, **{"answer.Shirt": "M", "sort": sort})
    assert sorted(set(found) & {*"123456"}) == [*"123456"]
    assert "99" not in found, "another question that is called so now is not meant"


def test_questions_too_many_for_an_address_are_refused_when_they_got_other_words(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not when they did not."""
    monkeypatch.setattr(questions, "_MOST_NOTED", 1)
    token = world.told(asked_in("Shirt", *"123456"), "many")
    assert sorted(pages(world, token, "many", asked_in("Shirt", "7"), **{"answer.Shirt": "M"})) == [*"1234567"]
    first = world.api.ask("/v1/participants", token, limit=3, **{"answer.Shirt": "M"}).json()
    world.tell(asked_in("Shirt", "8", question_id=2), "many")
    second = world.api.ask("/v1/participants", token, cursor=first["next"], **{"answer.Shirt": "M"})
    assert (second.status_code, second.json()["parameter"]) == (400, "cursor")
    assert second.json()["detail"].startswith("Questions got other words since the first page")


def test_a_question_is_found_by_the_words_that_anybody_has(world: World) -> None:
    long = "Which size of the shirt, " * 20
    deliveries = asked_in("Shirt", "1") + asked_in(long, "2") + asked_in("Trikot", "3", event_id=2)
    token = world.told(deliveries, "by old words")
    for words in ("Shirt", long, "Trikot", "1"):
        answer = world.api.ask("/v1/participants", token, **{f"answer.{words}": "M"})
        assert [row["participant_id"] for row in answer.json()["data"]] == [*"123"], words
        assert "rosterlog-warning" not in answer.headers
        assert world.found(token, as_of=3, **{f"answer.{words}": "M"}) == [*"123"]
    assert world.found(token, event_id=1, **{"answer.Shirt": "M"}) == ["1", "2"]
    assert world.found(token, event_id=2, **{"answer.Shirt": "M"}) == [], "nobody of this event was asked so"
    assert world.found(token, **{f"answer.{long[:-1]}": "M"}) == []
    world.tell(asked_in("Shirt", "4", question_id=2), "by old words")
    assert world.found(token, **{"answer.Shirt": "M"}) == ["4"], "the newest words come first"
    rows = world.exported(token, answers="columns", columns="participant_id", **{f"answer.{long}": "M"})
    assert [row["Trikot"] for row in rows] == ["M"] * 3


def test_words_that_hardly_anybody_has_find_nothing_for_a_token_without_personal_data(world: World) -> None:
    world.tell(asked_in("My own words", "1") + asked_in("Shirt", *map(str, range(2, 20))), "masked")
    with world.owner.begin() as connection:
        token = tokens.create(connection, "plain", "masked", (), None, sees_personal_data=False)
    assert len(world.found(token, **{"answer.Shirt": "M"})) == 19
    assert world.found(token, **{"answer.My own words": "M"}) == []

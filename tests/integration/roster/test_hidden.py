"""What a token may not see it cannot find out by numbers, cursors or warnings; and its pages and copies are whole."""

import base64
from typing import Any

import pytest

from projections.roster import questions
from projections.web.access import tokens
from tests import model
from tests.answers_world import World, answered
from tests.api_client import make_token
from tests.integration.roster.test_changes import Follower, roster


def plain_token(world: World, source: str) -> str:
    with world.owner.begin() as connection:
        return tokens.create(connection, f"plain {source}", source, (), None, sees_personal_data=False)


def counts(world: World, token: str, **asked: Any) -> list[tuple[int, int]]:  # noqa: ANN401 - parameters
    forms = world.api.listed("/v1/questions", token, **asked)
    return [(each["asked"], each["answered"]) for form in forms for each in form["questions"]]


def test_how_many_answered_tells_nothing_of_answers_that_are_hidden(world: World) -> None:
    """As of one position after the other, the number would say who did."""
    bodies = [
        model.body(id_, event_id=1, answers=answered((70, "Medical", f"own {id_}" if id_ in (2, 4) else None)))
        for id_ in range(1, 13)
    ]
    full = world.told(bodies, "medical")
    plain = plain_token(world, "medical")
    assert [counts(world, full, as_of=position) for position in range(1, 5)] == [[(1, 0)], [(2, 1)], [(3, 1)], [(4, 2)]]
    assert [counts(world, plain, as_of=position) for position in range(1, 5)] == [[(n, 0)] for n in range(1, 5)]
    assert (counts(world, full), counts(world, plain)) == ([(12, 2)], [(12, 0)])


def test_answers_that_are_shown_are_counted(world: World) -> None:
    world.tell([model.body(id_, event_id=1, answers=answered((1, "Hat", "M"))) for id_ in range(10)], "counted")
    assert counts(world, plain_token(world, "counted")) == [(10, 10)]


def test_words_of_one_person_take_the_title_of_a_question_from_nobody(world: World) -> None:
    """The newest words that many have stay, as in SQL."""
    sized = [model.body(id_, event_id=1, answers=answered((1, "Size", "M"))) for id_ in range(12)]
    own = model.body(99, event_id=1, answers=answered((1, "Size (my own words)", "M")))
    full = world.told([*sized, own], "titles")
    plain = plain_token(world, "titles")
    for asked in ({}, {"as_of": 13}, {"event_id": 1}):
        titles = [
            [
                question["question"]
                for form in world.api.listed("/v1/questions", token, **asked)
                for question in form["questions"]
            ]
            for token in (full, plain)
        ]
        assert titles == [["Size (my own words)"], ["Size"]], asked
    assert world.exported(plain, answers="columns", columns="participant_id")[0]["Size"] == "M"
    assert len(world.found(plain, **{"answer.Size": "M"})) == 13


def of_clubs(own: int) -> list[bytes]:
    """People of a club under one question, and others under a question of their own that is called the same."""
    there = [model.body(id_, answers=answered((70, "Club", "Harriers"))) for id_ in range(12)]
    return there + [
        model.body(f"p{id_}", answers=[{"question_id": f"own-{id_}@x", "question": "Club", "answer": "Harriers"}])
        for id_ in range(own)
    ]


@pytest.mark.parametrize("most", [2_000, 1])
def test_a_cursor_has_no_id_that_is_hidden(world: World, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Nor a digest of one, which can be guessed. With it the pages are those of one page."""
    monkeypatch.setattr(questions, "_MOST_NOTED", most)
    source = f"clubs {most}"
    full = world.told(of_clubs(14), source)
    plain = plain_token(world, source)
    asked = {"answer.Club": "Harriers", "limit": 5}
    with_own, without = (world.api.ask("/v1/participants", token, **asked).json()["next"] for token in (full, plain))
    assert (b"own-" in decoded(with_own)) is (most > 1)
    assert b"own-" not in decoded(without)
    world.told(of_clubs(0), f"{source} alone")
    alone = world.api.ask("/v1/participants", plain_token(world, f"{source} alone"), **asked).json()["next"]
    assert decoded(alone).split(b"]", 1)[1].split(b",")[1] == decoded(without).split(b"]", 1)[1].split(b",")[1]
    assert len(world.found(plain, **asked)) == len(world.found(plain, **{**asked, "limit": 100})) == 12
    assert len(world.found(full, **asked)) == 26


def decoded(cursor: str) -> bytes:
    return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))[16:]


def test_a_cursor_of_questions_of_many_bytes_fits_an_address(world: World) -> None:
    ids = [f"{number}".rjust(4, "0") + "\N{RUNNER}" * 66 for number in range(27)]
    form = [{"question_id": id_, "question": "Club", "answer": "Harriers"} for id_ in ids]
    token = world.told([model.body(number, answers=form) for number in range(3)], "runners")
    answer = world.api.ask("/v1/participants", token, limit=1, **{"answer.Club": "Harriers"})
    assert len(answer.json()["next"]) < 3_000
    assert len(world.found(token, limit=1, **{"answer.Club": "Harriers"})) == 3


def test_pages_go_on_when_words_become_those_of_a_hidden_question_too(world: World) -> None:
    world.tell([model.body(f"{id_:02}", answers=answered((8, "Hat", "M"))) for id_ in range(30)], "hats")
    plain = plain_token(world, "hats")
    first = world.api.ask("/v1/participants", plain, limit=5, **{"answer.Hat": "M"}).json()
    world.tell([model.body("99", answers=answered((8, "Cap", "M"), (9, "Hat", "my own")))], "hats")
    second = world.api.ask("/v1/participants", plain, limit=100, cursor=first["next"], **{"answer.Hat": "M"})
    assert second.status_code == 200, second.text
    ids = [row["participant_id"] for row in first["data"] + second.json()["data"]]
    assert ids == [*(f"{id_:02}" for id_ in range(30)), "99"]
    assert world.found(plain, **{"answer.Hat": "M"}) == ids, "the question is still called so, as many have it"


def test_a_warning_tells_a_token_of_some_events_nothing_of_others(world: World) -> None:
    """However many of these answered so."""
    others = [model.body(f"a{id_}", event_id="A", answers=answered((900, "Run?", "yes"))) for id_ in range(2_005)]
    world.tell([*others, model.body("b", event_id="B", answers=answered((900, "Run?", "no")))], "some events")
    token = make_token(world.owner, "of B", "some events", ("B",))
    for operator in ("", "__ne", "__in"):
        said = {
            answer: world.api.ask("/v1/participants", token, **{f"answer.900{operator}": answer}).headers.get(
                "Rosterlog-Warning"
            )
            for answer in ("yes", "maybe", "no")
        }
        assert said["yes"] == said["maybe"] is not None, operator
        assert said["no"] is None


def test_a_row_per_answer_has_the_answers_of_the_list(world: World) -> None:
    """Also to a question whose newest words are of one person, and whose id is."""
    words = [model.body(id_, answers=[{"question": "Meal", "answer": "Soup"}]) for id_ in range(12)]
    own = [{"question_id": "own", "question": "Meal", "answer": "Soup"}]
    renamed = [{"question_id": "own", "question": "My own words", "answer": "Soup"}]
    world.tell([*words, model.body("x", answers=own), model.body("y", answers=renamed)], "rows")
    plain = plain_token(world, "rows")
    listed = [
        {"participant_id": row["participant_id"], **each}
        for row in world.api.listed("/v1/participants", plain, include="answers")
        for each in row["answers"]
    ]
    assert {"participant_id": "x", "question_id": None, "question": "Meal", "answer": None} in listed
    assert world.lines(plain, answers="rows") == listed


def test_a_copy_without_personal_data_equals_the_roster_and_answers_are_not_followed(world: World) -> None:
    """The tenth who answers so would change what is shown of the nine before, whom no change names."""
    world.tell([model.body(id_, answers=answered((5, "Bus", "yes"))) for id_ in range(201, 210)], "buses")
    plain, full = plain_token(world, "buses"), make_token(world.owner, "all of buses", "buses")
    follower = Follower(world.api, plain)
    follower.catch_up(4)
    for asked in ({"include": "answers"}, {"include": "answers", "columns": "bib"}):
        refused = world.api.ask("/v1/changes", plain, after=follower.after, **asked)
        assert (refused.status_code, refused.json()["parameter"]) == (400, "include")
        assert "depends on what others answered" in refused.json()["detail"]
        assert world.api.ask("/v1/changes", full, **asked).status_code == 200
    world.tell([model.body(210, bib="7", answers=answered((5, "Bus", "yes")))], "buses")
    follower.catch_up(4)
    assert follower.copy == roster(world.api, plain)
    assert len(follower.copy) == 10

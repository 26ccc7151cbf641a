"""Texts that are longer than their keys are kept, sorted and found, though keys are cut so that an index holds them."""

import random
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from ingest import postgres
from ingest.database import WORKER_ROLE, sync_engine
from tests import model
from tests.api_client import Api, make_token, running
from tests.conftest import create
from tests.fold_all import drain

TEXTS = ("first_name", "last_name", "team", "email")
LONGEST = 100  # letters of a key
Told = tuple[Api, str, str]


def long_text(random_: random.Random, number: int) -> str:
    """Up to twenty words of 101 to 260 letters, in which the hundredth letter stands anywhere in a word."""
    words = [f"w{number}q"]
    while len(" ".join(words)) <= LONGEST:
        word = "".join(random_.choices("abcdeéøñи", k=random_.randint(4, 130)))
        words.append(random_.choice(["{}", "{}", "O'{}", "x-{}"]).format(word))
    return random_.choice([" ", "  "]).join(words)


RANDOM = random.Random(11)
PEOPLE = [{name: long_text(RANDOM, 10 * number + place) for place, name in enumerate(TEXTS)} for number in range(12)]


@pytest.fixture(scope="module")
def told(server: postgres.Server, template: str) -> Iterator[Told]:
    """An API, a token for all events, which searches by the index, and one for the event 1, which does not."""
    conninfo = create(server, template)
    model.append(conninfo, [model.body(number, event_id=1, **texts) for number, texts in enumerate(PEOPLE)])
    model.append(conninfo, [model.body(number, event_id=1, **PEOPLE[0]) for number in range(5)], "other")
    worker, owner = sync_engine(conninfo, WORKER_ROLE), sync_engine(conninfo)
    drain(worker)
    drain(worker, "other")
    with running(conninfo) as api:
        yield api, make_token(owner), make_token(owner, "of one", events=("1",))
    worker.dispose()
    owner.dispose()


def found(told: Told, text: str, *, by_index: bool) -> list[str]:
    api, token, of_one = told
    return [row["participant_id"] for row in api.listed("/v1/participants", token if by_index else of_one, q=text)]


@pytest.mark.parametrize("by_index", [True, False])
def test_whoever_has_a_long_text_is_found_by_all_of_it_and_nobody_else(told: Told, *, by_index: bool) -> None:
    for number, texts in enumerate(PEOPLE):
        for text in texts.values():
            assert found(told, text, by_index=by_index) == [str(number)], text


@pytest.mark.parametrize("by_index", [True, False])
def test_the_word_at_which_a_long_text_was_cut_is_found_by_all_of_it(told: Told, *, by_index: bool) -> None:
    for number, texts in enumerate(PEOPLE):
        for name in TEXTS[:3]:
            words = " ".join(texts[name].split())
            begins = words.rindex(" ", 0, LONGEST + 1) + 1
            if LONGEST - begins < 3:  # nothing of it is left, or too little to tell people apart
                continue
            [cut, *_] = words[begins:].split(" ")
            assert str(number) in found(told, cut, by_index=by_index), words
            assert found(told, f"{cut} w{10 * number + TEXTS.index(name)}q", by_index=by_index) == [str(number)], words


def test_a_word_that_only_begins_like_one_that_was_not_cut_finds_nobody(
    database: str, engine: Engine, worker_engine: Engine
) -> None:
    model.append(database, [model.body(1, team="Zulu " + "y" * 120), model.body(2, team="Zulu")])
    drain(worker_engine)
    with running(database) as api:
        token = make_token(engine)
        assert api.listed("/v1/participants", token, q="zululand") == []
        assert len(api.listed("/v1/participants", token, q="zulu")) == 2
        assert [row["participant_id"] for row in api.listed("/v1/participants", token, q="y" * 120)] == ["1"]


@pytest.mark.parametrize("events", [(), ("1",)])
def test_a_word_that_ends_where_the_key_does_was_not_cut(
    database: str, engine: Engine, worker_engine: Engine, events: tuple[str, ...]
) -> None:
    """Which a text of exactly as many letters has, and one in which a blank comes next."""
    teams = ["y" * 95 + ending for ending in (" club", " club house", " clubhouse", " club-rooms")]
    model.append(database, [model.body(number, event_id=1, team=team) for number, team in enumerate(teams)])
    drain(worker_engine)
    with running(database) as api:
        token = make_token(engine, events=events)
        for words, ids in (("clubhouse", "2"), ("club", "0123"), ("clubrooms", "2"), ("clu", "0123"), ("house", "")):
            for asked in ({"q": words}, {"q": words, "as_of": 4}):
                assert [row["participant_id"] for row in api.listed("/v1/participants", token, **asked)] == [*ids], (
                    words
                )


def test_a_long_text_is_kept_sorted_and_found(database: str, engine: Engine, worker_engine: Engine) -> None:
    long = "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}" * 4000
    answers = [{"question": "Why? " * 900, "answer": "Because. " * 900}]
    model.append(database, [model.body(1, first_name=long, last_name=long, email=long, bib=long, answers=answers)])
    drain(worker_engine)
    with running(database) as api:
        token = make_token(engine)
        for asked in ({"sort": "last_name"}, {"last_name": long}, {"answer." + "Why? " * 900: "Because. " * 900}):
            assert len(api.listed("/v1/participants", token, **asked)) == 1

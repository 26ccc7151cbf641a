"""Following the roster: whoever applies what changed has the roster, whatever happens to it meanwhile."""

import random
import threading
from typing import Any

import pytest
from sqlalchemy import Engine

from projections.folding import tries
from projections.rebuild.swap import swap
from projections.roster import changes
from tests import model
from tests.api_client import Api, make_token, running
from tests.erased_person import erase, lift
from tests.fold_all import PARTICIPANTS, build_anew, drain, live
from tests.other_definition import OTHER, live_before


class Follower:
    """A copy of what a token sees, kept by `/v1/changes` alone. It knows nothing of how changes come about."""

    def __init__(self, api: Api, token: str) -> None:
        self._api = api
        self._token = token
        self.after = "0"
        self.copy: dict[str, dict[str, Any]] = {}
        self.resets = 0

    def go_to(self, api: Api) -> None:
        """Ask another server from now on, with the same token."""
        self._api = api

    def read(self, **query: Any) -> bool:  # noqa: ANN401
        """Apply one page; gives whether it was the last for now."""
        answer = self._api.ask("/v1/changes", self._token, after=self.after, **query)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        positions = [change["position"] for change in page["data"] if change["change"] != "reset"]
        assert positions == sorted(positions)
        for change in page["data"]:
            if change["change"] == "reset":
                self.copy.clear()
                self.resets += 1
            elif change["change"] == "removed":
                self.copy.pop(change["participant_id"], None)
            else:
                self.copy[change["participant_id"]] = change["participant"]
        self.after = page["after"]
        return page["next"] is None

    def catch_up(self, limit: int) -> None:
        while not self.read(limit=limit):
            pass


def roster(api: Api, token: str) -> dict[str, Any]:
    return {row["participant_id"]: row for row in api.listed("/v1/participants", token, limit=1000)}


class World:
    """What happens to a roster, by chance: deliveries, people who change events, and all that operators do."""

    def __init__(self, database: str, worker_engine: Engine, operator: Engine, random_: random.Random) -> None:
        self._database = database
        self._engine = worker_engine
        self._operator = operator
        self._random = random_
        self._erased: list[str] = []
        self._version = 0
        self._definition = PARTICIPANTS

    def happen(self) -> None:
        every = [self.deliver, self.fold, self.forget, self.remember, self.rebuild]
        self._random.choices(every, [6, 6, 2, 2, 1])[0]()

    def deliver(self) -> None:
        for _ in range(self._random.randint(1, 12)):
            self._version += 1
            event, bib = self._random.choice([1, 2, 3]), str(self._version)
            body = model.body(self._random.randint(1, 15), event_id=event, bib=bib, race_number=f"r{bib}")
            model.append(self._database, [body])

    def fold(self) -> None:
        while tries.run_once(self._engine, self._definition, "movemint", self._random.randint(1, 9)):
            pass

    def forget(self) -> None:
        id_ = str(self._random.randint(1, 15))
        if id_ not in self._erased and erase(self._operator, id_):
            self._erased.append(id_)

    def remember(self) -> None:
        if self._erased and self._definition is PARTICIPANTS:
            lift(self._operator, self._erased.pop())

    def rebuild(self) -> None:
        self._definition = self._random.choice([PARTICIPANTS, OTHER])
        swap(self._engine, self._definition, build_anew(self._engine, self._definition), 100)


@pytest.mark.parametrize("seed", range(6))
def test_whoever_applies_the_changes_has_the_roster_whatever_happens(
    database: str, engine: Engine, worker_engine: Engine, operator: Engine, seed: int
) -> None:
    random_ = random.Random(seed)
    world = World(database, worker_engine, operator, random_)
    world.fold()
    with running(database) as api:
        every, some = make_token(engine, "every"), make_token(engine, "some", events=("1", "3"))
        followers = [Follower(api, every), Follower(api, some)]
        for _ in range(50):
            world.happen()
            for follower in followers:
                if random_.random() < 0.7:
                    follower.read(limit=random_.choice([1, 2, 5, 100]))
        world.fold()
        for follower, token in zip(followers, (every, some), strict=True):
            follower.catch_up(limit=random_.choice([1, 3, 50]))
            assert follower.copy == roster(api, token)


def test_a_bare_position_is_enough_to_go_on_from(
    database: str, engine: Engine, worker_engine: Engine, operator: Engine
) -> None:
    """A copy taken at a position, then followed: what changed beside the log just there comes again."""
    model.append(database, [model.body(number) for number in range(5)])
    drain(worker_engine)
    with running(database) as api:
        follower = Follower(api, make_token(engine))
        follower.catch_up(10)
        erase(operator, "3")
        follower.after = "5"
        follower.catch_up(10)
        assert sorted(follower.copy) == ["0", "1", "2", "4"]


def test_a_token_hears_nothing_of_people_it_never_saw(
    database: str, engine: Engine, worker_engine: Engine, operator: Engine
) -> None:
    model.append(database, [model.body(1, event_id=2), model.body(2, event_id=1), model.body(2, event_id=2)])
    drain(worker_engine)
    erase(operator, "1")
    with running(database) as api:
        token = make_token(engine, events=("1",))
        assert api.listed("/v1/changes", token, after="0") == []
        assert [change["change"] for change in api.listed("/v1/changes", token, after="2")] == ["removed"]


def test_whoever_left_in_the_middle_of_a_page_by_page_is_gone_too(
    database: str, engine: Engine, worker_engine: Engine
) -> None:
    """Seen in event 1, then in 2 for a while that ends between two pages, then in 3."""
    model.append(database, [model.body("x", event_id=1)])
    drain(worker_engine)
    with running(database) as api:
        follower = Follower(api, make_token(engine, events=("1",)))
        follower.catch_up(10)
        moves = [model.body("x", event_id=2), model.body("y", event_id=1), model.body("x", event_id=3)]
        model.append(database, moves)
        drain(worker_engine)
        assert not follower.read(limit=1)
        follower.catch_up(1)
        assert sorted(follower.copy) == ["y"]


def test_waiting_ends_when_something_changes_and_only_then(
    database: str, engine: Engine, worker_engine: Engine
) -> None:
    model.append(database, [model.body(1)])
    drain(worker_engine)
    with running(database) as api:
        token = make_token(engine)
        nothing = api.ask("/v1/changes", token, after="1", wait=1).json()
        assert (nothing["data"], nothing["next"]) == ([], None)
        assert nothing["after"].startswith("1.0.1-1.0-")
        later = threading.Timer(0.3, lambda: (model.append(database, [model.body(2)]), drain(worker_engine)))
        later.start()
        page = api.ask("/v1/changes", token, after="1", wait=30).json()
        later.join()
        assert [(change["position"], change["participant_id"]) for change in page["data"]] == [(2, "2")]


def test_waiting_looks_at_the_roster_and_not_at_what_was_seen_long_ago(
    database: str, engine: Engine, worker_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody waited before, so that a state was seen, and the roster has moved since."""
    model.append(database, [model.body(1)])
    drain(worker_engine)
    questions = 0
    ask_changes = changes.changes

    async def counted(*args: Any, **more: Any) -> changes.Changes:  # noqa: ANN401 - those of the function
        nonlocal questions
        questions += 1
        return await ask_changes(*args, **more)

    with running(database) as api:
        token = make_token(engine)
        api.ask("/v1/changes", token, after="1", wait=1)
        model.append(database, [model.body(2)])
        drain(worker_engine)
        monkeypatch.setattr(changes, "changes", counted)
        assert api.ask("/v1/changes", token, after="2", wait=1).json()["data"] == []
    assert questions == 2


def test_whoever_has_the_answer_still_waits_for_another(database: str, engine: Engine, worker_engine: Engine) -> None:
    model.append(database, [model.body(1)])
    drain(worker_engine)
    with running(database) as api:
        token = make_token(engine)
        kept = {"If-None-Match": api.ask("/v1/changes", token, after="1", wait=1).headers["etag"]}
        later = threading.Timer(0.3, lambda: (model.append(database, [model.body(2)]), drain(worker_engine)))
        later.start()
        answer = api.ask("/v1/changes", token, after="1", wait=1, headers=kept)
        later.join()
        assert [change["participant_id"] for change in answer.json()["data"]] == ["2"]
        again = api.ask("/v1/changes", token, after="2", wait=1, headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 200


def test_a_place_the_roster_has_not_come_to_is_refused_in_the_end(
    database: str, engine: Engine, worker_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.web.places._PLACE_SECONDS", 0.2)
    model.append(database, [model.body(1)])
    drain(worker_engine)
    with running(database) as api:
        answer = api.ask("/v1/changes", make_token(engine), after="9")
    assert (answer.status_code, answer.json()["parameter"]) == (503, "after")


def test_an_answer_waits_for_its_position_and_no_longer(database: str, engine: Engine, worker_engine: Engine) -> None:
    model.append(database, [model.body(1)])
    drain(worker_engine)
    with running(database) as api:
        token = make_token(engine)
        later = threading.Timer(0.3, lambda: (model.append(database, [model.body(2)]), drain(worker_engine)))
        later.start()
        answer = api.ask("/v1/participants/2", token, min_position=2)
        later.join()
        assert (answer.status_code, answer.headers["rosterlog-position"]) == (200, "2")
        assert api.ask("/v1/participants/2", token, min_position=1).status_code == 200


def test_a_position_that_is_not_reached_in_time_is_a_503(
    database: str, engine: Engine, worker_engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projections.web.dispatch._POSITION_SECONDS", 0.2)
    model.append(database, [model.body(1)])
    drain(worker_engine)
    with running(database) as api:
        answer = api.ask("/v1/participants", make_token(engine), min_position=9)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "at position 1 and not yet at 9" in answer.json()["detail"]


def test_a_rollback_is_a_new_roster_too(database: str, engine: Engine, worker_engine: Engine) -> None:
    model.append(database, [model.body(1, bib="old", race_number="new")])
    drain(worker_engine)
    with running(database) as api:
        follower = Follower(api, make_token(engine))
        follower.catch_up(10)
        swap(worker_engine, OTHER, build_anew(worker_engine, OTHER), 100)
        follower.catch_up(10)
        assert follower.copy["1"]["bib"] == "new"
        swap(worker_engine, PARTICIPANTS, live_before(worker_engine), 100)
        follower.catch_up(10)
        assert follower.copy["1"]["bib"] == "old"
        assert live(worker_engine, PARTICIPANTS).number == 1

"""Every id that the roster holds answers at its own address, over HTTP as strangers send it."""

import re
from collections.abc import Iterator
from urllib.parse import quote, urljoin

import pytest
from sqlalchemy import Engine

from tests import model
from tests.api_client import make_token
from tests.fold_all import drain
from tests.program import environ, free_port, get, running, status_of, until

pytestmark = pytest.mark.acceptance

IDS = (
    "7", "a", "a/b", "a/history", "history", "a/history/history", "/", "//", "/a", "a/", " ", " a", "a ",
    "\u00a0", "\u200b", "a\nb", "\n", "a\n", "\r\n", "\t", ".", "..", "...", "../a", "./", "%", "%2F", "%2e",
    "a%0Ab", "?", "a?b=c", "#", "a#b", "&", "=", "+", "a+b", ";", ":", "@", "\\", "a\\b", '"', "'", "<a>", "{id}",
    "Ł", "é", "e\u0301", "日本", "😀", "\ufeff", "\u202e", "\x01", "\x7f", "x" * 255, "😀" * 255, "/" * 255,
    "null", "csv", "participants.csv", ".csv",
)  # fmt: skip


@pytest.fixture
def served(database: str, engine: Engine, worker_engine: Engine) -> Iterator[tuple[int, str]]:
    """An API over a participant of each id, who is in a race of the same id and has had two states."""
    for bib in ("1", "2"):
        model.append(database, [model.body(id_, event_id=id_, bib=bib) for id_ in IDS])
    drain(worker_engine)
    port = free_port()
    env = environ(DATABASE_URL=database, ROSTERLOG_CORS_ORIGINS="https://club.example")
    with running("api", "--port", str(port), env=env):
        until(lambda: status_of(port, "/readyz") == 200)
        yield port, make_token(engine)


def encoded(id_: str) -> str:
    return quote(id_, safe="").replace(".", "%2E")


def test_every_id_answers_at_its_own_address(served: tuple[int, str]) -> None:
    port, token = served
    etags = set()
    for id_ in IDS:
        status, headers, one = get(port, f"/v1/participants/{encoded(id_)}", token)
        assert (status, one["participant_id"]) == (200, id_)
        etags.add(headers["etag"])
        status, _, history = get(port, f"/v1/participants/{encoded(id_)}/history", token)
        assert status == 200
        assert [state["participant"]["participant_id"] for state in history["data"]] == [id_, id_]
        status, _, race = get(port, f"/v1/events/{encoded(id_)}", token)
        assert (status, race["event_id"]) == (200, id_)
        assert get(port, f"/v1/participants/{encoded(id_)}", method="OPTIONS")[0] == 204
        assert get(port, f"/v1/participants/{encoded(id_)}", token, "POST")[0] == 405
    assert len(etags) == len(IDS)


def test_the_link_to_the_next_page_of_a_history_has_the_id_encoded(served: tuple[int, str]) -> None:
    port, token = served
    for id_ in IDS:
        _, headers, page = get(port, f"/v1/participants/{encoded(id_)}/history?limit=1", token)
        [reference] = re.findall(r'^<([^>]+)>; rel="next"$', headers["link"])
        link = urljoin(f"/v1/participants/{encoded(id_)}/history", reference)
        assert link.isascii()
        assert not re.search(r"/\.\.?/", link), "a client would take it for a step in the path"
        status, _, following = get(port, link, token)
        assert status == 200, following
        states = page["data"] + following["data"]
        assert [(state["participant"]["participant_id"], state["participant"]["bib"]) for state in states] == [
            (id_, "1"), (id_, "2")
        ]  # fmt: skip


def test_plain_slashes_are_taken_where_they_can_mean_one_thing_alone(served: tuple[int, str]) -> None:
    port, token = served
    assert get(port, "/v1/participants/a/b", token)[2]["participant_id"] == "a/b"
    assert get(port, "/v1/events/a/b", token)[2]["event_id"] == "a/b"
    assert len(get(port, "/v1/participants/a/b/history", token)[2]["data"]) == 2
    assert get(port, "/v1/participants/a/history", token)[2]["data"][0]["participant"]["participant_id"] == "a"
    assert get(port, "/v1/participants/a/%68istory", token)[2]["data"][0]["participant"]["participant_id"] == "a"
    assert get(port, "/v1/%70articipants/%61", token)[2]["participant_id"] == "a"


def test_what_no_id_can_be_is_not_found(served: tuple[int, str]) -> None:
    port, token = served
    for segment in ("", "%00", "a%00", "%FF", "%C3", "%ED%A0%80", "nobody"):
        for path in (f"/v1/participants/{segment}", f"/v1/participants/{segment}/history", f"/v1/events/{segment}"):
            assert get(port, path)[0] == 401
            status, headers, problem = get(port, path, token)
            assert (status, headers["content-type"]) == (404, "application/problem+json"), path
            assert "this id" in problem["detail"], path
    for path in ("/v1/participants%0A", "/v1/participants.csv%0A", "/v1/status%0A", "/v1/status/", "/v1"):
        assert get(port, path, token)[0] == 404

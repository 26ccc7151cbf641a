"""Bibs that several participants of an event have, by every way to ask for them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest import postgres
from ingest.database import WORKER_ROLE, sync_engine
from tests import model
from tests.api_client import Api, make_token, running
from tests.conftest import create
from tests.fold_all import drain

# Of one bib each, whatever its case and zeros before it.
BIBS = ("1", "01", "2", "A7", "a7", "a07", "30", None, "4", "5", "6", "7")


def bib(number: int) -> str | None:
    return BIBS[number * 5 % len(BIBS)] if number % 3 else str(number)


def key(bib: str | None) -> str | None:
    return None if bib is None else bib.lower().replace("0", "") if bib != "30" else bib


@dataclass
class Numbered:
    """Sixty people of two events, and two of none; the API, a token of all and one of the first event."""

    api: Api
    token: str
    of_one: str

    def ids(self, token: str, **query: str) -> set[str]:
        return {row["participant_id"] for row in self.api.listed("/v1/participants", token, limit=7, **query)}


@pytest.fixture(scope="module")
def numbered(server: postgres.Server, template: str) -> Iterator[Numbered]:
    conninfo = create(server, template)
    worker, owner = sync_engine(conninfo, WORKER_ROLE), sync_engine(conninfo)
    people = [model.body(number, event_id=number % 2, bib=bib(number)) for number in range(60)]
    model.append(conninfo, [*people, model.body(60, bib="9"), model.body(61, bib="9")])
    drain(worker)
    with running(conninfo) as api:
        yield Numbered(api, make_token(owner), make_token(owner, "one", events=("0",)))
    for engine in (worker, owner):
        engine.dispose()


@given(
    is_double=st.booleans(),
    event=st.sampled_from([{}, {"event_id": "1"}, {"event_id__in": "0,1"}]),
    as_of=st.one_of(st.none(), st.integers(1, 60)),
    sees_all=st.booleans(),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_bib_is_double_where_another_of_the_event_has_it(
    numbered: Numbered, *, is_double: bool, event: dict[str, str], as_of: int | None, sees_all: bool
) -> None:
    there = range(60 if as_of is None else as_of)
    had = Counter((number % 2, key(bib(number))) for number in there)
    wanted = {
        str(number)
        for number in there
        if (bib(number) is not None and had[number % 2, key(bib(number))] > 1) == is_double
        and (sees_all or number % 2 == 0)
        and (event.get("event_id") != "1" or number % 2 == 1)
    }
    if sees_all and not is_double and not event and as_of is None:
        wanted |= {"60", "61"}
    query = {"bib__double": str(is_double).lower(), **event, **({} if as_of is None else {"as_of": str(as_of)})}
    assert numbered.ids(numbered.token if sees_all else numbered.of_one, **query) == wanted


def test_a_double_bib_is_found_with_other_filters_and_in_files(numbered: Numbered) -> None:
    query = {"bib__double": "true", "event_id": "0", "bib__isnull": "false", "q": "a7", "sort": "-bib"}
    ids = {row["participant_id"] for row in numbered.api.listed("/v1/participants", numbered.token, **query)}
    assert ids == {str(n) for n in range(0, 60, 2) if key(bib(n)) == "a7"}
    lines = numbered.api.ask("/v1/participants.csv", numbered.token, columns="participant_id", **query).text.split()
    assert {*lines[1:]} == ids
    refused = numbered.api.ask("/v1/participants", numbered.token, bib__double="2")
    assert (refused.status_code, refused.json()["detail"]) == (400, "bib__double takes true or false.")
    document = numbered.api.ask("/openapi.json").json()["components"]["schemas"]["Filters"]["properties"]
    assert document["bib__double"]["$ref"].endswith("FilterTrueOrFalse")

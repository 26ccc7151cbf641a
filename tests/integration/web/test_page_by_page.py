"""From page to page of a race, forwards and back."""

import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import urlencode

import httpx2 as httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest import postgres
from ingest.database import WORKER_ROLE, sync_engine
from projections.roster.criteria import SORTABLE
from tests import model
from tests.api_client import make_token, running
from tests.browser_session import Browser, text_of
from tests.conftest import create
from tests.finding_model import people
from tests.fold_all import drain

RACE = "/races/1"
SORTS = st.lists(st.sampled_from(SORTABLE), max_size=3, unique=True).flatmap(
    lambda columns: st.tuples(*(st.sampled_from([column, f"-{column}"]) for column in columns)).map(",".join)
)
QUERIES = st.fixed_dictionaries(
    {"sort": SORTS, "limit": st.sampled_from(["1", "3", "8", "12"])},
    optional={
        "status": st.just("active"),
        "q": st.sampled_from(["ann", "owl", "cruz"]),
        "bib__double": st.just("true"),
        "answer.Shirt size__in": st.just("S,M"),
        "as_of": st.sampled_from(["60", "149"]),
    },
)


@pytest.fixture(scope="module")
def conninfo(server: postgres.Server, template: str) -> str:
    return create(server, template)


@pytest.fixture(scope="module")
def browser(conninfo: str) -> Iterator[Browser]:
    worker, owner = sync_engine(conninfo, WORKER_ROLE), sync_engine(conninfo)
    model.append(conninfo, people())
    drain(worker)
    with running(conninfo) as api:
        browser = Browser(api)
        browser.sign_in(make_token(owner))
        yield browser
    for engine in (worker, owner):
        engine.dispose()


def shown(page: httpx.Response) -> list[str]:
    assert page.status_code == 200, text_of(page)
    return re.findall(r'<td[^>]*><a href="/participants/([0-9]+)', page.text)


def beside(page: httpx.Response, which: str) -> str | None:
    link = re.search(rf'rel="{which}" href="([^"]*)"', page.text)
    return None if link is None else unescape(link[1])


@given(query=QUERIES)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_way_back_shows_the_same_pages(browser: Browser, query: dict[str, str]) -> None:
    page = browser.open(f"{RACE}?{urlencode({name: value for name, value in query.items() if value})}")
    there = [shown(page)]
    assert beside(page, "prev") is None
    while (following := beside(page, "next")) is not None:
        page = browser.open(following)
        there.append(shown(page))
    back = [shown(page)]
    while (previous := beside(page, "prev")) is not None:
        page = browser.open(previous)
        if page.status_code == 303:  # the first one, by its own address
            assert "cursor" not in page.headers["location"]
            page = browser.open(page.headers["location"])
        back.append(shown(page))
    assert back[::-1] == there


def test_whoever_came_before_meanwhile_is_on_the_way_back(browser: Browser, conninfo: str) -> None:
    query = f"{RACE}?sort=-position&limit=5"
    second = browser.open(beside(browser.open(query), "next") or "")
    before = shown(second)
    added = [f"9000{number}" for number in range(3)]
    model.append(conninfo, [model.body(id_, event_id=1) for id_ in added])
    worker = sync_engine(conninfo, WORKER_ROLE)
    drain(worker)
    worker.dispose()
    first = browser.open(beside(second, "prev") or "")
    assert len(shown(first)) == 5
    assert beside(first, "prev") is not None, "three people are before it now"
    assert shown(browser.open(beside(first, "next") or "")) == before
    newest = browser.open(beside(first, "prev") or "")
    assert newest.headers["location"] == f"{RACE}?sort=-position&limit=5"
    assert shown(browser.open(newest.headers["location"]))[:3] == added[::-1]


def test_the_page_before_nobody_is_the_first_page(browser: Browser) -> None:
    second = browser.open(beside(browser.open(f"{RACE}?limit=2&sort=bib"), "next") or "")
    first = browser.open(beside(second, "prev") or "")
    assert (first.status_code, first.headers["location"]) == (303, f"{RACE}?sort=bib&limit=2")
    signed = re.search(r"cursor=([^&\"]*)", second.text)
    assert signed is not None
    other = browser.open(f"{RACE}?limit=2&sort=team&cursor={signed[1]}")
    assert (other.status_code, other.headers["location"]) == (303, f"{RACE}?limit=2&sort=team")

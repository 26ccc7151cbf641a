"""Finding a person from any page: bibs, what cannot be searched for, and the box itself."""

import re
from collections.abc import Iterator

import pytest

from ingest import postgres
from ingest.database import WORKER_ROLE, sync_engine
from projections.web.access import tokens
from tests import model
from tests.api_client import make_token, running
from tests.browser_session import Browser, links_of, text_of
from tests.conftest import create
from tests.fold_all import drain

BIBS = ("120", "12", "1200", "012", "a5", "A50", "77")
BOX = 'id="find" name="q" type="search"'


@pytest.fixture(scope="module")
def browsers(server: postgres.Server, template: str) -> Iterator[tuple[Browser, Browser]]:
    """One who sees the rosters, and an operator."""
    conninfo = create(server, template)
    people = [model.body(1 + number, event_id=5, last_name="N", bib=bib) for number, bib in enumerate(BIBS)]
    model.append(conninfo, [*people, model.body(90, event_id=6, last_name="M", bib="12", team="12 Apostles")])
    worker, owner = sync_engine(conninfo, WORKER_ROLE), sync_engine(conninfo)
    drain(worker)
    token = make_token(owner)
    with owner.begin() as connection:
        operator = tokens.create(connection, "op", tokens.NO_SOURCE, (), None)
    with running(conninfo) as api:
        one, other = Browser(api), Browser(api)
        one.sign_in(token)
        other.sign_in(operator)
        yield one, other
    for engine in (worker, owner):
        engine.dispose()


def found(browser: Browser, query: str) -> list[str]:
    page = browser.open(f"/find?q={query}")
    assert page.status_code == 200, text_of(page)
    return re.findall(r'<td data-column="bib"[^>]*>([^<]*)</td>', page.text)


def test_who_has_exactly_the_bib_stands_first(browsers: tuple[Browser, Browser]) -> None:
    browser, _ = browsers
    assert found(browser, "12") == ["12", "012", "12", "120", "1200"]
    assert found(browser, "a5") == ["a5", "A50"]
    assert browser.open("/find?q=a50").headers["location"] == "/participants/6", "one alone is opened"


def test_in_a_race_a_bib_is_searched_in_the_order_of_bibs(browsers: tuple[Browser, Browser]) -> None:
    browser, _ = browsers

    def bibs(query: str) -> list[str]:
        page = browser.open(f"/races/5?{query}")
        [file] = [link for link in links_of(page) if ".csv" in link and "columns" in link]
        rows = [line.split(",")[0] for line in browser.open(file).text.splitlines()[1:]]
        assert re.findall(r'<td data-of="bib"[^>]*>([^<]*)</td>', page.text) == rows[: 2 if "limit" in query else 9]
        return rows

    assert bibs("q=12") == ["12", "120", "1200"]
    assert bibs("q=12&sort=-bib") == ["1200", "120", "12"]
    page = browser.open("/races/5?q=12&limit=2")
    bibs("q=12&limit=2")
    second = browser.open(next(link for link in links_of(page) if "cursor=" in link))
    assert re.findall(r'<td data-of="bib"[^>]*>([^<]*)</td>', second.text) == ["1200"]


def found_page_by_page(browser: Browser) -> list[str]:
    path, bibs = "/find?q=12&limit=2", []
    while path:
        page = browser.open(path)
        bibs += re.findall(r'<td data-column="bib"[^>]*>([^<]*)</td>', page.text)
        path = next((link for link in links_of(page) if "cursor=" in link), "")
    return bibs


def test_page_by_page_each_is_found_once(browsers: tuple[Browser, Browser]) -> None:
    assert found_page_by_page(browsers[0]) == ["12", "012", "12", "120", "1200"]


def test_what_cannot_be_searched_for_is_told_and_stays_in_the_box(browsers: tuple[Browser, Browser]) -> None:
    browser, _ = browsers
    page = browser.open("/find?q=%21%21%21")
    assert page.status_code == 400
    assert "This cannot be searched for: type the beginning of a name, a bib" in text_of(page)
    assert re.search(rf'{BOX} required value="!!!"', page.text)
    of_race = browser.open("/races/5?q=%21%21%21&sort=bib")
    assert "This cannot be searched for" in text_of(of_race)
    assert "/races/5" in links_of(of_race), "and back"


def test_the_box_is_on_each_page_of_whoever_sees_a_roster(browsers: tuple[Browser, Browser]) -> None:
    browser, operator = browsers
    for path in ("/", "/races/5", "/participants/1", "/find?q=12", "/find?q=zzz", "/races/none", "/operations"):
        assert BOX in browser.open(path).text, path
    assert BOX not in Browser(browser.api).open("/sign-in").text
    for path in ("/operations", "/races/5"):
        page = operator.open(path)
        assert "Sign out" in page.text
        assert BOX not in page.text, path

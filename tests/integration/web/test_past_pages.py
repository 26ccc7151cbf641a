"""Pages of the past: races that are over, and rosters as they were on a day."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest

from ingest import postgres
from ingest.database import sync_engine
from projections.catalogue import catalogue
from tests import model
from tests.api_client import make_token, running
from tests.browser_session import Browser, links_of, text_of
from tests.conftest import create
from tests.zoned_people import fold_by

NOW = datetime.now(UTC)
STARTS = {"a": 40, "b": -5, "c": -200, "d": None, "e": 3, "f": -5, "g": -1_000}  # days from now
FIELDS = "".join(
    f'[events."{id_}"]\nstarts_on = {(NOW + timedelta(days)).date()}\n' for id_, days in STARTS.items() if days
)
ORDER = ["e", "a", "d", "b", "f", "c", "g"]


@pytest.fixture(scope="module")
def browser(server: postgres.Server, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    file = tmp_path_factory.mktemp("fields") / "fields.toml"
    file.write_text(FIELDS)
    bodies = [model.body(id_, event_id=id_, event_name=f"Race {id_}", last_name="N") for id_ in STARTS]
    conninfo = fold_by(catalogue(file), create(server, template), bodies)
    owner = sync_engine(conninfo)
    with running(conninfo) as api:
        browser = Browser(api)
        browser.sign_in(make_token(owner))
        yield browser
    owner.dispose()


def races_of(page: str) -> list[str]:
    return re.findall(r"<h2><a [^>]*>Race ([a-g])</a></h2>", page)


def test_races_to_come_are_first_and_past_ones_the_newest_first(browser: Browser) -> None:
    page = browser.open("/").text
    assert races_of(page) == ORDER
    [past] = re.findall(r"<details>.*?</details>", page, re.DOTALL)
    assert races_of(past) == ORDER[3:]


def test_page_by_page_each_race_is_there_once(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.web.pages.races.LARGEST_EVENTS_PAGE", 2)
    path, seen = "/", []
    while path:
        page = browser.open(path)
        assert page.status_code == 200, text_of(page)
        seen.append(races_of(page.text))
        path = next((link for link in links_of(page) if "cursor=" in link), "")
    assert seen == [["e", "a"], ["d", "b"], ["f", "c"], ["g"]]
    assert "<details open>" in page.text, "a page of the past alone is not folded away"


def test_before_anybody_was_in_it_a_race_says_so_under_its_name(browser: Browser) -> None:
    page = browser.open("/races/c?as_of=1&sort=bib")
    assert page.status_code == 200
    assert "Race c" in text_of(page)
    assert "Nobody had registered for this race yet" in text_of(page)
    assert "/races/c?sort=bib" in links_of(page), "as it is now"
    assert "Race c: Start list" in text_of(browser.open("/races/c?as_of=1&sheet=start-list"))
    assert browser.open("/races/999999?as_of=1").status_code == 404


def test_what_is_of_a_day_says_the_day_as_people_write_it(browser: Browser) -> None:
    page = browser.open("/races/a?as_of=2020-01-02")
    assert "The roster as it was when 2 Jan 2020 began, at position 0." in text_of(page)
    timed = browser.open("/races/a?as_of=2020-01-02T03:04:05Z")
    assert "The roster as it was on 2 Jan 2020, 03:04 , at position 0." in text_of(timed)
    today = NOW.date().isoformat()
    assert "as it was when" in text_of(browser.open(f"/races/a?as_of={today}&sheet=start-list"))
    [file] = [unescape(link) for link in links_of(page) if ".csv" in link and "columns" in link]
    assert "-as-of-2020-01-02.csv" in browser.open(file).headers["content-disposition"]
    assert "As it was at position 7." in text_of(browser.open("/participants/a?as_of=7"))


@pytest.mark.parametrize("path", ["/races/a", "/participants/a", "/find?q=n"])
def test_a_day_that_has_not_come_is_refused(browser: Browser, path: str) -> None:
    later = (NOW + timedelta(2)).date()
    page = browser.open(f"{path}{'&' if '?' in path else '?'}as_of={later}")
    assert page.status_code == 400
    assert f"{later.day} {later:%b %Y} has not come yet: choose today, or a day before it." in text_of(page)

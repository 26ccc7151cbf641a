"""Races and people whose ids are a dot or two, which browsers take for steps in a path: each link and form leads on."""

import psycopg
import pytest
from playwright.sync_api import Page, expect

from ingest.database import sync_engine
from projections.web.access import sessions, tokens
from tests import model
from tests.browser.conftest import Open, Site
from tests.browser.test_live import fold
from tests.browser.test_pages import press

pytestmark = pytest.mark.acceptance


@pytest.fixture(scope="module")
def link(site: Site) -> str:
    """The path that signs in for a source whose ids are such dots."""
    fields = {"event_name": "Dots", "last_name": "Nowak", "created_at": "2026-05-01T09:30:00Z"}
    bodies = [
        model.body(id_, event_id=event_id, status=status, first_name=f"{id_} of {event_id}", **fields)
        for event_id, ids in ((".", (".", "a")), ("..", ("..", "b", "c")))
        for id_, status in zip(ids, ("active", "deferred", "active"), strict=False)
    ]
    with psycopg.connect(site.database, autocommit=True) as connection:
        model.append_on(connection, bodies, "dots")
    fold(site, "dots")
    engine = sync_engine(site.database)
    with engine.begin() as connection:
        link = sessions.make_link(connection, tokens.create(connection, "dots", "dots", (), None))
    engine.dispose()
    return f"/sign-in/{link}"


def test_every_way_on_a_page_leads_to_the_same_race_and_person(opened: Open, site: Site, link: str) -> None:
    page = opened(link, signed_in=False)
    page.goto(f"{site.url}/races/?id=..&limit=2")

    def stays(number: str) -> None:
        expect(page.get_by_role("heading", level=1)).to_contain_text(number)
        assert "id=.." in page.url

    stays("3 participants")
    press(page, page.get_by_role("link", name="Next page"))
    stays("3 participants")
    expect(page.locator("tbody tr")).to_have_count(1)
    press(page, page.get_by_role("link", name="First page"))
    press(page, page.get_by_role("columnheader", name="last name").get_by_role("link"))
    stays("3 participants")
    press(page, page.get_by_role("link", name="deferred"))
    stays("1 of 3: status deferred")
    press(page, page.get_by_role("link", name="status deferred"))
    page.locator("#q").fill("nowak")
    press(page, page.get_by_role("button", name="Find").last)
    stays("3 of 3: “nowak”")
    page.get_by_text("Columns", exact=True).click()
    page.get_by_label("gender", exact=True).uncheck()
    press(page, page.get_by_role("button", name="Show these"))
    stays("3 of 3: “nowak”")
    press(page, page.get_by_role("link", name="Start list"))
    stays("3 of 3: “nowak”")
    press(page, page.get_by_role("link", name="The roster"))
    stays("3 of 3: “nowak”")
    as_it_was(page, "2026-05-02")
    expect(page.get_by_text("Nobody had registered for this race yet")).to_be_visible()
    press(page, page.get_by_role("link", name="As it is now"))
    stays("3 of 3: “nowak”")
    page.goto(f"{site.url}/races/?id=..&as_of=4")
    press(page, page.get_by_role("link", name="Nowak").first)
    expect(page.locator(".past")).to_be_visible()
    press(page, page.get_by_role("link", name="All that Movemint sent"))
    press(page, page.get_by_role("link", name="As it is now"))
    expect(page.get_by_role("heading", level=1)).to_have_text(".. of .. Nowak")


def as_it_was(page: Page, day: str) -> None:
    page.locator("#then").fill(day)
    press(page, page.get_by_role("button", name="Show", exact=True))

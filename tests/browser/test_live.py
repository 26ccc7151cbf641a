"""What the script adds: pages that read themselves again, the reader's times, copying, forms that send themselves."""

from collections.abc import Callable

import psycopg
import pytest
from playwright.sync_api import Page, expect

from ingest.database import WORKER_ROLE, sync_engine
from projections.web.access import sessions, tokens
from tests import model
from tests.browser.conftest import PEOPLE, Open, Site, person, refused
from tests.browser.test_pages import violations
from tests.fold_all import drain

pytestmark = pytest.mark.acceptance

RACE = "/races/501?status=active"
HIDE = """is => {
  Object.defineProperty(document, "hidden", {configurable: true, get: () => is});
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def deliver(site: Site, number: int, **fields: object) -> None:
    """One more delivery, folded."""
    with psycopg.connect(site.database, autocommit=True) as connection:
        model.append_on(connection, [model.body(7_000_000 + number, **{**person(number), **fields})])
    fold(site, "movemint")


def fold(site: Site, source: str) -> None:
    worker = sync_engine(site.database, WORKER_ROLE)
    drain(worker, source)
    worker.dispose()


def reads_of(page: Page) -> Callable[[], int]:
    """How often the page was read again."""
    reads: list[str] = []
    page.on("request", lambda request: reads.append(request.url) if request.resource_type == "fetch" else None)
    return lambda: len(reads)


def test_a_page_reads_itself_again_until_it_is_paused_and_keeps_focus_and_selection(opened: Open, site: Site) -> None:
    page = opened("/sign-in")
    page.clock.install()
    page.goto(site.url + RACE)
    reads, status = reads_of(page), page.locator(".live [role=status]")
    before = int(page.locator("#number strong").inner_text())
    expect(status).to_have_text("Live")
    page.get_by_label("Find in this race").fill("half a name")
    page.get_by_label("Find in this race").focus()
    page.get_by_label("Find in this race").select_text()
    deliver(site, 5, status="active")
    page.clock.run_for(15_100)
    expect(page.locator("#number strong")).to_have_text(str(before + 1))
    assert reads() == 1
    expect(page.get_by_label("Find in this race")).to_be_focused()
    expect(page.get_by_label("Find in this race")).to_have_value("half a name")
    assert page.evaluate("getSelection().toString()") == "half a name"
    page.get_by_role("button", name="Pause").click()
    expect(status).to_have_text("Paused")
    deliver(site, 5, status="withdrawn")
    page.clock.run_for(120_000)
    assert reads() == 1
    expect(page.locator("#number strong")).to_have_text(str(before + 1))
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#number strong")).to_have_text(str(before))
    expect(status).to_have_text("Live")
    deliver(site, 5, note="as other tests know that person")


def test_a_hidden_page_is_not_read_again_and_one_that_is_shown_again_at_once(opened: Open, site: Site) -> None:
    page = opened("/sign-in")
    page.clock.install()
    page.goto(site.url + "/")
    reads = reads_of(page)
    page.evaluate(HIDE, True)
    page.clock.run_for(300_000)
    assert reads() == 0
    with page.expect_request(site.url + "/"):
        page.evaluate(HIDE, False)
    expect(page.locator("#races strong").first).to_have_text(str(PEOPLE))


def test_a_selection_outside_what_changed_and_an_open_table_stay(opened: Open, site: Site) -> None:
    """Also when the source becomes the one with the newest delivery."""
    with psycopg.connect(site.database, autocommit=True) as connection:
        model.append_on(connection, [model.body(1, note="newer")], "second")
    fold(site, "second")
    page = opened("/operations", is_operator=True)
    page.clock.install()
    page.reload()
    reads = reads_of(page)
    # Other tests bring sources of their own to the same site.
    table = page.locator("section").filter(has_text="movemint: the last 24 hours").locator("details")
    summary = table.locator("summary")
    of_source = page.locator("tr").filter(has_text="movemint").locator("td[data-column=head]")
    summary.click()
    head = of_source.first.inner_text()
    page.locator("h1").select_text()
    summary.focus()
    deliver(site, 6, team="another")
    page.clock.run_for(5_100)
    expect(of_source.first).not_to_have_text(head)
    assert reads() == 1
    assert page.evaluate("getSelection().toString()") == "Operations"
    expect(table).to_have_attribute("open", "")
    expect(summary).to_be_focused()


def test_a_page_whose_session_has_ended_or_whose_server_is_away_says_so(opened: Open, site: Site) -> None:
    page = opened("/sign-in")
    page.clock.install()
    page.goto(site.url + "/")
    status = page.locator(".live [role=status]")
    page.route("**/*", lambda route: route.fulfill(status=503, body="away"))
    with refused(site):
        page.clock.run_for(15_100)
        expect(status).to_have_text("Not reached; trying again")
        page.unroute_all()
        page.clock.run_for(15_100)
        expect(status).to_have_text("Live")
        with psycopg.connect(site.database, autocommit=True) as connection:
            connection.execute("update page_session set expires_at = now()")
        page.clock.run_for(15_100)
        expect(status).to_contain_text("Load it again")
    expect(page.get_by_role("heading", level=1)).to_have_text("Races")


def test_times_are_the_readers_and_the_exact_one_is_the_title(opened: Open) -> None:
    page = opened(RACE, timezone_id="Asia/Tokyo")
    time = page.locator("td time").first
    expect(time).to_have_text("1 May 2026, 18:30")
    expect(time).to_have_attribute("title", "1 May 2026, 09:30, 2026-05-01T09:30:00.000Z")
    expect(page.locator("footer")).to_contain_text("Times in your zone, Asia/Tokyo.")
    page = opened(RACE, timezone_id="Asia/Tokyo", java_script_enabled=False)
    expect(page.locator("td time").first).to_have_text("1 May 2026, 09:30")
    expect(page.locator("footer")).to_contain_text("Times in UTC.")
    expect(page.get_by_role("button", name="Pause")).not_to_be_visible()


def test_an_address_is_copied(opened: Open, site: Site) -> None:
    engine = sync_engine(site.database)
    with engine.begin() as connection:
        link = sessions.make_link(connection, tokens.create(connection, "empty", "nothing-yet", (), None))
    engine.dispose()
    page = opened(f"/sign-in/{link}", signed_in=False, permissions=["clipboard-read", "clipboard-write"])
    expect(page.get_by_role("heading", name="Connect Movemint")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Copy").first.click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == f"{site.url}/webhooks/nothing-yet"
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_choice_sends_its_form(opened: Open, site: Site) -> None:
    with psycopg.connect(site.database, autocommit=True) as connection:
        model.append_on(connection, [model.body(1)], "second")
    fold(site, "second")
    page = opened("/operations", is_operator=True)
    with page.expect_navigation():
        page.get_by_label("Source", exact=True).select_option("second")
    expect(page).to_have_url(f"{site.url}/operations?source=second")
    expect(page.locator("td[data-column=source]")).to_have_text("second")
    page = opened("/operations", is_operator=True, java_script_enabled=False)
    page.get_by_label("Source", exact=True).select_option("second")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(f"{site.url}/operations?source=second")

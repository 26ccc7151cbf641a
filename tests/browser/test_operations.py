"""The page of operations in a browser: a worker that stops, what is parked, and that nobody is kept out of it."""

import itertools
from collections.abc import Iterator

import psycopg
import pytest
from playwright.sync_api import Page, expect

from tests import model
from tests.browser.conftest import Open, Site
from tests.browser.test_pages import violations
from tests.program import environ, running, until

pytestmark = pytest.mark.acceptance

_numbers = itertools.count(1)
PLACE = "[...document.querySelectorAll('*')].indexOf(document.activeElement)"
CAN_FOCUS = "a[href], button, select, input:not([type=hidden]), summary, [tabindex='0']"


@pytest.fixture(scope="module")
def parked(site: Site) -> Iterator[str]:
    """A source of which an event is parked, by a worker that has ended since; refused deliveries.

    Another one each time: tests of other modules may come between, and what was folded is not parked again.
    """
    source = f"parked{next(_numbers)}"
    with psycopg.connect(site.database, autocommit=True) as connection:
        bodies = [b"canary no json", model.body("canary-id", first_name="canary", odd="canary")]
        model.append_on(connection, bodies, source)
        refused = "select count_refused(%s, 'signature_wrong', now(), 3, now() - interval '1 minute')"
        connection.execute(refused, [source])
        with running("worker", env=environ(DATABASE_URL=site.database)):
            folded = "select count(*) from checkpoint where source = %s and position >= 2"
            until(lambda: connection.execute(folded, [source]).fetchone() == (2,))
        yield source
        connection.execute("delete from quarantine where source = %s", [source])
        connection.execute("delete from worker_seen")


def test_a_worker_that_stops_is_seen_on_the_open_page(opened: Open, site: Site, parked: str) -> None:
    page = opened("/operations", is_operator=True)
    page.clock.install()
    page.goto(f"{site.url}/operations?source={parked}")
    expect(page.locator("#state")).not_to_contain_text("no worker")
    expect(page.locator("dt", has_text="worker on")).to_be_visible()
    with psycopg.connect(site.database, autocommit=True) as connection:
        connection.execute("update worker_seen set seen_at = now() - interval '1 hour'")
        page.clock.run_for(5_100)
        expect(page.locator(".bad")).to_contain_text("no worker was seen for 60 min: start rosterlog worker")
        connection.execute("update worker_seen set seen_at = now()")
        page.clock.run_for(5_100)
        expect(page.locator("#state")).not_to_contain_text("no worker")
        connection.execute("delete from worker_seen")


@pytest.mark.parametrize("java_script_enabled", [True, False])
def test_what_is_parked_and_each_hour_is_shown_with_what_to_do_and_nobody(
    opened: Open,
    parked: str,
    java_script_enabled: bool,  # noqa: FBT001 - pytest's
) -> None:
    page = opened(f"/operations?source={parked}", is_operator=True, java_script_enabled=java_script_enabled)
    row = page.get_by_role("region", name="Parked events").get_by_role("row").nth(1)
    expect(row).to_contain_text(f"rosterlog quarantine dismiss 1 --source {parked} --reason TEXT")
    expect(page.locator(".legend")).to_contain_text("2 stored")
    expect(page.locator(".legend")).to_contain_text("3 refused")
    assert page.locator(".hours rect.stored").bounding_box() is not None
    page.get_by_text("The same numbers as a table").click()
    expect(page.locator(".hourly tbody tr")).to_have_count(24)
    assert "canary" not in page.content()


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_nobody_is_kept_out_of_operations(opened: Open, parked: str, color_scheme: str) -> None:
    page = opened("/operations", is_operator=True, color_scheme=color_scheme)
    for details in page.locator("summary").all():
        details.click()
    expect(page.locator("option", has_text=parked)).to_have_count(1)
    assert violations(page) == []


def test_operations_fit_a_narrow_screen_and_the_keyboard(opened: Open, parked: str) -> None:
    page = opened(f"/operations?source={parked}", is_operator=True, viewport={"width": 360, "height": 740})
    page.locator("summary").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert_keyboard_reaches_all(page)
    heights = "[...document.querySelectorAll('button, select, summary')].map(e => e.getBoundingClientRect().height)"
    assert min(page.evaluate(heights)) >= 44


def assert_keyboard_reaches_all(page: Page) -> None:
    can = [each for each in page.locator(CAN_FOCUS).all() if each.is_visible()]
    page.locator("body").focus()
    reached = set()
    for _ in range(len(can) + 10):  # a date has some places within it
        page.keyboard.press("Tab")
        reached.add(page.evaluate(PLACE))
    places = {each.evaluate("e => [...document.querySelectorAll('*')].indexOf(e)") for each in can}
    assert places <= reached

"""Two scopes, a revoked token, the keyboard alone, errors and odd names: what people meet besides the usual page."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from sqlalchemy import Engine

from ingest.database import sync_engine
from projections.web.access import sessions, tokens
from tests.browser.conftest import LONG, Open, Site, refused
from tests.browser.test_operations import assert_keyboard_reaches_all
from tests.browser.test_pages import RACE, violations

pytestmark = pytest.mark.acceptance

with_and_without_script = pytest.mark.parametrize("java_script_enabled", [True, False])
HOSTILE = {2: "مريم Nowak 002", 3: "🏃 Runner Nowak 003", 4: f"{LONG} Nowak 004", 5: '<b onclick="x">B</b> Nowak 005'}
ERRORS = ("/nothing", "/participants/nobody", f"{RACE}?colour=red", "/operations", "/sign-in/used")


@pytest.fixture
def engine(site: Site) -> Iterator[Engine]:
    engine = sync_engine(site.database)
    yield engine
    engine.dispose()


def link_of(site: Site, engine: Engine, name: str, *event_ids: str, personal: bool = True) -> str:
    """The path of a link that signs in with a new token."""
    del site
    with engine.begin() as connection:
        tokens.revoke(connection, name)
        token = tokens.create(connection, name, "movemint", event_ids, None, sees_personal_data=personal)
        return f"/sign-in/{sessions.make_link(connection, token)}"


@with_and_without_script
def test_two_people_see_their_own_races_each(
    opened: Open,
    site: Site,
    engine: Engine,
    java_script_enabled: bool,  # noqa: FBT001 - pytest's
) -> None:
    options = {"signed_in": False, "java_script_enabled": java_script_enabled}
    of_one = opened(link_of(site, engine, "one", "501"), **options)
    of_other = opened(link_of(site, engine, "other", "502", personal=False), **options)
    expect(of_one.locator(".races h2")).to_have_text(["Harbour Lights Marathon"])
    expect(of_other.locator(".races h2")).to_have_text([LONG])
    with refused(site):
        for path in (RACE, "/participants/7000001"):
            of_other.goto(site.url + path)
            expect(of_other.get_by_role("heading", level=1)).to_have_text("Not here")
            assert "Nowak" not in of_other.content()
        of_one.goto(f"{site.url}/races/502")
        expect(of_one.get_by_role("heading", level=1)).to_have_text("Not here")
    of_other.goto(f"{site.url}/find?q=nowak")
    expect(of_other.get_by_role("heading", level=1)).to_contain_text("Nobody is found")


@with_and_without_script
def test_a_revoked_token_ends_the_session_and_another_goes_on(
    opened: Open,
    site: Site,
    engine: Engine,
    java_script_enabled: bool,  # noqa: FBT001 - pytest's
) -> None:
    page = opened(link_of(site, engine, "short"), signed_in=False, java_script_enabled=java_script_enabled)
    other = opened(RACE, java_script_enabled=java_script_enabled)
    page.goto(site.url + RACE)
    with engine.begin() as connection:
        tokens.revoke(connection, "short")
    page.reload()
    expect(page).to_have_url(f"{site.url}/sign-in?next=%2Fraces%2F501")
    page.go_back()
    expect(page).to_have_title("Sign in – rosterlog")
    other.reload()
    expect(other.locator(".race")).to_have_text("Harbour Lights Marathon")


def test_from_signing_in_to_signing_out_by_the_keyboard_alone(opened: Open, site: Site) -> None:
    page = opened("/sign-in", signed_in=False)
    expect(page.get_by_label("Token")).to_be_focused()
    page.keyboard.type(site.token)
    page.keyboard.press("Enter")
    expect(page).to_have_title("Races – rosterlog")
    for path in ("/", f"{RACE}?limit=2", "/participants/7000001?object=shown", "/find?q=nowak&limit=2"):
        page.goto(site.url + path)
        assert_keyboard_reaches_all(page)
    page.goto(site.url + RACE)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#content", "past the top, to the content"
    page.keyboard.press("/")
    page.keyboard.type("nowak 007")
    page.keyboard.press("Enter")
    expect(page.locator(".question")).to_contain_text("1 of")
    page.get_by_role("button", name="Sign out").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_title("Sign in – rosterlog")


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_errors_keep_nobody_out_and_fit_a_narrow_screen(opened: Open, site: Site, color_scheme: str) -> None:
    page = opened("/", color_scheme=color_scheme, viewport={"width": 360, "height": 740})
    with refused(site):
        for path in ERRORS:
            page.goto(site.url + path)
            expect(page.locator("main")).to_contain_text("request ")
            assert violations(page) == [], path
            assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
            expect(page.get_by_role("link", name="To the races")).to_be_visible()


def test_names_of_all_kinds_are_shown_harmlessly_and_break_no_layout(opened: Open, site: Site) -> None:
    page = opened("/", viewport={"width": 360, "height": 740})
    for number, name in HOSTILE.items():
        page.goto(f"{site.url}/participants/{7_000_000 + number}?object=shown")
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, name
        assert page.locator("main b, [onclick]").count() == 0
    page.goto(f"{site.url}{RACE}?q=005")
    assert page.locator("main b, [onclick]").count() == 0
    expect(page.locator("td[data-of='first name']")).to_have_text(HOSTILE[5].removesuffix(" Nowak 005"))
    page.goto(f"{site.url}/participants/7000002")
    direction = "getComputedStyle(document.querySelector('h1')).direction"
    assert page.evaluate(direction) == "rtl"

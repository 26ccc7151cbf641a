"""What people do on the pages, with a script and without."""

import io
import json

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, PdfMargins, expect
from pypdf import PdfReader

from ingest.database import sync_engine
from projections.web.access import tokens
from tests.browser.conftest import ELSEWHERE, PEOPLE, Open, Site, refused

pytestmark = pytest.mark.acceptance

RACE = "/races/501"
PAGES = (  # 24 people have every kind of name and state that there is; looking at a page takes time by its rows
    "/",
    f"{RACE}?limit=24",
    f"{RACE}?status=active&sort=-bib&as_of=300&limit=24",
    "/participants/7000001",
    "/find?q=nowak&limit=24",
    "/find?q=zzz",
)
with_and_without_script = pytest.mark.parametrize("java_script_enabled", [True, False])


@with_and_without_script
def test_somebody_signs_in_finds_a_person_and_signs_out(opened: Open, site: Site, java_script_enabled: bool) -> None:  # noqa: FBT001 - pytest's
    page = opened(RACE, signed_in=False, java_script_enabled=java_script_enabled)
    expect(page).to_have_title("Sign in – rosterlog")
    with refused(site):
        page.get_by_label("Token").fill("wrong")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_text("This token is unknown, revoked or expired.")).to_be_visible()
    page.get_by_label("Token").fill(site.token)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(site.url + RACE)
    expect(page.locator(".race")).to_have_text("Harbour Lights Marathon")
    page.get_by_role("link", name="Races").click()
    page.get_by_label("Find a person").fill("nowak 007")
    page.get_by_role("button", name="Find").click()
    expect(page).to_have_url(f"{site.url}/participants/7000007")
    page.get_by_role("button", name="Sign out").click()
    expect(page).to_have_title("Sign in – rosterlog")
    page.goto(site.url + RACE)
    expect(page).to_have_title("Sign in – rosterlog")


@with_and_without_script
def test_facets_order_and_pages_to_the_end_show_whom_the_api_answers(
    opened: Open,
    site: Site,
    java_script_enabled: bool,  # noqa: FBT001
) -> None:
    page = opened(RACE, java_script_enabled=java_script_enabled)
    expect(page.get_by_role("heading", level=1)).to_have_text(f"{PEOPLE} participants")
    press(page, page.get_by_role("link", name="Half marathon").first)
    press(page, page.get_by_role("navigation", name="Filters").get_by_role("link", name="active"))
    press(page, page.get_by_role("columnheader", name="last name").get_by_role("link"))
    expect(page.get_by_role("columnheader", name="last name")).to_have_attribute("aria-sort", "ascending")
    press(page, page.get_by_role("columnheader", name="last name").get_by_role("link"))
    wanted = of_api(page, site, "event_id=501&sub_event_name=Half%20marathon&status=active&sort=-last_name&limit=1000")
    expect(page.locator(".question")).to_contain_text(f"{len(wanted)} of {PEOPLE}: Half marathon, status active")
    shown = last_names(page)
    while (following := page.get_by_role("link", name="Next page")).count():
        press(page, following)
        shown += last_names(page)
    assert shown == wanted
    press(page, page.get_by_role("link", name="First page"))
    assert last_names(page) == wanted[:100]
    press(page, page.get_by_role("link", name="status active"))
    expect(page.get_by_role("heading", level=1)).to_contain_text(f" of {PEOPLE}: Half marathon")


def press(page: Page, link: Locator) -> None:
    """Follow a link, and wait for the page behind it."""
    with page.expect_navigation():
        link.click()


def of_api(page: Page, site: Site, query: str) -> list[str]:
    headers = {"Authorization": f"Bearer {site.token}"}
    answer = page.request.get(f"{site.url}/v1/participants?{query}", headers=headers)
    return [row["last_name"] for row in json.loads(answer.body())["data"]]


def test_signing_in_and_out_works_on_a_plain_name_and_back_shows_nothing(opened: Open, site: Site) -> None:
    url = site.url.replace("127.0.0.1", ELSEWHERE)
    page = opened("/sign-in", signed_in=False)
    site.url, before = url, site.url
    try:
        page.goto(f"{url}/sign-in")
        page.get_by_label("Token").fill(site.token)
        page.get_by_role("button", name="Sign in").click()
        expect(page).to_have_url(f"{url}/")
        page.goto(f"{url}/participants/7000001")
        [cookie] = [each for each in page.context.cookies() if each["domain"] == ELSEWHERE]
        page.get_by_role("button", name="Sign out").click()
        expect(page).to_have_title("Sign in – rosterlog")
        page.go_back()
        expect(page).to_have_title("Sign in – rosterlog")
        answer = page.request.get(f"{before}/", headers={"Cookie": f"rosterlog={cookie['value']}"}, max_redirects=0)
        assert answer.status == 303
    finally:
        site.url = before


def last_names(page: Page) -> list[str]:
    return page.locator("td[data-of='last name']").all_inner_texts()


def test_the_roster_as_it_was_is_marked(opened: Open) -> None:
    page = opened(f"{RACE}?as_of=100")
    expect(page.locator(".past")).to_contain_text("as it was at position 100")
    expect(page.locator(".question")).to_have_text("100 participants")
    page.get_by_role("link", name="As it is now").click()
    expect(page.locator(".question")).to_have_text(f"{PEOPLE} participants")


def test_a_file_is_what_the_page_shows(opened: Open) -> None:
    page = opened(f"{RACE}?status=deferred&limit=1000&sort=last_name")
    with page.expect_download() as download:
        page.get_by_role("link", name="NDJSON").click()
    lines = download.value.path().read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["last_name"] for line in lines] == last_names(page)
    assert download.value.suggested_filename.startswith("participants-movemint-")


def test_a_person_has_a_time_line(opened: Open) -> None:
    page = opened("/participants/7000001")
    expect(page.locator(".states li").first).to_contain_text("bib: 1 → A1")
    page.get_by_text("All that Movemint sent").click()
    expect(page.locator("pre")).to_contain_text('"bib": "A1"')


def test_operations_say_what_is_wrong_and_what_to_do(opened: Open, site: Site) -> None:
    page = opened("/", is_operator=True)
    expect(page).to_have_url(f"{site.url}/operations")
    with psycopg.connect(site.database, autocommit=True) as connection:
        connection.execute(
            "insert into worker_seen (worker, host, pid, version, seen_at)"
            " values ('w', 'gone', 1, '0', now() - interval '1 hour')"
        )
        page.reload()
        expect(page.locator(".bad")).to_contain_text("no worker was seen for 60 min: start rosterlog worker")
        connection.execute("update worker_seen set seen_at = now()")
        page.reload()
        expect(page.locator(".good")).to_contain_text("Everything is up to date; last delivery")
        connection.execute("delete from worker_seen")
    with refused(site):
        page.goto(site.url + RACE)
        expect(page.get_by_role("heading", level=1)).to_have_text("Not for this token")


def test_a_session_that_expired_or_was_revoked_leads_to_signing_in(opened: Open, site: Site) -> None:
    page = opened(RACE)
    with psycopg.connect(site.database, autocommit=True) as connection:
        connection.execute("update page_session set expires_at = now()")
    page.reload()
    expect(page).to_have_url(f"{site.url}/sign-in?next=%2Fraces%2F501")
    engine = sync_engine(site.database)
    with engine.begin() as begun:
        token = tokens.create(begun, "short", "movemint", (), None)
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(site.url + RACE)
    with engine.begin() as begun:
        tokens.revoke(begun, "short")
    engine.dispose()
    page.reload()
    expect(page).to_have_title("Sign in – rosterlog")


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_nobody_is_kept_out(opened: Open, site: Site, color_scheme: str) -> None:
    page = opened("/sign-in", signed_in=False, color_scheme=color_scheme)
    assert violations(page) == []
    page = opened("/", color_scheme=color_scheme)
    for path in PAGES:
        page.goto(site.url + path)
        assert violations(page) == [], path
    page = opened("/operations", is_operator=True, color_scheme=color_scheme)
    assert violations(page) == []
    with refused(site):
        page.goto(site.url + "/participants/nobody")
        assert violations(page) == []


def violations(page: Page) -> list[str]:
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {[node['html'] for node in each['nodes']][:3]}" for each in found]


def test_a_narrow_screen_needs_no_scrolling_aside(opened: Open, site: Site) -> None:
    page = opened("/", viewport={"width": 360, "height": 740})
    for path in PAGES:
        page.goto(site.url + path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path


def test_the_keyboard_alone_reaches_everything(opened: Open, site: Site) -> None:
    page = opened("/")
    for path in ("/", f"{RACE}?limit=5", "/participants/7000001"):
        page.goto(site.url + path)
        can = page.locator("a[href], button, input:not([type=hidden]), summary, [tabindex='0']").count()
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        reached = set()
        for _ in range(can + 6):  # a date has several stops
            page.keyboard.press("Tab")
            place = "[...document.querySelectorAll('*')].indexOf(document.activeElement)"
            reached.add(page.evaluate(place))
        assert len(reached - {-1, 2, 3}) >= can - 1, path
    page.goto(site.url + RACE)
    page.keyboard.press("/")
    expect(page.get_by_label("Find in this race")).to_be_focused()


def test_a_start_list_on_paper_repeats_its_head_and_breaks_no_row(opened: Open) -> None:
    page = opened(f"{RACE}?limit=1000&sort=last_name&columns=bib,last_name,sub_event_name")
    reader = PdfReader(io.BytesIO(page.pdf(format="A4")))
    texts = [sheet.extract_text() for sheet in reader.pages]
    assert 5 < len(texts) < 20
    assert all("last name" in text for text in texts)
    assert "Sign out" not in texts[0]
    together = "\n".join(texts)
    assert all(f"Nowak {number:03}" in together for number in range(PEOPLE))


def test_all_columns_stand_on_paper_with_its_margins(opened: Open) -> None:
    page = opened(f"{RACE}?limit=1000")
    margin: PdfMargins = {"top": "1cm", "right": "1cm", "bottom": "1cm", "left": "1cm"}
    texts = [sheet.extract_text() for sheet in PdfReader(io.BytesIO(page.pdf(format="A4", margin=margin))).pages]
    assert len(texts) < 40
    assert all("registered" in text and "last name" in text for text in texts)
    assert "2026" in texts[0]

"""The page of a race: what is chosen there, its chart, and its lists on paper."""

import io
import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, PdfMargins, expect
from pypdf import PdfReader

from tests.browser.conftest import PEOPLE, Open, Site
from tests.browser.test_pages import last_names, press, violations, with_and_without_script

pytestmark = pytest.mark.acceptance

RACE = "/races/501"
MARGIN: PdfMargins = {"top": "1cm", "right": "1cm", "bottom": "1cm", "left": "1cm"}


def sheets(page: Page) -> list[str]:
    return [sheet.extract_text() for sheet in PdfReader(io.BytesIO(page.pdf(format="A4", margin=MARGIN))).pages]


@with_and_without_script
def test_columns_and_answers_are_chosen_and_stay_on_each_page(opened: Open, java_script_enabled: bool) -> None:  # noqa: FBT001 - pytest's
    page = opened(f"{RACE}?sort=bib", java_script_enabled=java_script_enabled)
    page.get_by_text("Columns", exact=True).click()
    for name in ("status", "gender", "team", "wave", "registered", "sub-event", "first name"):
        page.get_by_label(name, exact=True).uncheck()
    page.get_by_label("Shirt size").check()
    press(page, page.get_by_role("button", name="Show these"))
    heads = page.locator(".beside thead tr:last-child th")
    expect(heads).to_have_text(["bib ↑", "last name", "Shirt size"])
    expect(page.locator("td[data-of='Shirt size']").first).to_have_text(re.compile("^[SML]$"))
    press(page, page.get_by_role("link", name="Next page"))
    expect(heads).to_have_text(["bib ↑", "last name", "Shirt size"])
    second = last_names(page)
    press(page, page.get_by_role("link", name="Next page"))
    press(page, page.get_by_role("link", name="Previous page"))
    assert last_names(page) == second
    press(page, page.get_by_role("link", name="Previous page"))
    expect(page.get_by_role("link", name="Previous page")).to_have_count(0)
    assert last_names(page)[0] == "Nowak 000"


@pytest.mark.parametrize(("title", "first"), [("Start list", "Nowak 000"), ("Check-in list", "Nowak 000")])
def test_a_list_of_400_is_printed_with_its_head_on_each_sheet(opened: Open, title: str, first: str) -> None:
    page = opened(RACE)
    press(page, page.get_by_role("link", name=title))
    expect(page.locator(".tick span")).to_have_count(PEOPLE)
    texts = sheets(page)
    assert 5 < len(texts) < 30
    day = f"{datetime.now(UTC):%A}"
    for text in texts:
        head = rf"Harbour Lights Marathon · {title} · as of position [0-9]+, {day} [0-9][0-9]:[0-9][0-9]"
        assert re.search(head, " ".join(text.split()))
        assert "last name" in text
    together = "\n".join(texts)
    assert first in texts[0]
    assert [together.count(f"Nowak {number:03}") for number in range(PEOPLE)] == [1] * PEOPLE
    assert not any(word in together for word in ("Sign out", "Next page", "Print this page", "Columns", "CSV"))


def test_the_head_on_paper_has_the_readers_time(opened: Open) -> None:
    zone = "Pacific/Kiritimati"
    page = opened(f"{RACE}?sheet=start-list&limit=2", timezone_id=zone)
    time = page.locator(".sheet-head time")
    printed = datetime.fromisoformat(time.get_attribute("datetime") or "")
    expect(time).to_have_text(f"{printed.astimezone(ZoneInfo(zone)):%A %H:%M}")
    page = opened(f"{RACE}?sheet=start-list&limit=2", timezone_id=zone, java_script_enabled=False)
    printed = datetime.fromisoformat(time.get_attribute("datetime") or "")
    expect(page.locator(".sheet-head time")).to_have_text(re.compile(f"{printed:%A} [0-9][0-9]:[0-9][0-9]"))


def test_no_row_is_broken_between_two_sheets(opened: Open) -> None:
    """The tallest rows have names of several lines: each has all of its lines on one sheet."""
    page = opened(f"{RACE}?sheet=check-in&limit=60&columns=first_name,bib&sort=bib")
    broken = 0
    for text in sheets(page):
        lines = text.count("Wolfeschlegelsteinhausenbergerdorff")
        broken += lines % 8
    assert broken == 0


def test_a_sheet_leads_back_and_is_chosen_on(opened: Open) -> None:
    page = opened(f"{RACE}?status=deferred")
    press(page, page.get_by_role("link", name="Check-in list"))
    expect(page.locator(".question")).to_contain_text(f"80 of {PEOPLE}: status deferred")
    press(page, page.get_by_role("columnheader", name="bib").get_by_role("link"))
    expect(page.locator(".tick span")).to_have_count(80)
    page.get_by_text("Columns", exact=True).click()
    page.get_by_label("Shirt size").check()
    press(page, page.get_by_role("button", name="Show these"))
    expect(page.locator(".sheet th", has_text="Shirt size")).to_be_visible()
    assert violations(page) == []
    press(page, page.get_by_role("link", name="The roster"))
    expect(page.get_by_role("navigation", name="Filters")).to_be_visible()


def test_the_form_and_the_chart_keep_nobody_out(opened: Open, site: Site) -> None:
    page = opened(RACE, viewport={"width": 360, "height": 740})
    page.get_by_text("Columns", exact=True).click()
    page.get_by_text("The same numbers as a table").click()
    expect(page.locator(".growth svg.lines")).to_be_visible()
    expect(page.locator(".growth td").last).to_have_text(str(PEOPLE))
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert violations(page) == []
    page.goto(f"{site.url}{RACE}?sheet=check-in&limit=20")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_a_page_of_a_hundred_is_short_on_the_wire(opened: Open, site: Site) -> None:
    answer = opened(RACE).request.get(f"{site.url}{RACE}?sort=-last_name", headers={"Accept-Encoding": "identity"})
    assert answer.text().count("<tr><td data-of") == 100
    headers = sum(len(each["name"]) + len(each["value"]) + 4 for each in answer.headers_array)
    assert len(answer.body()) + headers < 56_000, "room for longer names, up to 60 kB"

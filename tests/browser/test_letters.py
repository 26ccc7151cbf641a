"""People whose names are written from right to left stand where all others do; fingers find what they press."""

import psycopg
import pytest
from playwright.sync_api import Page

from ingest.database import sync_engine
from projections.web.access import sessions, tokens
from tests import model
from tests.browser.conftest import Open, Site
from tests.browser.test_live import fold

pytestmark = pytest.mark.acceptance

LEFT_OF_TEXTS = """selector => [...document.querySelectorAll(selector)].map(each => {
  const text = document.createRange();
  text.selectNodeContents(each);
  return Math.round(text.getBoundingClientRect().left);
})"""
TOO_SMALL = """[...document.querySelectorAll("main a, main button, main input, main summary, header a")]
  .filter(each => each.checkVisibility() && each.type !== "hidden" && each.type !== "checkbox")
  .filter(each => each.getBoundingClientRect().height < 43.9).map(each => each.outerHTML)"""


@pytest.fixture(scope="module")
def link(site: Site) -> str:
    """The path that signs in for a source with both kinds of names, of which each page shows several."""
    plain = {"event_name": "Nile", "sub_event_name": "Long", "team": "Owls", "first_name": "Ada", "status": "active"}
    other = {"event_name": "Nile", "sub_event_name": "ماراثون", "team": "فريق", "first_name": "مريم", "status": "نشط"}
    fields = {"event_id": 1, "last_name": "Nowak", "dob": "no day", "answers": [{"question": "قميص", "answer": "M"}]}
    bodies = [model.body(number, **fields, **(plain, other)[number % 2]) for number in range(4)]
    with psycopg.connect(site.database, autocommit=True) as connection:
        model.append_on(connection, bodies, "letters")
    fold(site, "letters")
    engine = sync_engine(site.database)
    with engine.begin() as connection:
        link = sessions.make_link(connection, tokens.create(connection, "letters", "letters", (), None))
    engine.dispose()
    return f"/sign-in/{link}"


def assert_aligned(page: Page, *selectors: str) -> None:
    for selector in selectors:
        places = page.evaluate(LEFT_OF_TEXTS, selector)
        assert len(places) > 1, selector
        assert max(places) - min(places) <= 1, (selector, places)


def test_right_to_left_stands_where_all_else_does_and_fingers_have_room(opened: Open, site: Site, link: str) -> None:
    page = opened(link, signed_in=False, has_touch=True, is_mobile=True, viewport={"width": 360, "height": 740})
    for width in (360, 1280):
        page.set_viewport_size({"width": width, "height": 740})
        page.goto(f"{site.url}/find?q=nowak")
        assert_aligned(page, *(f"td[data-column='{name}'] > *" for name in ("name", "sub-event", "status")))
        assert page.evaluate(TOO_SMALL) == []
        page.goto(f"{site.url}/races/1?columns=first_name,last_name,dob,team,sub_event_name&questions=قميص")
        assert_aligned(page, "td[data-of='first name'] > *", "td[data-of=team]", ".facets li a", ".facets h2")
        assert page.evaluate(TOO_SMALL) == []
        page.goto(f"{site.url}/participants/1")
        assert_aligned(page, "h1, .columns:first-of-type div:first-child dd", "main > h1, main > h2")
        assert page.evaluate(TOO_SMALL) == []

"""The start page: each race with what happened lately, beside its previous edition."""

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
from tests.browser_session import Browser
from tests.conftest import create
from tests.zoned_people import fold_by

NOW = datetime.now(UTC)


def ago(days: int) -> str:
    return (NOW - timedelta(days)).isoformat()


def person(id_: int, event_id: int, days: int, status: str = "active") -> bytes:
    return model.body(id_, event_id=event_id, event_name=f"Race {event_id}", created_at=ago(days), status=status)


# The race of this year starts in 40 days; the one of the year before, 325 days ago.
BODIES = [
    *(person(number, 501, days) for number, days in enumerate((0, 0, 3, 6, 8, 29, 60))),
    person(10, 501, 70, "deferred"),
    *(person(20 + number, 431, days) for number, days in enumerate((330, 350, 364, 366, 380))),
    *(person(30 + number, 600, 200) for number in range(3)),
    *(person(100 + number, 800, 200) for number in range(210)),
    person(99, 700, 1),
]
FIELDS = f"""
[events."501"]
starts_on = {(NOW + timedelta(40)).date()}
previous = "431"
[events."431"]
starts_on = {(NOW - timedelta(325)).date()}
[events."600"]
previous = "501"
[events."700"]
previous = "800"
"""


@pytest.fixture(scope="module")
def browser(
    server: postgres.Server, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Browser, str]]:
    file = tmp_path_factory.mktemp("fields") / "fields.toml"
    file.write_text(FIELDS)
    conninfo = fold_by(catalogue(file), create(server, template), BODIES)
    owner = sync_engine(conninfo)
    with running(conninfo) as api:
        browser = Browser(api)
        browser.sign_in(make_token(owner))
        yield browser, make_token(owner, "one", events=("501",))
    owner.dispose()


def cards(browser: Browser) -> dict[str, str]:
    """What a person reads on the card of each race."""
    listed = re.findall(r"<li>\s*<h2>.*?</li>", browser.open("/").text, re.DOTALL)
    texts = [" ".join(unescape(re.sub(r"<[^>]*>", " ", card)).split()) for card in listed]
    return {re.split(r" [0-9]+ participants?", text)[0]: text for text in texts}


def test_a_race_is_beside_its_previous_edition_at_the_same_time(browser: tuple[Browser, str]) -> None:
    shown = cards(browser[0])
    assert [*shown] == ["Race 501", "Race 600", "Race 700", "Race 800", "Race 431"], "past ones are last"
    this_year = shown["Race 501"]
    assert "8 participants" in this_year
    assert "2 today · 4 in the last 7 days" in this_year
    # 365 days ago its start was 40 days ahead, too: two had registered by then.
    assert "400 % of the 2 of the last edition, 40 days before its start" in this_year
    assert "active 7 · deferred 1" in this_year
    assert "38 % of the 8 of the last edition" in shown["Race 600"], "without its start, of all"
    assert "Less than 1 % of the 210 of the last edition" in shown["Race 700"]
    assert "edition" not in shown["Race 431"]


def test_a_previous_edition_that_the_token_does_not_see_is_not_told(browser: tuple[Browser, str]) -> None:
    signed, of_one = browser
    other = Browser(signed.api)
    other.sign_in(of_one)
    [card] = cards(other).values()
    assert "edition" not in card


def test_past_races_are_folded_away(browser: tuple[Browser, str]) -> None:
    page = browser[0].open("/").text
    [past] = re.findall(r"<details><summary>Past races</summary>.*?</details>", page, re.DOTALL)
    assert "Race 431" in past
    assert "Race 501" not in past

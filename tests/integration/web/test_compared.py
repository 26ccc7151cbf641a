"""Pages, answers and files say how the roster was compared with its source, as far as it covers what they show."""

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pytest
from sqlalchemy import Engine

from ingest import postgres
from ingest.database import OPERATOR_ROLE, sync_engine
from ingest.log.observation import Drift
from projections.web.access import tokens
from projections.web.question import COMPARED
from tests import model
from tests.api_client import Api, make_token, running
from tests.browser_session import Browser, text_of
from tests.conftest import create
from tests.fold_all import drain
from tests.observing import compared
from tests.zoned_people import Projections, fold_by, somebody

OF = "compared with the source of 2026-05-03T23:30:00Z at position"
NEVER, NOT_WHOLE = "never compared with the source", "never compared with the source as a whole"


@dataclass
class Doors:
    """A roster of two races, and tokens of all of it, of 501 alone, and without personal data."""

    api: Api
    operator: Engine
    worker: Engine
    database: str
    whole: str
    scoped: str
    plain: str

    def compare(self, scope: tuple[str, ...] | None, after: Drift, position: int, *, agrees: bool) -> int:
        at = compared(self.operator, scope, after, position, agrees=agrees)
        drain(self.worker)
        return at

    def said(self, token: str, **query: object) -> str:
        """The header of the list, which the exports have as well."""
        listed = self.api.ask("/v1/participants", token, limit=1, **query)
        assert listed.status_code == 200, listed.text
        for name in ("participants.csv", "participants.ndjson"):
            assert self.api.ask(f"/v1/{name}", token, **query).headers[COMPARED] == listed.headers[COMPARED]
        said: str = listed.headers[COMPARED]
        return said.removeprefix(f"{OF} ")

    def page(self, path: str, token: str) -> str:
        browser = Browser(self.api)
        browser.sign_in(token)
        page = browser.open(path)
        assert page.status_code == 200
        return text_of(page)


@pytest.fixture
def doors(database: str, engine: Engine, operator: Engine, worker_engine: Engine) -> Iterator[Doors]:
    model.append(database, [model.body(number, event_id=501 + number % 2, bib=number) for number in range(4)])
    drain(worker_engine)
    with engine.begin() as connection:
        plain = tokens.create(connection, "plain", "movemint", (), None, sees_personal_data=False)
    whole, scoped = make_token(engine), make_token(engine, "scoped", events=("501",))
    with running(database) as api:
        yield Doors(api, operator, worker_engine, database, whole, scoped, plain)


def test_the_newest_comparison_that_covers_what_is_shown_counts(doors: Doors) -> None:
    assert {doors.said(token) for token in (doors.whole, doors.scoped, doors.plain)} == {NEVER}
    assert "Never compared with the source." in doors.page("/races/501", doors.plain)
    assert doors.compare(("501",), Drift(missing=3, stale=2), 4, agrees=False) == 5
    assert doors.said(doors.whole, event_id=501) == doors.said(doors.scoped) == "4: 3 missing, 2 stale"
    assert doors.said(doors.plain, event_id=501, status="active") == "4: 3 missing, 2 stale"
    assert doors.said(doors.whole, event_id=502) == NEVER
    assert doors.said(doors.whole) == doors.said(doors.whole, event_id__in="501,502") == NOT_WHOLE
    # In the zone of the setting.
    on_page = "Compared with the source on 3 May 2026 at position 4: 3 missing, 2 stale."
    assert all(on_page in doors.page("/races/501", token) for token in (doors.whole, doors.scoped, doors.plain))
    assert "Never compared with the source." in doors.page("/races/502", doors.whole)
    assert f"{NOT_WHOLE.capitalize()}." in doors.page("/", doors.whole)
    assert on_page in doors.page("/", doors.scoped)
    assert doors.compare(None, Drift(unknowable=1), 5, agrees=True) == 6
    said = {doors.said(doors.whole, **query) for query in ({}, {"event_id": 501}, {"event_id__in": "501,502"})}
    assert said == {"5: complete, but for 1 who could not be judged"}
    assert doors.compare(("502",), Drift(unlisted=1), 6, agrees=False) == 7
    assert doors.said(doors.whole).startswith("5: complete"), "one of a part says nothing of the whole"
    assert doors.said(doors.whole, event_id=502) == "6: 1 unlisted"


def test_a_later_delivery_changes_nothing_of_what_was_compared_and_nothing_is_said_before_it_is_known(
    doors: Doors,
) -> None:
    """The roster is not complete now because it was complete then."""
    listed = doors.api.ask("/v1/participants", doors.whole)
    at = compared(doors.operator, None, Drift(), 4, agrees=True)
    again = doors.api.ask("/v1/participants", doors.whole, headers={"If-None-Match": listed.headers["ETag"]})
    assert (again.status_code, doors.said(doors.whole)) == (304, NEVER), "what was written down is not folded yet"
    drain(doors.worker)
    assert doors.said(doors.whole) == "4: complete"
    model.append(doors.database, [model.body(number, event_id=501) for number in range(100, 110)])
    drain(doors.worker)
    answer = doors.api.ask("/v1/participants", doors.whole)
    assert answer.json()["position"] == at + 10
    assert answer.headers[COMPARED] == f"{OF} 4: complete"
    assert "at position 4: complete." in doors.page("/races/501", doors.whole)
    doors.compare(None, Drift(missing=1), 15, agrees=False)
    assert doors.said(doors.whole) == "15: 1 missing"
    assert doors.said(doors.whole, as_of=at + 1) == "4: complete", "as was known then"
    assert doors.said(doors.whole, as_of=at - 1) == NEVER
    assert "at position 4: complete." in doors.page(f"/races/501?as_of={at + 1}", doors.whole)


def test_the_day_is_that_of_the_races_zone(
    server: postgres.Server, template: str, zoned_projections: Projections
) -> None:
    database = fold_by(zoned_projections, create(server, template), [somebody(1, 777, None), somebody(2, 501, None)])
    operator, owner = sync_engine(database, OPERATOR_ROLE), sync_engine(database)
    compared(operator, None, Drift(), 2)
    fold_by(zoned_projections, database, [])
    with running(database) as api:
        browser = Browser(api)
        browser.sign_in(make_token(owner))
        said = {path: text_of(browser.open(path)) for path in ("/races/777", "/races/501", "/")}
    assert "Compared with the source on 4 May 2026 at position 2: complete." in said["/races/777"]
    assert {"on 3 May 2026 at position 2: complete." in said[path] for path in ("/races/501", "/")} == {True}
    for engine in (operator, owner):
        engine.dispose()


def test_a_token_of_some_events_hears_no_number_of_others(doors: Doors) -> None:
    doors.compare(None, Drift(missing=317), 4, agrees=False)
    assert doors.said(doors.whole) == "4: 317 missing"
    assert doors.said(doors.whole, event_id=501) == "4: 317 missing, in all events"
    assert (
        doors.said(doors.scoped) == doors.said(doors.scoped, event_id=501) == "4: not complete, here or in other events"
    )
    assert "317" not in doors.page("/races/501", doors.scoped) + doors.page("/", doors.scoped)
    doors.compare(("501", "502"), Drift(unknowable=317), 5, agrees=True)
    assert doors.said(doors.scoped) == "5: complete, but for some who could not be judged"
    assert doors.said(doors.whole, event_id=501) == "5: complete, but for 317 who could not be judged"
    doors.compare(("501", "502"), Drift(stale=318), 6, agrees=False)
    assert doors.said(doors.whole, event_id=502) == "6: 318 stale, in 2 events"
    assert "318" not in doors.said(doors.scoped)


def test_files_with_a_place_for_it_say_it_themselves(doors: Doors, tmp_path: Path) -> None:
    doors.compare(("501",), Drift(missing=3), 4, agrees=False)
    wanted = f"as of position 5; {OF} 4: 3 missing"
    sheet = doors.api.ask("/v1/participants.xlsx", doors.plain, event_id=501)
    with zipfile.ZipFile(io.BytesIO(sheet.content)) as book:
        assert f"<dc:description>{wanted}</dc:description>" in book.read("docProps/core.xml").decode()
    parquet = doors.api.ask("/v1/participants.parquet", doors.plain, event_id=501)
    assert sheet.headers[COMPARED] == parquet.headers[COMPARED] == f"{OF} 4: 3 missing"
    assert metadata(parquet.content, tmp_path) == {"rosterlog": wanted}
    assert metadata(doors.api.ask("/v1/participants.parquet", doors.plain, event_id=502).content, tmp_path) == {
        "rosterlog": f"as of position 5; {NEVER}"
    }


def metadata(parquet: bytes, folder: Path) -> dict[str, str]:
    """What a Parquet file says of itself."""
    path = folder / "roster.parquet"
    path.write_bytes(parquet)
    rows = duckdb.execute(f"select key, value from parquet_kv_metadata('{path}')").fetchall()
    return {key.decode(): value.decode() for key, value in rows}

"""What observations do to the roster shows everywhere: API, history, as of, changes, exports, SQL, publication."""

import csv
import io
import json
import re

import psycopg
import pytest
from sqlalchemy import Engine

from projections.web.access import tokens
from tests import model
from tests.api_client import Api, make_token, running
from tests.browser_session import Browser, text_of
from tests.erased_person import erase
from tests.fold_all import drain, query
from tests.observing import listed, observe, unlisted
from tests.zoned_people import report_rows


@pytest.fixture
def looked_at(database: str, worker_engine: Engine, operator: Engine) -> str:
    """1: as delivered; 2: delivered at position 2, unlisted at 4; 3: delivered at 3, observed at 5; 4: observed."""
    model.append(database, [
        model.body(number, event_id=501, first_name=f"n{number}", bib=number, sub_event_id=1) for number in (1, 2, 3)
    ])  # fmt: skip
    observe(
        operator,
        unlisted(2, 3, event_id=501, first_name="n2", bib=2, sub_event_id=1),
        listed(3, 3, event_id=501, first_name="n3", bib=33, sub_event_id=2),
        listed(4, 0, event_id=501, first_name="n4"),
    )
    drain(worker_engine)
    return database


def ids(api: Api, token: str, **asked: object) -> list[str]:
    return [row["participant_id"] for row in api.listed("/v1/participants", token, **asked)]


def test_promise_15_the_api_says_where_a_state_is_from_and_who_is_not_listed(looked_at: str, engine: Engine) -> None:
    with running(looked_at) as api:
        token = make_token(engine)
        [one, two, three, four] = api.listed("/v1/participants", token)
        assert [row["origin"] for row in (one, two, three, four)] == ["delivery", *["observation"] * 3]
        assert [row["unlisted_at"] for row in (one, three, four)] == [None] * 3
        assert two["unlisted_at"] == two["received_at"]
        assert [*one][-4:] == ["origin", "unlisted_at", "field_errors", "attributes"]
        assert one["attributes"] == {"id": 1, "event_id": 501, "first_name": "n1", "bib": 1, "sub_event_id": 1}
        assert four["attributes"] == {"id": 4, "event_id": 501, "first_name": "n4"}
        assert api.ask("/v1/participants/2", token).json() == {**two, "answers": []}
        for asked, expected in (
            ({"origin": "observation"}, ["2", "3", "4"]), ({"origin__ne": "observation"}, ["1"]),
            ({"origin__in": "delivery,x"}, ["1"]), ({"origin__startswith": "obs"}, ["2", "3", "4"]),
            ({"unlisted_at__isnull": "false"}, ["2"]), ({"unlisted_at__isnull": "true"}, ["1", "3", "4"]),
            ({"unlisted_at__gte": two["unlisted_at"]}, ["2"]), ({"unlisted_at__lt": two["unlisted_at"]}, []),
            ({"unlisted_at__isnull": "false", "as_of": 3}, []), ({"origin": "delivery", "as_of": 3}, ["1", "2", "3"]),
            ({"unlisted_at__isnull": "false", "as_of": 4}, ["2"]), ({"origin": "delivery", "as_of": 4}, ["1", "3"]),
        ):  # fmt: skip
            assert ids(api, token, **asked) == expected, asked
        assert api.ask("/v1/participants", token, origin__isnull="true").status_code == 400
        narrow = api.listed("/v1/participants", token, columns="participant_id,origin,unlisted_at", limit=2)
        assert narrow[0] == {"participant_id": "1", "origin": "delivery", "unlisted_at": None}


def test_promise_15_history_and_changes_show_what_was_observed(
    looked_at: str, engine: Engine, worker_engine: Engine, operator: Engine
) -> None:
    with running(looked_at) as api:
        token = make_token(engine)
        before, after = api.listed("/v1/participants/2/history", token)
        assert (before["until_position"], before["participant"]["origin"]) == (4, "delivery")
        assert after["changed"] == {"unlisted_at": {"from": None, "to": after["received_at"]}}
        [_, moved] = api.listed("/v1/participants/3/history", token)
        assert moved["participant"]["origin"] == "observation"
        assert moved["changed"].keys() == {"bib", "attributes.bib", "sub_event_id", "attributes.sub_event_id"}
        [first] = api.listed("/v1/participants/4/history", token)
        assert (first["position"], first["participant"]["first_position"], first["changed"]) == (6, 6, {})

        followed = api.ask("/v1/changes", token, after=3).json()
        assert [(change["position"], change["participant"]["origin"]) for change in followed["data"]] == [
            (4, "observation"), (5, "observation"), (6, "observation"),
        ]  # fmt: skip
        assert followed["data"][0]["participant"]["unlisted_at"] is not None
        observe(operator, listed(2, 6, event_id=501, first_name="n2", bib=2, sub_event_id=1))
        drain(worker_engine)
        [again] = api.ask("/v1/changes", token, after=followed["after"]).json()["data"]
        assert (again["position"], again["participant"]["unlisted_at"]) == (7, None)
        [_, gone, back] = api.listed("/v1/participants/2/history", token)
        assert (gone["participant"]["origin"], gone["participant"]["unlisted_at"]) == (
            "observation",
            gone["received_at"],
        )
        assert back["changed"] == {"unlisted_at": {"from": gone["received_at"], "to": None}}
        assert ids(api, token, unlisted_at__isnull="false") == []
        assert ids(api, token, unlisted_at__isnull="false", as_of=6) == ["2"]
        assert ids(api, token, origin="observation", as_of=6) == ["2", "3", "4"]
        erase(operator, "4")
        [gone] = api.ask("/v1/changes", token, after=7).json()["data"]
        assert (gone["change"], gone["participant_id"]) == ("removed", "4")


def test_promise_15_exports_and_a_reader_without_personal_data_have_both_columns(
    looked_at: str, engine: Engine
) -> None:
    with engine.begin() as connection:
        plain = tokens.create(connection, "plain", "movemint", (), None, sees_personal_data=False)
    with running(looked_at) as api:
        token = make_token(engine)
        for seen in (token, plain):
            rows = [*csv.DictReader(io.StringIO(api.ask("/v1/participants.csv", seen).text))]
            assert [row["origin"] for row in rows] == ["delivery", *["observation"] * 3]
            assert [bool(row["unlisted_at"]) for row in rows] == [False, True, False, False]
            lines = [json.loads(line) for line in api.ask("/v1/participants.ndjson", seen).text.splitlines()]
            assert [line["origin"] for line in lines] == [row["origin"] for row in rows]
            assert ids(api, seen, unlisted_at__isnull="false") == ["2"]


def test_promise_15_sql_reports_and_the_publication_show_them(looked_at: str) -> None:
    seen = (
        "select participant_id, origin, unlisted_at is not null from {} where source = 'movemint' order by 1, position"
    )
    expected = [("1", "delivery", False), ("2", "observation", True), ("3", "observation", False),
                ("4", "observation", False)]  # fmt: skip
    for view in ("participants", "reporting.participants", "reporting.participants_as_of(now())"):
        assert query(looked_at, seen.format(view)) == expected
    assert query(looked_at, seen.format("reporting.participant_history")) == [
        expected[0], ("2", "delivery", False), expected[1], ("3", "delivery", False), *expected[2:],
    ]  # fmt: skip
    with psycopg.connect(looked_at, autocommit=True) as connection:
        connection.execute("select publish_these('movemint', '{1, 2, 3, 4}')")
    assert query(looked_at, seen.format("published_participants")) == expected
    [moved] = report_rows(looked_at, "transfers")
    assert (moved["participant_id"], moved["position"], moved["sub_event_id"]) == ("3", 5, "2")
    assert report_rows(looked_at, "late_arrivals") == []


def test_promise_15_the_page_of_a_participant_shows_what_was_observed(looked_at: str, engine: Engine) -> None:
    with running(looked_at) as api:
        browser = Browser(api)
        browser.sign_in(make_token(engine))
        two, three, four = (text_of(browser.open(f"/participants/{number}")) for number in (2, 3, 4))
    assert re.search(r"position 4 · observed at the source Not on Movemint's list any more\.", two)
    assert re.search(r"position 2 · until position 4 First registered", two)
    assert re.search(r"position 5 · observed at the source sub-event id: 1 → 2 bib: 3 → 33", three)
    assert re.search(r"position 6 · observed at the source First seen", four)

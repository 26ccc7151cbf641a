"""How the answer of a report is written."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from projections.reports import formats
from projections.reports.logins import LoginRefused, check_name
from projections.reports.report import ReportRows, WrongParameter, reports, values_of
from projections.roster.export.formats import Dialect

FOUND = ReportRows(
    ("team", "members", "percent", "since"),
    [
        ("=cmd()", 12, Decimal("33.3"), datetime(2026, 3, 2, 8, tzinfo=UTC)),
        ("Night\x1bOwls, all", None, Decimal("5.0"), date(2026, 3, 2)),
        (None, 7, None, None),
    ],
)


def test_a_table_has_even_columns_numbers_to_the_right_and_nothing_that_moves_the_cursor() -> None:
    assert formats.table(FOUND).splitlines() == [
        "team                  members  percent  since",
        "--------------------  -------  -------  --------------------",
        "=cmd()                     12     33.3  2026-03-02T08:00:00Z",
        "Night\\u001bOwls, all        -      5.0  2026-03-02",
        "-                           7        -  -",
        "(3 rows)",
    ]
    assert formats.table(ReportRows(("a",), [])).splitlines() == ["a", "-", "(0 rows)"]
    assert formats.table(ReportRows(("a",), [("x",)])).endswith("(1 row)")


def test_letters_of_every_width_leave_the_columns_even() -> None:
    found = ReportRows(("team", "チーム", "members"), [("日本語ランナーズ", "x", 12), ("Zoe\u0308", "한국", 3)])
    assert formats.table(found).splitlines() == [
        "team              チーム  members",
        "----------------  ------  -------",
        "日本語ランナーズ  x            12",
        "Zoe\u0308               한국          3",
        "(2 rows)",
    ]


def test_csv_is_written_for_the_program_that_opens_it() -> None:
    found = ReportRows(("x;=1", "percent"), [("a,-b", Decimal("33.3")), ("+1", 0.5), ("-1", None)])
    german = Dialect(";", ",", has_bom=True)
    assert formats.separated(found, german).splitlines() == [
        '\ufeff"x;\'=1";percent', "a,'-b;33,3", "'+1;0,5", "'-1;",
    ]  # fmt: skip
    kept = formats.separated(found, Dialect(keeps_formulas=True)).splitlines()
    assert kept == ["x;=1,percent", '"a,-b",33.3', "+1,0.5", "-1,"]


def test_csv_is_harmless_in_a_spreadsheet() -> None:
    assert formats.separated(FOUND, Dialect()).splitlines() == [
        "team,members,percent,since",
        "'=cmd(),12,33.3,2026-03-02T08:00:00Z",
        '"Night\x1bOwls, all",,5.0,2026-03-02',
        ",7,,",
    ]


def test_json_is_a_list_of_objects() -> None:
    assert json.loads(formats.json(FOUND))[:2] == [
        {"team": "=cmd()", "members": 12, "percent": 33.3, "since": "2026-03-02T08:00:00Z"},
        {"team": "Night\x1bOwls, all", "members": None, "percent": 5.0, "since": "2026-03-02"},
    ]


@pytest.mark.parametrize(
    ("report", "name", "value", "says"),
    [
        ("teams", "size", "2", "teams has no parameter size; it takes event, least"),
        ("teams", "least", "two", "least takes a whole number"),
        ("teams", "least", "-1", "least takes a whole number"),
        ("teams", "least", "99999999999999999999", "least takes a whole number"),
        ("teams", "event", "a\x00", "event takes a text"),
        ("not_updated", "days", "1000001", "days takes a whole number up to 1000000"),
        ("editions", "start", "2026-01-01", "start belongs to event, which is not given"),
        ("editions", "previous", "5", "previous belongs to event"),
        ("registrations_by_day", "since", "02/03/2026", "since takes a date such as 2026-05-31"),
        ("registrations_by_day", "since", "2026-02-30", "since takes a date such as 2026-05-31"),
    ],
)
def test_a_wrong_parameter_is_named_with_what_it_takes(report: str, name: str, value: str, says: str) -> None:
    with pytest.raises(WrongParameter, match=says):
        values_of(reports()[report], {name: value})


@pytest.mark.parametrize(
    "user", ["", " ", "a\x00b", "x" * 64, "é" * 32, "pg_x", "PG_x", "public", "none", "rosterlog_api"]
)
def test_a_name_that_cannot_be_a_login_is_refused(user: str) -> None:
    with pytest.raises(LoginRefused):
        check_name(user)

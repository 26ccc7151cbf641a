"""The participant's columns as migrations list them, and the files of SQL that the list is filled into."""

import re
from pathlib import Path

import pytest

from migrations import columns, objects
from migrations.columns import Column, filled
from projections.participants.fields import COLUMN_NAMES, DECLARED


def test_the_list_has_the_declared_columns_in_their_order() -> None:
    assert tuple(column.name for column in columns.COLUMNS) == COLUMN_NAMES


def test_what_is_personal_in_sql_is_personal_by_every_door() -> None:
    assert {column.name for column in columns.COLUMNS if column.is_personal} == {
        field.column for field in DECLARED.columns if field.is_personal
    }


def test_every_file_of_sql_is_executed() -> None:
    folder = Path(objects.__file__).parent / "sql"
    there = sorted(str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.sql"))
    assert sorted(f"{room}/{name}" for room, names in objects.ROOMS.items() for name in names.split()) == there


def test_no_place_is_left_unfilled() -> None:
    place = re.compile(r"\{[^}]*(columns|masked|personal|comments|counted|linked|lock_and_head)[^}]*\}")
    assert [match[0] for sql in objects.every_file() if (match := place.search(sql))] == []


def test_what_comes_later_stands_at_the_end_in_the_order_of_its_revisions(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = (
        Column("third", "text", "C", since="0006_third"),
        Column("first", "text", "It's A."),
        Column("second", "date", "B", is_personal=True, since="0005_second"),
    )
    monkeypatch.setattr(columns, "COLUMNS", listed)
    assert filled("{p.columns}, x{p.added_columns}") == "p.first, x, p.second, p.third"
    seen = "case when (select reporting.sees_personal_data()) then p.second end as second"
    assert filled("{p.masked}{p.added_masked}") == f"p.first, {seen}, p.third"
    assert filled("{not_personal}{added_not_personal}") == "first, third"
    assert columns.definitions("0005_second") == "second date"
    assert columns.definitions("0005_second", personal=False) == ""
    assert "comment on column reporting.participants.first is 'It''s A.';" in filled("{comments}")


def test_a_version_that_adds_no_column_is_refused() -> None:
    """A row without `since` would be of the first release: in new databases alone."""
    with pytest.raises(ValueError, match="has since='9999_none'"):
        columns.add_columns("9999_none")

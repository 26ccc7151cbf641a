"""A cursor opens only for the token and the query it was made for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.web.cursor import WrongCursor, read_cursor, write_cursor

KEY = b"k" * 32


@given(last=st.text(), query=st.dictionaries(st.text(), st.text()))
def test_a_cursor_gives_back_where_its_page_ended(last: str, query: dict[str, str]) -> None:
    assert read_cursor(write_cursor(last, query, KEY), query, KEY) == last


@given(last=st.text())
def test_another_query_or_token_is_refused(last: str) -> None:
    cursor = write_cursor(last, {"event_id": "1"}, KEY)
    for query, key in (({}, KEY), ({"event_id": "2"}, KEY), ({"event_id": "1"}, b"x" * 32)):
        with pytest.raises(WrongCursor):
            read_cursor(cursor, query, key)


@given(st.text())
def test_anything_else_is_refused(cursor: str) -> None:
    with pytest.raises(WrongCursor):
        read_cursor(cursor, {}, KEY)

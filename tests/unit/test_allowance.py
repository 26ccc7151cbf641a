"""What large answers may hold: the first row whatever its size, then up to a page, and together up to a bound."""

import pytest
from starlette.exceptions import HTTPException

from projections.web.allowance import Allowance, HeldBytes


def left(held: HeldBytes) -> int:
    """How many bytes may be held besides: found by taking them."""
    free = next(size for size in range(100, -1, -1) if size == 0 or held.take(size))
    held.give_back(free)
    return free


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.web.allowance.SMALL", 10)


def test_what_is_held_together_is_bounded_but_for_one_that_is_alone() -> None:
    held = HeldBytes(100)
    assert (held.take(60), held.take(41), held.take(40), held.take(1)) == (True, False, True, False)
    held.give_back(100)
    assert (held.take(500), held.take(1)) == (True, False)
    held.give_back(500)
    assert held.take(100)


def test_a_page_has_a_first_row_of_any_size_and_ends_by_its_bytes() -> None:
    allowance = Allowance(50, HeldBytes(1_000))
    fits = allowance.begin()
    assert (fits(200), fits(1)) == (True, False)
    fits = allowance.begin()
    assert (fits(30), fits(20), fits(1)) == (True, True, False)


def test_an_answer_holds_what_it_has_beyond_the_first_bytes_until_it_is_sent() -> None:
    held = HeldBytes(100)
    allowance = Allowance(90, held)
    fits = allowance.begin()
    assert (fits(8), left(held)) == (True, 100)
    assert (fits(8), left(held)) == (True, 84)
    assert (fits(8), left(held)) == (True, 76)
    fits = allowance.begin()
    assert left(held) == 100, "rows of before are forgotten"
    assert (fits(20), left(held)) == (True, 80)
    allowance.release()
    allowance.release()
    assert left(held) == 100


def test_while_others_hold_everything_an_answer_is_small_or_refused() -> None:
    held = HeldBytes(100)
    assert held.take(100)
    fits = Allowance(90, held).begin()
    assert (fits(10), fits(1)) == (True, False)
    with pytest.raises(HTTPException) as refused:
        Allowance(90, held).begin()(11)
    assert (refused.value.status_code, refused.value.headers) == (503, {"Retry-After": "1"})

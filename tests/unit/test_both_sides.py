"""Lines that both sides have go as soon as both have come; all others are left, however the lines come."""

from collections.abc import Sequence
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.truth import sides
from projections.truth.buckets import BUCKETS
from projections.truth.lines import written_line
from projections.truth.pairing import ListedTwice
from projections.truth.sides import BothSides

_SOME = st.dictionaries(st.integers(0, 30).map(str), st.sampled_from("abc"))


def line(id_: str, value: str) -> bytes:
    return written_line((id_, value))


def left(both: BothSides) -> tuple[list[bytes], list[bytes]]:
    listed, stored = zip(*map(both.lines, range(BUCKETS)), strict=True)
    return sorted(chain.from_iterable(listed)), sorted(chain.from_iterable(stored))


def parts(lines: Sequence[bytes], sizes: Sequence[int]) -> list[Sequence[bytes]]:
    """The lines in parts of these sizes, and what is left in one more."""
    ends = [sum(sizes[:number]) for number in range(len(sizes) + 1)]
    return [lines[begin:end] for begin, end in zip(ends, [*ends[1:], len(lines)], strict=True)]


@given(_SOME, _SOME, st.data(), st.sampled_from([0, 400, 10_000]))
def test_what_both_sides_have_goes_and_all_else_is_left(
    of_file: dict[str, str], of_roster: dict[str, str], data: st.DataObject, in_memory: int
) -> None:
    listed = data.draw(st.permutations([line(*each) for each in of_file.items()]))
    stored = data.draw(st.permutations([line(*each) for each in of_roster.items()]))
    sizes = data.draw(st.lists(st.integers(0, 5), min_size=2, max_size=9))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sides, "_IN_MEMORY", in_memory)
        both = BothSides(keeps_alike=False)
        for some, others in zip(parts(listed, sizes), parts(stored, sizes[::-1]), strict=True):
            both.add(some, others)
        of_both = left(both)
        both.close()
    kept = {*of_both[0]} & {*of_both[1]}  # let go before their like had come
    assert both.alike == len({*listed} & {*stored}) - len(kept)
    assert not kept or in_memory < 10_000
    assert of_both == tuple(sorted(({*side} - ({*listed} & {*stored})) | kept) for side in (listed, stored))


def test_lines_that_wait_are_let_go_before_they_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sides, "_IN_MEMORY", 400)
    both = BothSides(keeps_alike=False)
    both.add([line(str(number), "a") for number in range(4)], [])  # some 104 bytes each
    both.add([line("4", "a")], [line(str(number), "a") for number in range(5)])
    assert both.alike == 1
    assert [len(side) for side in left(both)] == [4, 4]
    both.close()


def test_of_two_sides_whose_lines_are_all_kept_nothing_goes() -> None:
    both = BothSides(keeps_alike=True)
    both.add([line("1", "a"), line("2", "b")], [line("1", "a")])
    assert left(both) == ([line("1", "a"), line("2", "b")], [line("1", "a")])
    assert both.alike == 0
    both.close()


@pytest.mark.parametrize(("before", "with_it"), [("71", "87"), ("1", "787")])
def test_an_id_that_is_listed_twice_alike_is_named(before: str, with_it: str) -> None:
    both = BothSides(keeps_alike=False)
    both.add([line(id_, "a") for id_ in before], [line("9", "a")])
    with pytest.raises(ListedTwice, match="the file lists 7 twice"):
        both.add([line(id_, "a") for id_ in with_it], [])
    both.close()

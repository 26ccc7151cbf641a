"""Who folds what: workers divide the sources between them, and nothing waits for one that does not fold."""

from collections import Counter
from collections.abc import Sequence

import pytest

from projections.folding.division import Division
from projections.folding.projection import Behind
from tests.fold_all import PARTICIPANTS

WORKERS = frozenset("abcd")
SOURCES = [f"source-{number}" for number in range(400)]


def behind(sources: Sequence[str], position: int = 0, head: int = 1) -> list[Behind]:
    return [Behind(PARTICIPANTS, source, position, head) for source in sources]


def shares(workers: frozenset[str]) -> dict[str, list[str]]:
    """What each worker takes at its first look."""
    return {
        worker: [each.source for each in Division(worker).share(behind(SOURCES), workers, 0.0)] for worker in workers
    }


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_workers_that_see_each_other_divide_all_sources_and_take_none_twice(number: int) -> None:
    taken = shares(frozenset(sorted(WORKERS)[:number]))
    assert sorted(source for share in taken.values() for source in share) == sorted(SOURCES)
    assert min(map(len, taken.values())) > 0.7 * len(SOURCES) / number


def test_what_a_worker_leaves_is_divided_and_nothing_else_moves() -> None:
    before, after = shares(WORKERS), shares(WORKERS - {"d"})
    for worker, share in after.items():
        assert set(before[worker]) <= set(share)
        assert len(share) > len(before[worker])
    assert sum(map(len, after.values())) == len(SOURCES)


def test_a_worker_that_was_alone_shares_as_soon_as_it_sees_another_one() -> None:
    division = Division("a")
    assert len(division.share(behind(SOURCES), frozenset("a"), 0.0)) == len(SOURCES)
    assert len(division.share(behind(SOURCES), WORKERS, 1.0)) < len(SOURCES) / 2


def test_what_waits_for_another_worker_for_seconds_is_taken_after_the_own_share() -> None:
    division, own = Division("a"), shares(WORKERS)["a"]
    for now in (0.0, 1.9):
        assert [each.source for each in division.share(behind(SOURCES), WORKERS, now)] == own
    taken = [each.source for each in division.share(behind(SOURCES), WORKERS, 2.0)]
    assert (taken[: len(own)], Counter(taken)) == (own, Counter(SOURCES))


def test_a_source_that_its_own_worker_folds_is_left_to_it_however_often_more_arrives() -> None:
    division, other = Division("a"), shares(WORKERS)["b"][:1]
    for second in range(10):
        assert division.share(behind(other, second, second + 3), WORKERS, second / 2) == []
    assert division.share(behind(other, 9, 99), WORKERS, 100.0), "and one that has stopped is not"


def test_a_source_that_was_folded_and_waits_again_has_all_its_time() -> None:
    division, other = Division("a"), shares(WORKERS)["b"][:1]
    assert division.share(behind(other), WORKERS, 0.0) == []
    assert division.share([], WORKERS, 1.0) == []
    assert division.share(behind(other, 1, 2), WORKERS, 2.5) == []

"""How far a replica is behind, from where the primary was and when."""

from hypothesis import given
from hypothesis import strategies as st

from projections.web.lag import Lag

KEPT = 1000.0


def noted(*places: tuple[int, float], kept: float = KEPT) -> Lag:
    lag = Lag(kept)
    for position, at in places:
        lag.note(position, at)
    return lag


def test_an_idle_primary_makes_no_replica_late() -> None:
    lag = noted(*((7, float(at)) for at in range(300)))
    assert lag.seconds(7, 300, since_replayed=300) == 0


def test_a_replica_that_stands_still_is_late_from_the_next_change_on() -> None:
    lag = noted((7, 0), (7, 100), (8, 101), (9, 130))
    assert [lag.seconds(7, 101, 200), lag.seconds(7, 131, 230), lag.seconds(8, 131, 230)] == [0, 30, 1]


def test_before_the_first_look_the_age_of_the_newest_transaction_counts() -> None:
    lag = noted((7, 0))
    assert [lag.seconds(6, 1, 3600), lag.seconds(6, 1, None), lag.seconds(7, 1, 3600)] == [3600, 1, 0]


def test_a_primary_that_went_back_begins_anew() -> None:
    lag = noted((7, 0), (900, 50), (8, 60))
    assert [lag.seconds(7, 61, 2), lag.seconds(8, 61, 2)] == [2, 0]


def test_what_is_old_is_forgotten_and_a_replica_so_late_stays_late() -> None:
    lag = noted(*((at, float(at)) for at in range(5000)), kept=60)
    assert lag.seconds(3, 5000, 4997) == 4997
    assert lag.seconds(3, 5000, None) >= 60
    assert lag.seconds(4990, 5000, None) == 9
    assert len(lag._positions) < 70


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3)), min_size=1), st.integers(0, 100), st.integers(0, 3))
def test_it_is_the_time_since_the_primary_was_seen_further(
    steps: list[tuple[int, int]], replica: int, later: int
) -> None:
    position, now, places = 0, 0.0, []
    for moved, seconds in steps:
        position, now = position + moved, now + seconds
        places.append((position, now))
    further = [at for place, at in places if place > replica]
    expected = now + later - further[0] if further else 0.0
    assert noted(*places).seconds(replica, now + later, None) == expected

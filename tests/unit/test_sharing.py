"""Which sources share a transaction, and how many: what has failed goes by itself first."""

from collections.abc import Callable

from projections.folding.pace import Pace
from projections.folding.projection import Behind
from projections.folding.sharing import Sharing
from tests.fold_all import PARTICIPANTS, REGISTRATIONS


def pairs(events: int = 1) -> list[Behind]:
    return [Behind(each, "spring", 10, 10 + events) for each in (PARTICIPANTS, REGISTRATIONS)]


def test_a_source_with_few_events_shares_and_one_with_many_goes_by_itself() -> None:
    assert [Sharing(Pace(500), 500).may_share(pairs(events)) for events in (1, 8, 9, 500)] == [True, True, False, False]
    assert [Sharing(Pace(3), 3).may_share(pairs(events)) for events in (3, 4)] == [True, False]


def test_a_source_of_which_one_projection_has_failed_goes_by_itself_until_that_has_succeeded() -> None:
    lane = ("registrations", "spring")
    fail: list[Callable[[Pace], object]] = [
        lambda pace: pace.part(lane),
        lambda pace: pace.failed(lane, 0.0, is_to_blame=True),
        lambda pace: pace.failed(lane, 0.0, is_to_blame=False, took_long=True),
    ]
    for fails in fail:
        pace = Pace(8)
        sharing = Sharing(pace, 8)
        fails(pace)
        assert not sharing.may_share(pairs())
        assert [each.projection for each in sharing.failed(pairs())] == [REGISTRATIONS]
        pace.parked(lane)
        assert sharing.may_share(pairs()) is False, "the next event may be as bad"
        pace.succeeded(lane)
        assert (sharing.may_share(pairs()), sharing.failed(pairs())) == (True, [])


def test_where_the_database_has_no_transaction_for_several_sharing_is_tried_again_after_a_while() -> None:
    now = [1000.0]
    sharing = Sharing(Pace(8), 8, lambda: now[0])
    assert sharing.may_share(pairs())
    sharing.refused()
    sharing.ended(0.001)
    assert not sharing.may_share(pairs())
    now[0] += 59
    assert not sharing.may_share(pairs())
    now[0] += 2
    assert sharing.may_share(pairs())


def test_a_source_in_which_a_slow_event_is_looked_for_does_not_share() -> None:
    pace, lane = Pace(64), ("participants", "spring")
    for _ in range(6):
        pace.succeeded(lane)
    pace.failed(lane, 0.0, is_to_blame=False, took_long=True)
    for parts in range(8):
        assert not Sharing(pace, 64).may_share(pairs()), parts
        pace.succeeded(lane)
    assert Sharing(pace, 64).may_share(pairs())


def test_more_and_more_sources_share_while_that_is_quick_and_fewer_after_each_other_time() -> None:
    sharing = Sharing(Pace(500), 500)
    assert sharing.sources == 8
    sizes = []
    for seconds in (0.01, 0.01, 0.01, 0.01, 0.2, None, 0.2, 0.2, 0.2, 0.2, 0.01):
        sharing.ended(seconds)
        sizes.append(sharing.sources)
    assert sizes == [16, 32, 64, 64, 32, 16, 8, 4, 2, 2, 4]

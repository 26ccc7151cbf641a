"""Token buckets: what may be spent at once, what comes back, and whom they forget."""

from projections.web.access.limits import Buckets, Limit


def test_what_was_spent_comes_back_with_time_and_no_more_than_there_was() -> None:
    buckets = Buckets(Limit(per_second=2, at_once=3))
    assert [buckets.take("a", 10.0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert buckets.take("a", 10.4) > 0
    assert buckets.take("a", 10.5) == 0
    assert buckets.left("a", 1000.0) == 3
    assert buckets.left("b", 10.0) == 3


def test_those_longest_unused_are_forgotten() -> None:
    buckets = Buckets(Limit(per_second=1, at_once=1), most_keys=2)
    for key in ("a", "b", "c"):
        buckets.take(key, 0.0)
    assert [buckets.left(key, 0.0) for key in ("a", "b", "c")] == [1, 0, 0]


def test_a_request_that_is_given_back_may_be_made_again_and_never_more_than_at_once() -> None:
    buckets = Buckets(Limit(per_second=1, at_once=2))
    assert [buckets.take("a", 0.0) for _ in range(2)] == [0, 0]
    buckets.give_back("a", 0.0)
    assert buckets.left("a", 0.0) == 1
    for _ in range(5):
        buckets.give_back("a", 0.0)
    assert buckets.left("a", 0.0) == 2
    assert Buckets(Limit(per_second=4, at_once=0)).take("a", 0.0) == 0.25, "the seconds until one may be made"


def test_a_key_that_was_used_lately_is_not_forgotten() -> None:
    buckets = Buckets(Limit(per_second=1, at_once=2), most_keys=2)
    for key in ("a", "b", "a", "c"):
        buckets.take(key, 0.0)
    assert [buckets.left(key, 0.0) for key in ("a", "b", "c")] == [0, 2, 1]

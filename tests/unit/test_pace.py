"""The pace of a lane: smaller and later after failures, whole again after successes."""

from projections.folding.pace import Pace


def test_a_lane_begins_with_few_events_and_doubles_them() -> None:
    pace = Pace(500)
    limits = []
    for _ in range(8):
        limits.append(pace.limit("a"))
        pace.succeeded("a")
    assert limits == [8, 16, 32, 64, 128, 256, 500, 500]
    assert Pace(3).limit("a") == 3


def test_a_batch_that_fails_is_halved_down_to_one_event() -> None:
    pace = Pace(500)
    for _ in range(6):
        pace.succeeded("a")
    limits = []
    for _ in range(10):
        limits.append(pace.limit("a"))
        pace.failed("a", 0.0, is_to_blame=True)
    assert limits == [500, 250, 125, 62, 31, 15, 7, 3, 1, 1]


def test_one_event_that_fails_three_times_by_itself_is_the_cause() -> None:
    pace = Pace(2)
    assert [pace.failed("a", 0.0, is_to_blame=True) for _ in range(4)] == [False, False, False, True]
    pace.succeeded("a")
    assert pace.failed("a", 0.0, is_to_blame=True) is False


def test_an_event_is_not_the_cause_of_what_fails_with_every_event() -> None:
    pace = Pace(1)
    assert not any(pace.failed("a", 0.0, is_to_blame=False) for _ in range(2_000))
    assert [pace.failed("a", 0.0, is_to_blame=True) for _ in range(3)] == [False, False, True]


def test_after_each_failure_it_waits_longer_up_to_five_seconds_and_others_do_not() -> None:
    pace = Pace(500)
    pauses = []
    for _ in range(8):
        pace.failed("a", 0.0, is_to_blame=True)
        pauses.append(next(tenths / 10 for tenths in range(100) if pace.may_try("a", tenths / 10)))
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (0.1, 5.0)
    assert pace.may_try("b", 0.0)


def test_after_a_failure_that_cost_seconds_one_event_is_tried() -> None:
    pace = Pace(500)
    pace.failed("a", 0.0, is_to_blame=True, took_long=True)
    assert pace.limit("a") == 1


def test_a_failure_of_every_event_does_not_condemn_one_that_has_failed_by_itself() -> None:
    pace = Pace(1)
    assert [pace.failed("a", 0.0, is_to_blame=True) for _ in range(3)] == [False, False, True]
    assert pace.failed("a", 0.0, is_to_blame=False) is False

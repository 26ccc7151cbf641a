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
    pace.succeeded("a")
    pace.failed("a", 0.0, is_to_blame=True)
    assert pace.may_try("a", 0.1), "a success ends the row"
    assert pace.may_try("b", 0.0)
    too_long(pace)
    assert pace.may_try("a", 0.1), "the try itself was a pause"


def too_long(pace: Pace, *, is_to_blame: bool = True) -> tuple[int, float, bool]:
    """A try that takes too long: with how many events, in what share of the time, and whether it finds the cause."""
    limit, share = pace.limit("a"), pace.share("a")
    return limit, share, pace.failed("a", 0.0, is_to_blame=is_to_blame, took_long=True)


def test_what_takes_too_long_is_found_in_little_time_and_parked_after_all_the_time_there_is() -> None:
    pace = Pace(500)
    for _ in range(6):
        pace.succeeded("a")
    assert not pace.is_suspect("a")
    tries = [too_long(pace) for _ in range(6)]
    assert tries == [(500, 0.2, False), (62, 0.1, False), (7, 0.1, False), (1, 0.1, False), (1, 0.1, False),
                     (1, 1.0, True)]  # fmt: skip
    assert pace.is_suspect("a")
    pace.parked("a")
    assert (pace.is_suspect("a"), pace.share("a"), pace.limit("a") > 100) == (False, 0.2, True)


def test_after_an_event_was_parked_the_next_one_begins_without_its_failures() -> None:
    pace = Pace(1)
    for _ in range(2):
        assert [pace.failed("a", 0.0, is_to_blame=True) for _ in range(3)] == [False, False, True]
        pace.parked("a")
    pace.failed("a", 0.0, is_to_blame=True)
    assert pace.may_try("a", 0.1)


def test_each_part_of_a_batch_that_took_too_long_is_tried_before_as_many_are_folded_again() -> None:
    pace = Pace(16)
    pace.succeeded("a")
    assert too_long(pace)[0] == 16
    limits = []
    for _ in range(10):
        limits.append(pace.limit("a"))
        pace.succeeded("a")
    assert limits[:8] == [2] * 8
    assert limits[8:] == [4, 8]


def test_as_many_events_as_took_too_long_are_not_folded_at_once_again_soon() -> None:
    """Otherwise a slow machine would lose half of its time to batches that come to nothing."""
    pace = Pace(512)
    for _ in range(6):
        pace.succeeded("a")
    assert too_long(pace)[0] == 512
    limits = []
    for _ in range(300):
        limits.append(pace.limit("a"))
        pace.succeeded("a")
    assert max(limits[:20]) < 300
    assert limits[-1] == 512


def test_one_event_is_not_the_cause_before_it_had_all_the_time_there_is() -> None:
    pace = Pace(1)
    assert [too_long(pace)[1:] for _ in range(2)] == [(0.2, False), (0.1, False)]
    assert pace.failed("a", 0.0, is_to_blame=True) is True, "what fails at once needs no time"
    pace = Pace(1)
    pace.failed("a", 0.0, is_to_blame=True)
    pace.failed("a", 0.0, is_to_blame=True)
    assert [too_long(pace)[1:] for _ in range(3)] == [(0.2, False), (0.1, False), (1.0, True)]


def test_on_a_database_that_is_slow_with_every_event_each_has_all_the_time_it_needs() -> None:
    pace = Pace(1)
    for _ in range(3):
        too_long(pace, is_to_blame=False)
    for _ in range(5):
        pace.succeeded("a", took_long=True)
        assert pace.share("a") == 1.0
    pace.succeeded("a")
    assert pace.share("a") < 1


def test_a_failure_of_every_event_does_not_condemn_one_that_has_failed_by_itself() -> None:
    pace = Pace(1)
    assert [pace.failed("a", 0.0, is_to_blame=True) for _ in range(3)] == [False, False, True]
    assert pace.failed("a", 0.0, is_to_blame=False) is False

"""The fold that two projections share: each event is folded once, and little is remembered."""

import pytest

from ingest.log.event import Event
from projections.catalogue import catalogue
from projections.folding import remembering as room
from projections.folding.outcome import Passed
from projections.folding.remembering import remembering


def event(position: int, body: bytes | None = b"x") -> Event:
    return Event("movemint", position, "2026-05-01", "t", "1", body)


def test_an_event_is_folded_once_for_all_who_ask_soon() -> None:
    folded: list[Event] = []

    def number_of(each: Event) -> int:
        folded.append(each)
        return len(folded)

    fold = remembering(number_of)
    events = [event(position) for position in range(room._MOST_EVENTS + 10)]
    assert [fold(each) for each in events] == [*range(1, len(events) + 1)]
    assert [fold(each) for each in events] == [*range(1, len(events) + 1)]
    assert folded == events


def test_an_event_whose_body_was_erased_meanwhile_is_folded_anew() -> None:
    fold = remembering(lambda each: each.body)
    assert [fold(event(1)), fold(event(1, None)), fold(event(1)._replace(source="other"))] == [b"x", None, b"x"]


def test_what_is_remembered_is_bounded_in_events_and_in_bytes() -> None:
    folded: list[int] = []
    fold = remembering(lambda each: folded.append(each.position))
    for position in range(3 * room._MOST_EVENTS):
        fold(event(position))
    fold(event(0))
    assert folded[-1] == 0, "forgotten after two generations"
    large = b"x" * (room._MOST_BYTES // 2)
    for position in range(10, 16):
        fold(event(position, large))
    count = len(folded)
    fold(event(10, large))
    assert len(folded) == count + 1


@pytest.mark.parametrize(("fold_once", "times"), [(True, 1), (False, 0)])
def test_the_projections_of_a_worker_share_a_fold(
    monkeypatch: pytest.MonkeyPatch,
    fold_once: bool,  # noqa: FBT001
    times: int,
) -> None:
    """Those of other programs have a fold each, which reads what the projection needs."""
    folded: list[Event] = []

    def fold(each: Event) -> Passed:
        folded.append(each)
        return Passed(each.position, None)

    monkeypatch.setattr("projections.catalogue.folding", lambda _fields: fold)
    for projection in catalogue(None, fold_once=fold_once):
        projection.fold(event(1))
    assert len(folded) == times

"""What happens often has one line every ten seconds at most, with all that happened since the last one."""

from ingest.logs import request_id
from ingest.occurrences import Occurrences


def test_numbers_are_given_every_ten_seconds_at_most_and_begin_anew() -> None:
    occurrences: Occurrences[str] = Occurrences()
    assert occurrences.take(0.0) is None
    request_id.set("first")
    occurrences.count("a")
    assert occurrences.take(0.0) == ({"a": 1}, "first")
    for kind, request in (("a", "second"), ("b", "third"), ("a", "last")):
        request_id.set(request)
        occurrences.count(kind)
    request_id.set(None)
    assert occurrences.take(9.9) is None
    assert occurrences.take(10.0) == ({"a": 2, "b": 1}, "last")
    assert occurrences.take(30.0) is None

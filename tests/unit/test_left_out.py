"""Which servers are not read, by where looks found them."""

from projections.web.left_out import LeftOut
from projections.web.server_place import ServerPlace

ONE, TWO, PRIMARY = "replica 1", "replica 2", "DATABASE_URL"
SYSTEM, ANOTHER = 7, 8


def at(position: int, *, system: int = SYSTEM, since_replayed: float = 0.0) -> ServerPlace:
    return ServerPlace(True, system, position, since_replayed)


def primary_at(position: int) -> ServerPlace:
    return ServerPlace(False, SYSTEM, position)


def followed(most_behind: float = 10.0) -> LeftOut:
    return LeftOut([ONE, TWO], PRIMARY, most_behind)


def look(left_out: LeftOut, now: float, one: ServerPlace | None, two: ServerPlace | None, primary: ServerPlace | None,
) -> dict[str, str]:  # fmt: skip
    left_out.look({ONE: one, TWO: two, PRIMARY: primary}, now)
    return dict(left_out.why)


def test_a_server_that_does_not_answer_is_left_out_until_it_does() -> None:
    left_out = followed()
    assert look(left_out, 0, at(5), None, None) == {TWO: "it does not answer", PRIMARY: "it does not answer"}
    assert look(left_out, 1, at(5), at(5), primary_at(5)) == {}


def test_a_replica_that_is_far_behind_comes_back_at_half_of_the_bound() -> None:
    left_out = followed()
    assert look(left_out, 0, at(5), at(5), primary_at(5)) == {}
    for second in range(1, 40):
        look(left_out, second, at(5), at(5 + second), primary_at(5 + second))
        if second == 11:
            assert left_out.why == {}, "ten seconds are not more than the bound"
    assert left_out.why == {ONE: "it is 38 s behind"}
    assert [look(left_out, 40, at(place), at(45), primary_at(45)) for place in (38, 39, 38)] == [
        {ONE: "it is 6 s behind"}, {}, {},
    ]  # fmt: skip


def test_with_a_bound_of_zero_nothing_is_too_far_behind() -> None:
    left_out = followed(0.0)
    for second in range(200):
        assert look(left_out, second, at(1), at(second), primary_at(second)) == {}


def test_while_the_primary_is_away_what_was_far_behind_stays_out() -> None:
    """Also while its address leads to a replica, which has not taken over yet."""
    for away in (None, at(5)):
        left_out = followed()
        look(left_out, 0, at(5), at(5), primary_at(5))
        look(left_out, 1, at(5), at(6), primary_at(6))
        assert ONE in look(left_out, 20, at(5), at(6), primary_at(6))
        assert ONE in look(left_out, 21, at(5), at(5), away)
        assert TWO not in left_out.why


def test_positions_of_another_system_are_not_compared() -> None:
    left_out = followed()
    look(left_out, 0, at(5), at(5, system=ANOTHER), primary_at(5))
    look(left_out, 1, at(5), at(5, system=ANOTHER), primary_at(6))
    assert [*look(left_out, 60, at(5), at(5, system=ANOTHER), primary_at(6))] == [ONE]
    assert look(left_out, 61, at(5, system=ANOTHER), ServerPlace(), primary_at(6)) == {}, "nor is what has none"


def test_without_a_primary_the_replica_that_is_furthest_says_how_far_the_others_are() -> None:
    left_out = LeftOut([ONE, TWO], None, 10.0)
    left_out.look({ONE: at(5), TWO: at(5)}, 0)
    left_out.look({ONE: at(5), TWO: at(6)}, 1)
    left_out.look({ONE: at(5), TWO: at(6)}, 20)
    assert left_out.why == {ONE: "it is 19 s behind"}
    left_out.look({ONE: None, TWO: None}, 21)
    assert left_out.why == {ONE: "it does not answer", TWO: "it does not answer"}


def test_a_replica_later_than_what_is_remembered_stays_out() -> None:
    left_out = followed()
    for second in range(0, 1000, 5):
        look(left_out, second, at(1), at(second + 1), primary_at(second + 1))
    assert [*left_out.why] == [ONE]

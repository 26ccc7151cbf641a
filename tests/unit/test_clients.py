"""Which connection goes when there are too many, or when all of them hold too much."""

import asyncio
from dataclasses import dataclass

from ingest.web.bounds import Bounds
from ingest.web.clients import Clients, Stage
from ingest.web.request_head import Fault


@dataclass(eq=False)
class Guest:
    """A connection that does nothing by itself."""

    stage: Stage = Stage.IDLE
    since: float = 0.0
    held: int = 0
    heard_at: float = 0.0
    is_gone: bool = False

    def check(self, now: float) -> None: ...

    def refuse(self, fault: Fault) -> None:
        assert fault.status == 503
        self.is_gone = True

    def is_answered(self) -> bool:
        return self.stage is Stage.COMPLETE

    def drop(self) -> None:
        self.is_gone = True


def test_one_that_was_idle_when_it_was_looked_at_and_is_answered_now_stays() -> None:
    """Its request may have come so soon that the clock of all connections has not moved meanwhile."""
    clients = Clients(Bounds(connections=3))
    guests = [Guest() for _ in range(3)]
    assert all(clients.admit(guest) for guest in guests)
    assert clients.admit(Guest())
    assert [guest.is_gone for guest in guests] == [True, False, False]
    guests[1].stage = Stage.COMPLETE
    assert clients.admit(Guest())
    assert [guest.is_gone for guest in guests] == [True, False, True]


def test_one_that_has_gone_by_itself_makes_no_room_twice() -> None:
    clients = Clients(Bounds(connections=3))
    guests = [Guest() for _ in range(3)]
    assert all(clients.admit(guest) for guest in guests)
    assert clients.admit(Guest())
    clients.forget(guests[1])
    assert clients.admit(Guest())
    assert clients.admit(Guest())
    assert [guest.is_gone for guest in guests] == [True, False, True]


def test_what_has_been_arriving_for_long_goes_before_what_is_larger_and_quicker() -> None:
    async def run() -> list[bool]:
        clients = Clients(Bounds(arriving_bytes=1_000, body_bytes=100, head_bytes=10))
        clients.now = 5.0
        guests = [Guest(Stage.BODY, since=4.9), Guest(Stage.BODY, since=1.0)]
        assert all(clients.admit(guest) for guest in guests)
        clients.hold(guests[0], 800)
        clients.hold(guests[1], 300)
        return [guest.is_gone for guest in guests]

    assert asyncio.run(run()) == [False, True]


def refused(bounds: Bounds, *guests: tuple[int, float]) -> list[bool]:
    """Who is refused of guests that have just begun. `guests`: the bytes that each holds, its seconds of silence."""

    async def run() -> list[bool]:
        clients = Clients(bounds)
        now = asyncio.get_running_loop().time()
        arriving = [Guest(Stage.BODY, heard_at=now - silence) for _, silence in guests]
        assert all(clients.admit(guest) for guest in arriving)
        for guest, (size, _) in zip(arriving, guests, strict=True):
            clients.hold(guest, size)
        return [guest.is_gone for guest in arriving]

    return asyncio.run(run())


def test_of_the_quick_the_one_goes_first_that_holds_much_and_has_been_silent_for_long() -> None:
    """Not the largest, which an honest sender of a large body may be, nor the longest silent, which is of no use."""
    bounds = Bounds(arriving_bytes=1_000, body_bytes=100, head_bytes=10)
    assert refused(bounds, (10, 1_000.0), (300, 300.0), (800, 0.0)) == [False, True, False]


def test_when_some_have_to_go_a_sixteenth_of_the_bound_is_freed_so_that_it_happens_rarely() -> None:
    bounds = Bounds(arriving_bytes=1_000, body_bytes=100, head_bytes=10)
    assert sum(refused(bounds, *((20, 1.0) for _ in range(51)))) == 5

"""The lanes of a server's sources: their bounds, and that none stays when its deliveries are gone."""

import asyncio

from ingest.lanes import MOST_IN_BATCH, Lane, Lanes, Limits, NotKept, Pending
from ingest.log.event import Delivery, Receipt


def pending(content: bytes, since: float = 0.0) -> Pending:
    return Pending(Delivery("spring", content, "0" * 64), asyncio.get_running_loop().create_future(), since)


def test_a_batch_takes_one_delivery_and_more_within_both_bounds() -> None:
    async def scenario() -> None:
        lane = Lane("spring")
        for size in (10, 4, 4, 4, 4):
            lane.waiting.append(pending(b"x" * size))
        sizes = []
        for most, most_bytes in ((5, 1), (5, 8), (1, 100)):
            sizes.append(lane.depart(most, most_bytes))
            lane.in_flight = []
        assert sizes == [10, 8, 4]
        assert len(lane.waiting) == 1

    asyncio.run(scenario())


def test_what_is_refused_or_committed_takes_no_room_and_leaves_no_lane() -> None:
    async def scenario() -> None:
        lanes = Lanes(Limits(pending=3, pending_bytes=10, answer_seconds=20))
        assert list(lanes) == []
        first, second, third = pending(b"1234"), pending(b"56"), pending(b"78")
        for each in (first, second, third):
            assert not lanes.is_full(each.delivery)
            lane = lanes.add(each)
        assert lanes.is_full(pending(b"").delivery)
        lane.depart(most=1)
        assert lanes.refuse_waiting(lanes) == 3
        assert isinstance(second.receipt.exception(), NotKept)
        assert isinstance(third.receipt.exception(), NotKept)
        assert not lanes.is_full(pending(b"123456").delivery)
        assert lanes.is_full(pending(b"1234567").delivery)
        first.receipt.set_result(Receipt(1, stored=True))
        lanes.arrive(lane)
        assert list(lanes) == []
        assert not lanes.is_full(pending(b"1234567890").delivery)
        lanes.add(pending(b"1"))
        assert lanes.refuse_waiting(lanes) == 1
        assert list(lanes) == []

    asyncio.run(scenario())


def test_what_a_commit_left_without_a_receipt_is_refused_and_what_waits_stays() -> None:
    async def scenario() -> None:
        lanes = Lanes(Limits(100, 10**6, 20))
        first, second = pending(b"1"), pending(b"2")
        lanes.add(first)
        lane = lanes.add(second)
        lane.depart(most=1)
        lanes.arrive(lane)
        assert isinstance(first.receipt.exception(), NotKept)
        assert not second.receipt.done()
        assert list(lanes) == [lane]

    asyncio.run(scenario())


def test_what_shares_a_transaction_is_within_the_bounds_of_a_batch_together() -> None:
    async def scenario() -> None:
        lanes = Lanes(Limits(10_000, 10**9, 20))
        for number in range(3 * MOST_IN_BATCH):
            source = f"s{number % 6}"
            each = Pending(Delivery(source, b"1", "0" * 64), asyncio.get_running_loop().create_future(), 0.0)
            lanes.queue(lanes.add(each))
        sizes = []
        while lanes.are_ready:
            departed = lanes.depart(most=64)
            sizes.append([len(lane.in_flight) for lane in departed])
            for lane in departed:
                lanes.arrive(lane)
                if lane.waiting:
                    lanes.queue(lane)
        assert sizes == [[128, 128]] * 3
        assert list(lanes) == []

    asyncio.run(scenario())


def test_promise_16_a_delivery_is_taken_though_those_before_it_were_refused_while_their_source_was_ready() -> None:
    async def scenario() -> None:
        lanes = Lanes(Limits(100, 10**6, 20))
        lanes.queue(lanes.add(pending(b"1")))
        lanes.refuse_waiting(lanes)
        second = pending(b"2")
        lanes.queue(lanes.add(second))
        assert [lane.in_flight for lane in lanes.depart(most=64)] == [[second]]
        assert not lanes.are_ready
        assert len(list(lanes)) == 1

    asyncio.run(scenario())

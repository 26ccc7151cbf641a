"""The simulator's plan: the same for the same seed, and with exactly the mishaps wished for."""

import json
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ingest.simulator.plan import Amount, Wishes, plan


@given(
    count=st.integers(0, 30),
    participants=st.integers(1, 40),
    duplicates=st.integers(0, 10),
    corrupt=st.integers(0, 5),
    reorder=st.integers(0, 10),
    seed=st.integers(0, 3),
)
def test_a_plan_holds_what_was_wished_for(
    count: int, participants: int, duplicates: int, corrupt: int, reorder: int, seed: int
) -> None:
    wishes = Wishes(count, participants, Amount(duplicates), Amount(reorder), Amount(corrupt), seed)
    planned = plan(wishes)
    assert planned == plan(wishes)
    good = [delivery.body for delivery in planned if not delivery.damaged]
    assert len(set(good)) == count
    assert len(good) - count == min(duplicates, count)
    assert sum(delivery.damaged for delivery in planned) == min(corrupt, count)
    people = Counter(json.loads(content)["data"]["object"]["id"] for content in set(good))
    assert len(people) == min(count, participants)


def test_reordering_changes_the_order_and_nothing_else() -> None:
    straight, mixed = plan(Wishes(50)), plan(Wishes(50, reorder=Amount(0.5, is_share=True)))
    assert straight != mixed
    assert sorted(delivery.body for delivery in straight) == sorted(delivery.body for delivery in mixed)


def test_an_amount_is_a_number_or_a_share_and_never_more_than_all() -> None:
    assert [Amount(7).of(10), Amount(20).of(10), Amount(0.25, is_share=True).of(100)] == [7, 10, 25]

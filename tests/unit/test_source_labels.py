"""Which sources counters name: the first fifty, for as long as the process runs."""

import asyncio
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ingest.log.event import Delivery, Receipt
from ingest.metrics import MOST_NAMED_SOURCES, OTHER_SOURCES
from ingest.refusals import Numbers, Reason, Refusals
from ingest.source_labels import SourceLabels
from ingest.webhook import Webhook

NAMES = [f"s{number:03}" for number in range(3 * MOST_NAMED_SOURCES)]


def test_up_to_fifty_sources_have_their_names_and_unknown_ones_the_empty_label() -> None:
    labels = SourceLabels()
    assert labels.of("") == ""
    assert [labels.of(name) for name in NAMES[:MOST_NAMED_SOURCES]] == NAMES[:MOST_NAMED_SOURCES]
    assert labels.of(NAMES[MOST_NAMED_SOURCES]) == OTHER_SOURCES
    assert [labels.of(name) for name in ("", NAMES[0], OTHER_SOURCES)] == ["", NAMES[0], OTHER_SOURCES]


@given(st.lists(st.lists(st.sampled_from(NAMES), max_size=80), max_size=8))
def test_no_counter_goes_back_and_none_is_counted_twice(rounds: list[list[str]]) -> None:
    """Whoever is counted, and in whatever order."""
    labels, before = SourceLabels(), Counter[tuple[str, str]]()
    counted: Counter[tuple[str, str]] = Counter()
    for names in rounds:
        counted.update((name, "stored") for name in names)
        sums = labels.sums(counted.items())
        assert all(sums[label] >= number for label, number in before.items())
        assert sums.total() == counted.total()
        assert len(sums) <= MOST_NAMED_SOURCES + 1
        before = sums


async def _write_nothing(_numbers: Numbers) -> None: ...


def _never(_delivery: Delivery) -> asyncio.Future[Receipt]:
    raise AssertionError


def test_a_server_of_many_sources_says_a_bounded_number_of_outcomes() -> None:
    labels = SourceLabels()
    refusals = Refusals(_write_nothing, labels)
    webhook = Webhook(dict.fromkeys(NAMES, (b"x",)), _never, refusals, 1_000, labels)
    for name in NAMES:
        refusals.count(name, Reason.SIGNATURE_WRONG)
    webhook.take_sources(dict.fromkeys(reversed(NAMES), (b"x",)))
    refusals.count(NAMES[-1], Reason.SIGNATURE_WRONG)
    wrong = {
        each.labels[0]: each.value for each in webhook.readings() if each.labels[1:] == (Reason.SIGNATURE_WRONG.value,)
    }
    assert wrong == {**dict.fromkeys(NAMES[:MOST_NAMED_SOURCES], 1), OTHER_SOURCES: 2 * MOST_NAMED_SOURCES + 1}
    zeros = [each for each in webhook.readings() if each.labels[1:] == ("stored",)]
    assert {each.labels[0] for each in zeros} == {*NAMES[:MOST_NAMED_SOURCES], OTHER_SOURCES}

"""Writing down what a file lists, for tests."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from projections.participants.fields import DECLARED, Fields
from projections.truth.absence import DirectAnswer
from projections.truth.allowance import Allowance
from projections.truth.apply import AppliedLook, apply_listing
from projections.truth.comparison import FileLook
from projections.truth.roster_lines import ComparedScope


def apply(
    worker: Engine,
    operator: Engine,
    scope_in: Callable[[Connection], ComparedScope],
    look: FileLook,
    *allowed: str,
    meanwhile: Callable[[], object] = lambda: None,
    fields: Fields = DECLARED,
    unlisted: int = 0,
    answer: DirectAnswer | None = None,
    advance: Callable[[int], None] = lambda _number: None,
) -> AppliedLook:
    """Compare and write down. `meanwhile`: what happens between the two. `advance`: what happens after each batch."""

    @contextmanager
    def following(_people: int) -> Iterator[Callable[[int], None]]:
        meanwhile()
        yield advance

    with worker.connect().execution_options(isolation_level="REPEATABLE READ") as reading:
        return apply_listing(
            reading, operator, scope_in(reading), look, fields, Allowance(frozenset(allowed), unlisted),
            lambda _difference: None, following, answer,
        )  # fmt: skip

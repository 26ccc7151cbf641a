"""Statuses and sub-events are sorted by the keys of their texts, as names are, though these keys are kept nowhere."""

import random

import pytest
from sqlalchemy import Engine

from projections.participants.keys import text_key
from tests import model
from tests.api_client import make_token, running
from tests.fold_all import drain

LETTERS = "abAB  `'-\t\n\x01\x1f\x7fé\u00a0"
RANDOM = random.Random(3)
TEXTS = sorted(
    {"a  z", "a b", " b", "b ", "A", "x" * 99 + "ab", "x" * 99 + "aa", "X" * 100, "`", "\t"}
    | {"".join(RANDOM.choices(LETTERS, k=RANDOM.randint(1, 6))) for _ in range(150)}
)


@pytest.mark.parametrize(("sort", "sent"), [("status", "status"), ("sub_event_name", "sub_event_name")])
def test_each_comes_in_the_order_of_its_key(
    database: str, engine: Engine, worker_engine: Engine, sort: str, sent: str
) -> None:
    model.append(database, [model.body(f"{number:04}", **{sent: text}) for number, text in enumerate(TEXTS)])
    drain(worker_engine)
    with running(database) as api:
        rows = api.listed("/v1/participants", make_token(engine), sort=sort, limit=50, columns=f"participant_id,{sort}")
    there = [row for row in rows if row[sort] is not None]
    assert len(there) > 100
    assert there == sorted(there, key=lambda row: (text_key(row[sort]), row["participant_id"]))

"""A database in which each example has a source of its own, people with answers to questions, and an API over it."""

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from ingest.database import WORKER_ROLE, sync_engine
from tests import model
from tests.api_client import Api, make_token, running
from tests.fold_all import drain

LONG = "I have read all of this, " * 20  # longer than a name of PostgreSQL's, and than a key of a question


def answered(*rows: tuple[int | None, str, object]) -> list[dict[str, object]]:
    return [{"question_id": id_, "question": words, "answer": answer} for id_, words, answer in rows]


# Question 1 got other words; 2 has the words that 1 had; one without an id has them too.
PEOPLE = [
    model.body(1, event_id=1, answers=answered((1, "Shirt size", "M"), (2, "Shirt size", "M"), (5, "Meals", []))),
    model.body(2, event_id=1, answers=answered((1, "Shirt size", "L"), (5, "Meals", ["Pasta", "Pizza, thin"]))),
    model.body(3, event_id=2, bib="=3", answers=answered((1, "T-shirt size", "M"), (5, "Meals", ["Pasta"]))),
    model.body(4, event_id=2, answers=answered((None, "Shirt size", "S"), (None, LONG + "1", "yes"))),
    model.body(5, answers=answered((None, LONG + "2", "no"), (None, "=bib", "+1"), (None, "TEAM", "x"))),
    model.body(6, event_id=1),
]


@dataclass(frozen=True)
class World:
    """An API over a database in which each example has a source of its own."""

    conninfo: str
    api: Api
    worker: Engine
    owner: Engine

    def told(self, bodies: list[bytes], source: str) -> str:
        """Fold these deliveries; gives a token."""
        self.tell(bodies, source)
        return make_token(self.owner, source, source)

    def tell(self, bodies: list[bytes], source: str) -> None:
        model.append(self.conninfo, bodies, source)
        drain(self.worker, source)

    def found(self, token: str, **asked: Any) -> list[str]:  # noqa: ANN401 - parameters
        return [row["participant_id"] for row in self.api.listed("/v1/participants", token, **asked)]

    def exported(self, token: str, **asked: Any) -> list[dict[str, str]]:  # noqa: ANN401
        answer = self.api.ask("/v1/participants.csv", token, **asked)
        assert answer.status_code == 200, answer.text
        return list(csv.DictReader(io.StringIO(answer.text, newline="")))

    def lines(self, token: str, **asked: Any) -> list[dict[str, Any]]:  # noqa: ANN401
        answer = self.api.ask("/v1/participants.ndjson", token, **asked)
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.splitlines()]


@contextmanager
def world_over(conninfo: str) -> Iterator[World]:
    """The world, for a block."""
    worker, owner = sync_engine(conninfo, WORKER_ROLE), sync_engine(conninfo)
    with running(conninfo) as api:
        yield World(conninfo, api, worker, owner)
    for engine in (worker, owner):
        engine.dispose()

"""Pages of a list that changes meanwhile."""

import random

import pytest
from sqlalchemy import Engine

from tests import model
from tests.api_client import make_token, running
from tests.finding_model import BIBS, LAST, TIMES
from tests.fold_all import drain


@pytest.mark.parametrize("sort", ["participant_id", "-last_name", "bib,-position", "registered_at"])
def test_whoever_was_there_throughout_comes_once_while_others_arrive(
    database: str, engine: Engine, worker_engine: Engine, sort: str
) -> None:
    """Between any two pages people arrive before and after where the page ended, and some of those change."""
    random_ = random.Random(7)

    def somebody(id_: str) -> bytes:
        return model.body(
            id_, last_name=random_.choice(LAST), bib=random_.choice(BIBS), created_at=random_.choice(TIMES)
        )

    stays = [f"stays-{number:02}" for number in range(40)]
    model.append(database, [somebody(id_) for id_ in stays])
    drain(worker_engine)
    with running(database) as api:
        token = make_token(engine)
        seen: list[str] = []
        cursor: dict[str, str] = {}
        for page in range(1000):
            answer = api.ask("/v1/participants", token, limit=3, sort=sort, **cursor).json()
            seen += [row["participant_id"] for row in answer["data"]]
            if answer["next"] is None:
                break
            cursor = {"cursor": answer["next"]}
            if page < 12:
                model.append(database, [somebody(f"{random_.choice('az')}-{page}"), somebody("restless")])
                drain(worker_engine)
    assert sorted(id_ for id_ in seen if id_ in stays) == stays

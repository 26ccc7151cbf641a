"""What needs a person where it cannot be waited for in a test: the sentences, over a health that was read and aged."""

from dataclasses import replace

from sqlalchemy import Engine

from projections.folding.health import read_health
from projections.folding.needs import needs
from tests import model
from tests.fold_all import PROJECTIONS


def test_what_keeps_a_database_from_its_work_is_said_with_the_next_step(database: str, engine: Engine) -> None:
    model.append(database, [model.body(1)])
    with engine.connect() as connection:
        health = read_health(connection, PROJECTIONS, ["movemint"])
    assert needs(health) == []
    assert health.open_seconds == 0
    [said] = needs(replace(health, open_seconds=7_300.0))
    assert said.startswith("a transaction has been open for 2 h")
    assert said.endswith("rosterlog doctor names it; end its program")
    [said] = needs(replace(health, answer_seconds=0.7))
    assert said.startswith("the database answers slowly, a statement that does nothing takes 0.7 s: look at its disk")
    [said] = needs(replace(health, problems={"movemint": 2, "other": 0}))
    assert said.startswith("movemint: verify found 2 problems in the log: rosterlog verify names them")


def test_the_oldest_open_transaction_is_read(engine: Engine) -> None:
    with engine.connect() as opened, engine.connect() as connection:
        opened.exec_driver_sql("select 1")
        assert 0 < read_health(connection, PROJECTIONS, ()).open_seconds < 3_600

"""The check that the roster is complete: by ids, in one snapshot, and only where that is quick."""

from sqlalchemy import Engine, text

from ingest.log.read import heads
from projections.doctor.complete import check_complete
from tests import model
from tests.findings import only, worst
from tests.fold_all import drain

PEOPLE = [model.body(number) for number in range(1, 31)]


def test_a_roster_that_lacks_somebody_is_told_with_the_first_ids(engine: Engine, database: str) -> None:
    model.append(database, PEOPLE)
    model.append(database, [model.body(5), model.body(6)], "other")
    assert said(engine) == ("ok", "nothing is folded yet (rosterlog reconcile --inner compares log and roster): ")
    drain(engine)
    drain(engine, "other")
    whole = "each of the 32 participants that the log names is on the roster, or it is known why not: "
    assert said(engine) == ("ok", whole)
    with engine.begin() as connection:
        connection.execute(text("delete from participants_build where source = 'other' and participant_id = '6'"))
        connection.execute(text("delete from participants_build where source = 'movemint' and position > 3"))
    with engine.connect() as connection:
        logged = heads(connection)
        connection.rollback()
        found = [*check_complete(connection, "participants", logged)]
    assert worst(found) == [("complete", "fail"), ("complete", "fail")]
    assert [finding.says for finding in found] == [
        "movemint: 27 lost, such as 10, 11, 12, 13, 14", "other: 1 lost, such as 6",
    ]  # fmt: skip
    assert "not looked at in 32 events" in said(engine, most=31)[1]


def said(engine: Engine, most: int = 32) -> tuple[str, str]:
    with engine.connect() as connection:
        logged = heads(connection)
        connection.rollback()
        return only(check_complete(connection, "participants", logged, most), "complete")

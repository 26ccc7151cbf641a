"""Another definition of the roster, and people on whom the two differ; ways to begin a build."""

from dataclasses import replace

from sqlalchemy import Engine

from ingest.log.read import heads
from projections.folding import builds
from projections.folding.projection import Build
from projections.participants.fields import DECLARED, Fields
from projections.participants.projection import projection as participants_by
from projections.rebuild import steps
from tests import model
from tests.fold_all import PARTICIPANTS, query

# The same projection with another definition: the bib is taken from another key.
OTHER_FIELDS = Fields(
    tuple(replace(column, keys=("race_number",)) if column.column == "bib" else column for column in DECLARED.columns),
    DECLARED.answers,
    forms=DECLARED.forms,
)
OTHER = participants_by(OTHER_FIELDS)
PEOPLE = [model.body(number, bib="old", race_number="new", event_id=1) for number in range(300)]


def bibs(database: str) -> list[tuple[str, int]]:
    return [(row[0], row[1]) for row in query(database, "select bib, count(*) from participants group by bib")]


def begin(engine: Engine) -> tuple[Build, dict[str, int]]:
    """A new build of the participants, and how far the log is."""
    with engine.connect() as connection:
        return steps.begin_build(engine, PARTICIPANTS), heads(connection)


def live_before(engine: Engine) -> Build:
    with engine.connect() as connection:
        build = builds.previous(connection, "participants")
    assert build is not None
    return build

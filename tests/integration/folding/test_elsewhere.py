"""A source whose deliveries are taken at another database: that none are stored of it here needs nobody."""

from collections.abc import Iterable
from dataclasses import replace

import psycopg
import pytest
from sqlalchemy import Engine

from ingest import metrics
from ingest.log.figures import log_readings
from ingest.log.named_sources import troubles_of_log
from ingest.log.observation import Drift
from ingest.log.refused import NOTHING_REFUSED
from ingest.metrics import Metric, Reading
from projections.doctor.watched import check_watched
from projections.folding.figures import projection_readings, troubles_of_projections
from projections.folding.health import Health, read_health
from projections.folding.needs import needs
from projections.web.pages.remarks import remarks
from tests import model
from tests.fold_all import PROJECTIONS, drain
from tests.observing import compared

WELL, HERE, LEFT, COMES = "well", "here", "left", "comes"
EVENTS = """
insert into event_log (source, position, received_at, event_type, digest, body, signature, chain)
select s.name, 1, now() - interval '2 days', 'another.type', sha256(s.name::bytea), 'x', '', sha256(s.name::bytea)
from unnest(array['here', 'left', 'comes']) as s (name);
insert into source (source, head) select e.source, 1 from event_log e where e.source <> 'well';
"""
REFUSED = "select count_refused(s.source, 'signature_wrong', now(), 9, now()) from source s where s.source <> 'well'"
ELSEWHERE = """
update reconciliation set recorded_at = now() - interval '9 days';
update source set state = 'moved', other_place = 'the other place' where source = 'left';
update source set state = 'arriving', other_place = 'the other place' where source = 'comes';
"""


@pytest.fixture
def troubled(database: str, operator: Engine, worker_engine: Engine) -> None:
    """A database of three sources with the same troubles, two of which are elsewhere, and one without any."""
    model.append(database, [model.body(1)], WELL)
    drain(worker_engine, WELL)
    with psycopg.connect(database) as connection:
        connection.execute(EVENTS)
        connection.execute(REFUSED)
    for source in (HERE, LEFT, COMES):
        compared(operator, None, Drift(missing=3), 1, source=source)
    with psycopg.connect(database) as connection:
        connection.execute(REFUSED)
        connection.execute(ELSEWHERE)


def about(sentences: Iterable[str], what: str) -> set[str]:
    """The sources of the sentences that say this."""
    return {name for name in (HERE, LEFT, COMES) for said in sentences if what in said and said.startswith(name)}


def labelled(readings: Iterable[Reading], metric: Metric) -> set[str]:
    return {each.labels[0] for each in readings if each.metric is metric and each.value} - {WELL}


def health_of(engine: Engine) -> Health:
    with engine.connect() as connection:
        return read_health(connection, PROJECTIONS, ())


@pytest.mark.usefixtures("troubled")
def test_nobody_is_asked_why_nothing_comes_of_a_source_that_is_elsewhere(engine: Engine) -> None:
    health = health_of(engine)
    assert about(remarks(health, (), {}), "the last delivery came") == {HERE}
    said = needs(health)
    for what in ("refused, signature wrong", "as the source listed them"):
        assert about(said, what) == {HERE}, what
    assert about(said, "waits to be folded") == {HERE, LEFT}, "what is copied to here is old, and not late"
    sources = [replace(source, refused=NOTHING_REFUSED) for source in health.sources]
    found = [finding.says for finding in check_watched(replace(health, sources=sources, reconciled={}))]
    for what in ("was stored", "was never compared"):
        assert about(found, what) == {HERE}, what
    assert about(found, "moved to the other place: deliveries are answered 503 here") == {LEFT}
    assert about(found, "being copied to here from the other place") == {COMES}


@pytest.mark.usefixtures("troubled")
def test_no_alert_is_about_what_is_missing_of_a_source_that_is_elsewhere(engine: Engine) -> None:
    with engine.connect() as connection:
        found = [*log_readings(connection), *projection_readings(connection, PROJECTIONS)]
        worst = (
            [source for _, source in troubles_of_log(connection, 9)],
            [source for _, source in troubles_of_projections(connection, 9)],
        )
    for metric in (metrics.LAST_RECEIVED, metrics.REFUSED_IN_A_ROW, metrics.RECONCILED, metrics.DRIFT):
        assert labelled(found, metric) == {HERE}, metric.name
    assert labelled(found, metrics.HEAD) == {HERE, LEFT, COMES}
    assert labelled(found, metrics.OLDEST_UNFOLDED) == {HERE, LEFT}
    # Not verified is every log; refusing, drifting and not compared is one.
    assert sorted(worst[0]) == sorted([WELL, HERE, LEFT, COMES] + [HERE] * 3)
    assert sorted(worst[1]) == [HERE, LEFT]

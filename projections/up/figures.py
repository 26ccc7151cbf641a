"""What the metrics of a program read from the database: the log, the projections, the disk."""

from collections.abc import Iterator, Sequence
from functools import partial

from sqlalchemy import Connection

from ingest.cli.servers import disk_reads
from ingest.database import API_ROLE
from ingest.log.figures import log_readings
from ingest.log.named_sources import named_sources, troubles_of_log
from ingest.metrics import Reading
from ingest.settings import Settings
from ingest.web.figures import DatabaseFigures, Read
from projections.folding.figures import projection_readings, troubles_of_projections
from projections.folding.projection import Projection


def figures_of(
    settings: Settings, conninfo: str, projections: Sequence[Projection], role: str = API_ROLE
) -> DatabaseFigures:
    """The figures of a database that has projections."""
    reads: list[Read] = [partial(_readings, projections=projections), *disk_reads(settings)]
    return DatabaseFigures(conninfo, reads, role)


def _readings(connection: Connection, projections: Sequence[Projection]) -> Iterator[Reading]:
    named = named_sources(connection, [troubles_of_log, troubles_of_projections])
    yield from log_readings(connection, named)
    yield from projection_readings(connection, projections, named)

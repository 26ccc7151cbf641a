"""What the metrics of a program read from the database: the log, the projections, the disk."""

from collections.abc import Sequence
from functools import partial

from ingest.cli.servers import database_reads
from ingest.database import API_ROLE
from ingest.settings import Settings
from ingest.web.figures import DatabaseFigures, Read
from projections.folding.figures import projection_readings
from projections.folding.projection import Projection


def figures_of(
    settings: Settings, conninfo: str, projections: Sequence[Projection], role: str = API_ROLE
) -> DatabaseFigures:
    """The figures of a database that has projections."""
    reads: list[Read] = [*database_reads(settings), partial(projection_readings, projections=projections)]
    return DatabaseFigures(conninfo, reads, role)

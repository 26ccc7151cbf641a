"""Lists the projections. A new one takes a folder, a migration that makes its tables, and a line here."""

from pathlib import Path

from ingest.time_zone import UTC_ZONE, time_zone
from projections.folding.projection import Projection
from projections.folding.remembering import remembering
from projections.participants import projection as participants
from projections.participants.fields import read_fields
from projections.participants.fold import folding
from projections.registrations import projection as registrations


def catalogue(
    fields_file: Path | None, zone_name: str = UTC_ZONE.name, *, fold_once: bool = False
) -> tuple[Projection, ...]:
    """Every projection, in the order in which a worker folds them. Raises `FieldsError` if the file cannot be used.

    `zone_name`: of the zone in which days are, but where the file names another one for a race. `fold_once`: for a
    program that folds the same events into all projections, one soon after the other.
    """
    fields = read_fields(fields_file, time_zone(zone_name))
    fold = remembering(folding(fields)) if fold_once else None
    return (participants.projection(fields, fold), registrations.projection(fields, fold))

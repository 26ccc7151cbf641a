"""Lists the projections. A new one takes a folder, a migration that makes its tables, and a line here."""

from pathlib import Path

from ingest.time_zone import UTC_ZONE, time_zone
from projections.folding.projection import Projection
from projections.participants import projection as participants
from projections.participants.fields import read_fields
from projections.registrations import projection as registrations


def catalogue(fields_file: Path | None, zone_name: str = UTC_ZONE.name) -> tuple[Projection, ...]:
    """Every projection, in the order in which a worker folds them. Raises `FieldsError` if the file cannot be used.

    `zone_name`: of the zone in which days are, but where the file names another one for a race.
    """
    fields = read_fields(fields_file, time_zone(zone_name))
    return (participants.projection(fields), registrations.projection(fields))

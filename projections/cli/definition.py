"""The projections as a command's settings define them: with the fields of `ROSTERLOG_FIELDS`."""

from ingest.settings import Settings
from projections.catalogue import projections
from projections.folding.projection import Projection


def projections_of(settings: Settings) -> tuple[Projection, ...]:
    """Every projection. Raises `FieldsError` for a file of fields that cannot be used."""
    return projections(settings.fields_file)

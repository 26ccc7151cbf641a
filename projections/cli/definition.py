"""The projections as the settings define them: with the fields of `ROSTERLOG_FIELDS`."""

from ingest.settings import Settings
from projections.catalogue import projections
from projections.folding.projection import Projection


def projections_of(settings: Settings) -> tuple[Projection, ...]:
    """Every projection. Raises `FieldsError` if the file of fields cannot be used."""
    return projections(settings.fields_file)

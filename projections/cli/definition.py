"""The projections as a command's settings define them: with the fields of `ROSTERLOG_FIELDS`."""

from ingest.settings import Settings, SettingsError
from projections.catalogue import projections
from projections.folding.projection import Projection
from projections.participants.fields import FieldsError


def projections_of(settings: Settings) -> tuple[Projection, ...]:
    """Every projection. Raises `SettingsError` for a file of fields that cannot be used."""
    try:
        return projections(settings.fields_file)
    except FieldsError as error:
        raise SettingsError(str(error)) from None

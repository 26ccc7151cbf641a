"""Lists the projections. A new one takes a folder, a migration that makes its tables, and a line here."""

from pathlib import Path

from projections.folding.projection import Projection
from projections.participants import projection as participants
from projections.participants.fields import read_fields
from projections.registrations import projection as registrations


def catalogue(fields_file: Path | None) -> tuple[Projection, ...]:
    """Every projection, in the order in which a worker folds them. Raises `FieldsError` if the file cannot be used."""
    fields = read_fields(fields_file)
    return (participants.projection(fields), registrations.projection(fields))

"""The projections there are. To add one: a folder, a migration with its tables, and its line here."""

from pathlib import Path

from projections.folding.projection import Projection
from projections.participants import projection as participants
from projections.participants.fields import read_fields
from projections.registrations import projection as registrations


def projections(fields_file: Path | None) -> tuple[Projection, ...]:
    """Every projection, in the order in which a worker advances them. Raises `FieldsError` for a wrong file."""
    fields = read_fields(fields_file)
    return (participants.projection(fields), registrations.projection(fields))

"""The daily counts: how many registrations each day brought, by event and sub-event."""

from ingest import delivery
from projections.folding import definition, outcome
from projections.folding.projection import Projection
from projections.participants import convert, fields
from projections.participants import fold as participant
from projections.registrations import fold, rows


def projection(declared: fields.Fields) -> Projection:
    """The registrations as folded by these fields."""
    return Projection(
        name="registrations",
        version=definition.version_of((delivery, fields, convert, participant, fold, rows, outcome), declared),
        columns=rows.COLUMNS,
        fold=fold.folding(declared),
        save=rows.save,
        load=rows.load,
        compared={rows.REGISTRATIONS: ("participant_id",)},
        finish=rows.count_all,
    )

"""The roster: one row a participant, the answers to questions, and every superseded state."""

from ingest import delivery
from projections.folding import definition, outcome
from projections.folding.projection import Projection
from projections.participants import answers, convert, fields, fold, rows


def projection(declared: fields.Fields) -> Projection:
    """The participants as folded by these fields."""
    return Projection(
        name="participants",
        version=definition.version_of((delivery, fields, convert, answers, fold, rows, outcome), declared),
        columns=rows.COLUMNS,
        fold=fold.folding(declared),
        save=rows.save,
        load=rows.load,
        compared={rows.ROSTER: ("participant_id",), rows.ANSWERS: ("participant_id", "place")},
    )

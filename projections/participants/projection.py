"""The projection `participants`: one row per participant, the answers to questions, and every superseded state."""

from ingest import delivery, exact_json
from ingest.log import own_types
from projections.folding import calendar, definition, outcome
from projections.folding.projection import Projection
from projections.participants import (
    answer_row,
    answer_value,
    answers,
    bounds,
    convert,
    fields,
    fold,
    keys,
    newest,
    rows,
    state,
    storable,
)
from projections.participants.taken import outermost_keys

# The modules that decide what a build holds: a change of their code is another definition.
FOLDING = (
    exact_json,
    delivery,
    own_types,
    calendar,
    fields,
    convert,
    answer_row,
    answer_value,
    answers,
    bounds,
    state,
    storable,
    fold,
    newest,
    keys,
    rows,
    outcome,
)


def projection(declared: fields.Fields, shared: fold.Fold | None = None) -> Projection:
    """The projection for these fields. `shared`: the fold for them, if another projection has the same."""
    return Projection(
        name="participants",
        definition=definition.digest_of(FOLDING, (declared, keys.letters_text())),
        columns=rows.WRITTEN_COLUMNS,
        fold=shared or fold.folding(declared),
        save=rows.save,
        load=rows.load,
        calendar=declared.calendar,
        reads=outermost_keys(declared),
        is_followed=True,
        compared={rows.ROSTER_TABLE: ("participant_id",), rows.ANSWERS_TABLE: ("participant_id", "place")},
    )

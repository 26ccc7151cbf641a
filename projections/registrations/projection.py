"""The projection `registrations`: registrations per race, sub-event and day."""

from ingest import delivery, exact_json
from ingest.log import own_types
from projections.folding import calendar, definition, outcome
from projections.folding.projection import Projection
from projections.participants import answer_row, answer_value, answers, bounds, convert, fields, newest, state, storable
from projections.participants import fold as participant
from projections.registrations import fold, rows

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
    participant,
    newest,
    fold,
    rows,
    outcome,
)


def projection(declared: fields.Fields, shared: participant.Fold | None = None) -> Projection:
    """The projection for these fields. `shared`: the roster's fold for them, if another projection has the same."""
    return Projection(
        name="registrations",
        definition=definition.digest_of(FOLDING, declared),
        columns=rows.WRITTEN_COLUMNS,
        fold=fold.folding(declared, shared),
        save=rows.save,
        load=rows.load,
        calendar=declared.calendar,
        compared={rows.REGISTRATIONS: ("participant_id",)},
        finish=rows.count_all,
    )

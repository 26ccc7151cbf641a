"""The functions and views as they are today, one per file in `sql`: executed after the versions, at every migrate.

A file there is what the database has, with its comments and grants. To change a function or a view, change its file. No
index and no generated column may be computed by such a function.
"""

import re
from collections.abc import Iterator
from importlib.resources import files

from sqlalchemy import Connection, text

from ingest.database import API_ROLE, OPERATOR_ROLE, WORKER_ROLE
from migrations.appending import with_shared
from migrations.columns import filled
from migrations.distributed import as_distributed
from migrations.execute import verbatim

# In the order of execution: what a view or a function needs stands before it.
ROOMS = {
    "log": """
        refuse_change refuse_change_but_erasure refuse_elsewhere refuse_erasure_elsewhere
        append_events append_events_together note_heads note_reconciliation append_observations
        note_absences
        count_refused position_at sources_in_log arrivals readable_log
        kept_by_participant apply_erasure withheld_events deliveries_about
        turn_source copy_events beside_rows beside_mark copy_beside
        open_transactions oldest_transaction slots
    """,
    "folding": "begin_build make_index attach_build analyze_build make_live drop_build end_overdue",
    "roster": """
        text_key_by_letter
        participants participants_keyed participants_counted
        participant_answers participant_history participant_history_keyed
        past_answers newest_questions answers_of_many questions_of_many
        registrations registrations_daily uncount_registration
        note_roster_change note_new_roster note_token_use begin_session begin_session_by_link end_session
        lineage_at scope_of iso_time local_day day_begins forget_absences
    """,
    "reporting": """
        text_key sees_personal_data age_band age_band_on age_band_at iso_date answers_of_many questions_of_many
        calendar day_of day_begins
        participants participant_history participants_as_of participant_answers questions_meant
        events sub_events registrations_daily deliveries freshness reconciliations
        publish_these publish_participants
    """,
}

# Alembic makes this table. Services ask it at their start whether the schema is the one that they know; but that of the
# webhook may read nothing.
REVISION_READABLE = f"grant select on alembic_version to {WORKER_ROLE}, {API_ROLE}, {OPERATOR_ROLE}"

_VIEW = re.compile(r"^create or replace view (?P<name>\S+) as\n(?P<query>.*?);\n", re.DOTALL | re.MULTILINE)
_IS_THE_SAME = text("select pg_get_viewdef('pg_temp.wanted_view') = pg_get_viewdef(to_regclass(:name))")


def every_file(*, is_distributed: bool = False) -> Iterator[str]:
    """The text of each file, in the order of execution, with a participant's columns in their places."""
    for room, names in ROOMS.items():
        for name in names.split():
            yield as_distributed(name, file(room, name)) if is_distributed else file(room, name)


def file(room: str, name: str) -> str:
    """The text of one file, with a participant's columns, and what functions share, in their places."""
    return with_shared(filled(files("migrations").joinpath("sql", room, f"{name}.sql").read_text(encoding="utf-8")))


def make(connection: Connection, *, is_distributed: bool = False) -> None:
    """Make every function and view what its file says, and the schema's revision known to the services."""
    for sql in every_file(is_distributed=is_distributed):
        view = _VIEW.search(sql)
        if view is not None and _is_there(connection, view["name"], view["query"]):
            sql = sql[view.end() :]  # only the grants and comments
        connection.execute(verbatim(sql))
    connection.execute(text(REVISION_READABLE))


def _is_there(connection: Connection, name: str, query: str) -> bool:
    """Whether the view has this query already: replacing it would wait for its readers, and new readers behind it."""
    connection.execute(verbatim(f"create temporary view wanted_view as {query}"))
    is_the_same: bool | None = connection.execute(_IS_THE_SAME, {"name": name}).scalar_one()
    connection.execute(text("drop view wanted_view"))  # the next view is made under the same name
    return is_the_same is True

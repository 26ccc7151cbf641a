"""Takes the newest revisions of the schema back, as if a release before had made a filled database. For tests."""

import re
from collections.abc import Mapping, Sequence

import psycopg

from migrations.objects import file
from projections.participants.keys import KEY_COLUMNS
from tests import ROOT

_ROSTER = (ROOT / "migrations" / "versions" / "0003_roster.sql").read_text(encoding="utf-8")
_WITHOUT_KEYS = ", ".join(f"drop column {column}" for column in KEY_COLUMNS)

_HEAD_ALONE = """\
  select e.position, e.chain, greatest(clock_timestamp(), e.received_at)
  into head_position, head_chain, appended_at
  from event_log e
  where e.source = in_source
  order by e.position desc
  limit 1;
  if not found then
    head_position := 0;
    head_chain := decode(repeat('00', 32), 'hex');
    appended_at := clock_timestamp();
  end if;
"""


def _without_moves(name: str) -> str:
    """The function as it was before sources could move."""
    head = r"  select coalesce\(h\.position.*?  if elsewhere is not null then\n.*?  end if;\n"
    function, changed = re.subn(head, _HEAD_ALONE, file("log", name), count=1, flags=re.DOTALL)
    assert changed == 1
    noted = "    select s.noted_at into noted from source s where s.source = in_source;\n    if noted is null then\n"
    return function.replace("    if noted is null then\n", noted)


def _without_source(function: str) -> str:
    """The function as it was before it kept the table of sources."""
    kept, _, rest = function.partition("  if found then\n    -- Once a second")
    _, after, others = rest.partition("  if array_position(chains, null)")
    return kept + after + others


# The statements that take each revision back, the newest revision first.
TAKEN_BACK: Mapping[str, Sequence[str]] = {
    "0027_together": ("drop function append_events_together",),
    "0026_looks": ("drop table failed_look",),
    "0025_reading": ("drop function scope_of, arrivals, sources_in_log, make_live",),
    "0024_moved": (
        _without_moves("append_events"),
        _without_moves("append_observations"),
        "drop trigger erasures_are_made_at_home on erasures",
        "drop function refuse_elsewhere, refuse_erasure_elsewhere, turn_source, copy_events, copy_beside",
        "drop function beside_mark, beside_rows",
        "drop function note_heads",
        "alter table source drop column state, drop column move_id, drop column other_place",
        file("log", "note_heads"),
    ),
    "0023_absences": (
        "drop function note_absences, forget_absences",
        "drop table first_absence",
        "drop index event_log_own",
    ),
    "0022_source": ("drop function note_heads", "drop table source", _without_source(_without_moves("append_events"))),
    "0021_reconciled": ("drop function note_reconciliation", "drop table reconciliation, inner_completeness"),
    "0020_roster_page": ("drop view participants_counted", "drop index participants_build_event_bib"),
    "0019_operations_page": (
        "drop function withheld_events(), deliveries_about(text, text, text[], integer)",
        "drop index participants_build_athlete",
        "drop table redelivery_hour",
        "revoke select on event_redelivery from rosterlog_api",
        "revoke select (source, build, updated_at) on participants_build from rosterlog_api",
    ),
    "0018_observed": (
        # The views of the release before have their columns in the same order, and no more of them.
        "drop view participants, participant_history, participants_keyed, participant_history_keyed cascade",
        "drop function append_observations",
        *(
            f"alter table {table} drop column origin, drop column unlisted_at"
            for table in ("participants_build", "participant_history_build", "published_participants")
        ),
    ),
    "0017_newest_words": (
        "drop index participant_answers_build_question_words",
        (
            "create index participant_answers_build_question on participant_answers_build "
            "(source, (coalesce(event_id, '')), question_key, position desc, place)"
        ),
    ),
    # The table of letters of before, as far as one letter of India's shows it.
    "0016_letters": ("insert into letter values (U&'\\093E', '', false)",),
    "0015_sessions": (
        "drop function begin_session, begin_session_by_link, end_session",
        "drop table page_session, sign_in_link",
    ),
    "0014_words": ("drop index participants_build_long, event_log_without_subject",),
    "0013_plain_tokens": ("alter table api_token drop column sees_personal_data",),
    "0012_keys": (
        _ROSTER[: _ROSTER.index("-- Every build has")],  # the functions that indexes were made with
        "drop view if exists participants_keyed, participant_history_keyed",
        "drop function reporting.text_key(text)",
        "drop function text_key_by_letter(text)",
        "drop table letter",
        f"alter table participants_build {_WITHOUT_KEYS}",
        f"alter table participant_history_build {_WITHOUT_KEYS}",
        (
            "alter table participants_build add column words tsvector "
            "generated always as (search_words(first_name, last_name, bib, team)) stored"
        ),
        *(
            f"create index participants_build_{column} on participants_build "
            f'(source, ({key}_key({column}) collate "C"), participant_id)'
            for column, key in (("last_name", "sort"), ("first_name", "sort"), ("email", "sort"), ("bib", "bib"))
        ),
        "create index participants_build_words on participants_build using gin (words)",
    ),
    "0011_sorts": (
        "drop function newest_questions",
        "drop view if exists past_answers, participant_answers, participant_history cascade",
        "alter table participant_answers_build drop column question_key, drop column event_id",
        "alter table participant_history_build drop column answers",
        "drop index participants_build_checked_in, participants_build_age",
        (
            "create index participant_answers_build_question on participant_answers_build "
            """(source, ("left"(question, 100)), ("left"(answer, 100)), participant_id)"""
        ),
    ),
    "0010_days": (
        "drop table event_calendar cascade",
        "drop function begin_build(text, text, jsonb)",
        "create function begin_build(text, text) returns integer language sql return 0",
        "alter table published_participants drop column age_basis",
    ),
    "0009_verification": ("alter table verification drop column with_signatures",),
    "0008_without_subject": (),
    "0007_progress": (
        "drop table verification",
        "alter table projection_build drop column loaded_events, drop column events_to_load, drop column moved_at",
    ),
    "0006_dismissed": (
        "drop view if exists reporting.freshness",
        "drop table dismissed_event",
        "revoke select on projection, quarantine from rosterlog_operator",
    ),
    "0005_operations": (
        "drop function count_refused(text, text, timestamptz, bigint, timestamptz)",
        "drop table refused_delivery, worker_seen",
    ),
    "0004_reporting": (),
}


def as_before(database: str, revision: str) -> str:
    """Take this revision back and those after it; gives the revision before."""
    revisions = list(TAKEN_BACK)
    place = revisions.index(revision)
    with psycopg.connect(database) as connection:
        for statements in list(TAKEN_BACK.values())[: place + 1]:
            for statement in statements:
                connection.execute(statement.encode())
        connection.execute("update alembic_version set version_num = %s", [revisions[place + 1]])
    return revisions[place + 1]

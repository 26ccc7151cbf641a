"""What each role may do, in one list: everything that the migrations grant, and nothing else."""

from ingest.database import (
    API_ROLE,
    INGEST_ROLE,
    OPERATOR_ROLE,
    REPORTING_PII_ROLE,
    REPORTING_ROLE,
    WORKER_ROLE,
)

Grant = tuple[str, str, str]  # a role, a privilege, and an object: a table, a column of it in brackets, a function

# A role, its privileges, and the objects; a table with columns in brackets stands for these columns alone.
_LIST = (
    *((role, "select", "alembic_version") for role in (WORKER_ROLE, API_ROLE, OPERATOR_ROLE)),
    (INGEST_ROLE, "execute", "append_events append_events_together count_refused"),
    (WORKER_ROLE, "select", "event_log(source,position,received_at,event_type,subject,digest) readable_log"),
    (WORKER_ROLE, "select", "source event_redelivery redelivery_hour erasures refused_delivery roster_change"),
    (WORKER_ROLE, "select", "projection published_source first_absence"),
    (WORKER_ROLE, "update", "projection(live,previous)"),
    (WORKER_ROLE, "select delete", "projection_build"),
    (WORKER_ROLE, "update", "projection_build(loaded_events,events_to_load,moved_at)"),
    (WORKER_ROLE, "select insert update delete", "checkpoint quarantine unknown_event_type worker_seen"),
    (WORKER_ROLE, "select insert update delete", "participants_build participant_history_build"),
    (WORKER_ROLE, "select insert update delete", "participant_answers_build registrations_build"),
    (WORKER_ROLE, "select insert update delete", "registrations_daily_build"),
    (WORKER_ROLE, "select", "registrations registrations_daily participant_answers"),
    (WORKER_ROLE, "execute", "begin_build make_index attach_build analyze_build make_live drop_build"),
    (WORKER_ROLE, "execute", "end_overdue note_roster_change note_heads publish_participants oldest_transaction"),
    (WORKER_ROLE, "select", "verification dismissed_event reconciliation failed_look"),
    (WORKER_ROLE, "select insert update", "inner_completeness"),
    (API_ROLE, "select", "source event_log(source,position,received_at,event_type) refused_delivery worker_seen"),
    (API_ROLE, "select", "projection projection_build checkpoint quarantine unknown_event_type"),
    (API_ROLE, "select", "participants participants_keyed participants_counted participant_answers past_answers"),
    (API_ROLE, "select", "participant_history participant_history_keyed"),
    (API_ROLE, "select", "registrations registrations_daily roster_change api_token"),
    (API_ROLE, "select", "verification dismissed_event event_calendar reconciliation inner_completeness failed_look"),
    (API_ROLE, "execute", "newest_questions answers_of_many questions_of_many"),
    (API_ROLE, "execute", "scope_of lineage_at note_token_use oldest_transaction"),
    (API_ROLE, "select", "page_session sign_in_link"),
    (API_ROLE, "execute", "begin_session begin_session_by_link end_session"),
    (API_ROLE, "select", "event_redelivery redelivery_hour participants_build(source,build,updated_at)"),
    (API_ROLE, "execute", "withheld_events deliveries_about"),
    (
        OPERATOR_ROLE,
        "select",
        "source event_log event_redelivery redelivery_hour erasures refused_delivery worker_seen",
    ),
    (OPERATOR_ROLE, "insert", "erasures(source,erasure_id,subject,operator,reason,erased_at,positions,digests)"),
    (OPERATOR_ROLE, "insert update", "erasures(lifted_at,lifted_by)"),
    (OPERATOR_ROLE, "select insert update", "verification"),
    (OPERATOR_ROLE, "select insert delete", "dismissed_event"),
    (OPERATOR_ROLE, "select", "projection quarantine reconciliation inner_completeness"),
    (OPERATOR_ROLE, "select insert update delete", "failed_look"),
    (OPERATOR_ROLE, "execute", "append_observations note_absences forget_absences apply_erasure oldest_transaction"),
    (OPERATOR_ROLE, "execute", "refuse_elsewhere turn_source copy_events copy_beside beside_rows beside_mark"),
    *(
        (role, privilege, objects)
        for role in (REPORTING_ROLE, REPORTING_PII_ROLE)
        for privilege, objects in (
            ("usage", "reporting"),
            ("select", "published_participants reporting.participants reporting.participant_history"),
            ("select", "reporting.participant_answers reporting.events reporting.sub_events"),
            ("select", "reporting.registrations_daily reporting.deliveries reporting.freshness reporting.calendar"),
            ("select", "reporting.reconciliations"),
        )
    ),
)
# A role, and another one that it may take: the operator folds a participant again whose erasure is lifted.
MEANT = frozenset({(OPERATOR_ROLE, WORKER_ROLE)})
# Functions that do more than their caller may, and the one that they call: for the roles above, not for everybody.
_FOR_NOBODY_ELSE = ("publish_these", "note_reconciliation")


def _each() -> set[Grant]:
    grants = set()
    for role, privileges, objects in _LIST:
        for name in objects.split():
            table, _, columns = name.rstrip(")").partition("(")
            places = [f"{table}({column})" for column in columns.split(",")] if columns else [table]
            grants |= {(role, privilege, place) for privilege in privileges.split() for place in places}
    return grants


GRANTS = frozenset(_each())
RESTRICTED = frozenset({*(name for _, _, name in GRANTS if "(" not in name), *_FOR_NOBODY_ELSE})

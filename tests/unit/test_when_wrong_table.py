"""Each line of "When something is wrong" was made to happen by a test, which looks where its trouble can be seen."""

import re

from tests import ROOT

# By the beginning of the line.
CAUSED_BY = {
    "nothing answers": "test_nothing_answers",
    "webhook answers 503": "test_a_full_queue",
    "`connections refused`": "test_too_many_connections",
    "webhook answers 401": "test_a_wrong_secret",
    "`stays as it is, until its file can be used`": "test_a_folder_of_sources_changes_while_deliveries_go_on",
    "`status` says that no worker": "test_no_worker",
    "`status` says that an event waits": "test_a_frozen_worker",
    "commits are slow": "test_a_slow_database",
    "`status` shows parked events": "test_a_parked_event",
    "`status` says that the disk": "test_a_disk_is_watched_from_nearly_full_to_full_and_back",
    "`status` says that the database is read-only": "test_a_database_that_is_read_only",
    "`the demo's made-up people": "test_made_up_people_among_real_ones_are_told",
    "`answered without a valid token`": "test_a_token_that_is_not_valid_any_more",
    "`/readyz` says that a rebuild": "test_a_changed_definition",
    "`the log of ... has no position n`": "test_a_hole_in_the_log",
    "the log was not verified": "test_a_log_that_nobody_verifies",
    "`status` says that participants are not where": "test_a_roster_that_lacks_somebody",
    "`status` says who is missing": "test_drift_that_is_left",
    "the roster was compared once": "test_drift_that_is_left",
    "`status` says that a scheduled": "test_a_scheduled_look_that_fails",
    "a transaction is open": "test_a_long_transaction",
    "`replica left out` in the log": "test_a_replica_that_is_far_behind_is_left_out_said_and_taken_again",
    "a slot holds back": "test_a_slot_that_holds_back_the_log",
    "nothing arrives from a source": "test_a_source_from_which_nothing_arrives",
    "`status` counts an event": "test_a_parked_event",
    "`/readyz` says `fold": "test_a_frozen_worker",
    "`quarantine list` says": "test_a_parked_event",
    "`postmaster.pid is of": "test_a_server_that_was_started_by_hand_in_another_container",
    "`the data folder's file system": "test_a_file_system_without_locks",
    "`there is no database in": "test_the_folder_of_another_database",
    "`the database is not migrated`": "test_a_database_that_is_not_migrated",
    "`the database is from before": "test_a_database_from_before_the_first_release",
}


def test_no_line_is_without_its_test_and_no_test_is_missing() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    table = text[text.index("## When something is wrong") :].splitlines()
    lines = [line.removeprefix("| ") for line in table if line.startswith("| ")][1:]
    assert len(lines) == len(CAUSED_BY)
    for line, beginning in zip(lines, CAUSED_BY, strict=True):
        assert line.startswith(beginning), line
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    defined = {*re.findall(r"^def (test_\w+)\(", tests, re.M)}
    assert {*CAUSED_BY.values()} <= defined

"""The alert rules, the board and the page of metrics: made from one list, and right on made-up series."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from ingest.metrics import METRICS, Metric
from ingest.monitoring.alerts import ALERTS
from ingest.monitoring.board import board
from ingest.monitoring.files import files
from tests import DEADLINE, ROOT
from tests.tools import tool

Series = dict[str, str]

# Of each alert: series by which it fires, when it fires at the latest and not yet, and series of a healthy hour.
FIRES: dict[str, tuple[Series, str, str]] = {
    "RosterlogDown": ({'up{job="rosterlog", instance="a"}': "1 0x20"}, "2m30s", "1m"),
    "RosterlogDatabaseAway": ({'rosterlog_database_up{instance="a"}': "1 0x20"}, "2m", "30s"),
    "RosterlogEveryDeliveryRefused": (
        {'rosterlog_deliveries_refused_in_a_row{source="m"}': "0 4 5 6"}, "2m", "1m"
    ),
    "RosterlogManyDeliveriesRefused": (
        {'rosterlog_deliveries_total{source="m", outcome="signature_wrong"}': "0+5x60",
         'rosterlog_deliveries_total{source="m", outcome="stored"}': "0+20x60"}, "15m", "5m",
    ),
    "RosterlogDeliveriesNotKept": (
        {'rosterlog_deliveries_total{source="m", outcome="unavailable"}': "0 0 0 3x20"}, "5m", "2m"
    ),
    "RosterlogSlowCommits": (
        {'rosterlog_commit_duration_seconds_bucket{le="1"}': "0+10x30",
         'rosterlog_commit_duration_seconds_bucket{le="5"}': "0+20x30",
         'rosterlog_commit_duration_seconds_bucket{le="+Inf"}': "0+20x30"}, "12m", "3m",
    ),
    "RosterlogNoWorker": ({"rosterlog_worker_seen_timestamp_seconds": "0 60 60x20"}, "4m", "1m"),
    "RosterlogRosterBehind": (
        {'rosterlog_projection_oldest_unfolded_timestamp_seconds{source="m", projection="p"}': "0x20"}, "3m", "1m"
    ),
    "RosterlogParkedEvents": ({'rosterlog_quarantined_events{source="m"}': "1x120"}, "62m", "50m"),
    "RosterlogRebuildNeeded": ({'rosterlog_rebuild_needed{projection="p"}': "0 1x20"}, "3m", "1m"),
    "RosterlogLogDamaged": ({'rosterlog_verify_problems{source="m"}': "0 2x5"}, "1m", "0m"),
    "RosterlogRosterIncomplete": ({'rosterlog_inner_differences{source="m"}': "_ 0 2x5"}, "2m", "1m"),
    "RosterlogLogHasHole": ({'rosterlog_log_missing_position{source="m"}': "_ 3x5"}, "1m", "0m"),
    "RosterlogDatabaseReadOnly": (
        {'rosterlog_database_read_only{instance="a"}': "0 1x20", 'rosterlog_database_read_only{instance="b"}': "1x20"},
        "3m", "1m",
    ),
    "RosterlogConnectionsRefused": (
        {'rosterlog_connections_refused_total{kind="too_many_connections", instance="a"}': "0+2x40"}, "16m", "9m"
    ),
    "RosterlogTokensRefused": (
        {'rosterlog_api_requests_total{endpoint="e", status="401", instance="a"}': "0+2x60",
         'rosterlog_api_requests_total{endpoint="e", status="200", instance="a"}': "0+10x60"}, "36m", "29m",
    ),
    "RosterlogLongTransaction": ({"rosterlog_oldest_transaction_timestamp_seconds": "0x80"}, "63m", "59m"),
    "RosterlogSlotHoldsLog": ({'rosterlog_replication_slot_retained_bytes{slot="s"}': "11811160064x40"}, "17m", "10m"),
    "RosterlogDiskFills": (
        {"rosterlog_database_disk_free_bytes": "600000000000-100000000x1500",
         "rosterlog_log_size_bytes": "0+60000000x1500", "rosterlog_roster_size_bytes": "0+40000000x1500"}, "20m", "10m",
    ),
    "RosterlogReplicaLeftOut": ({'rosterlog_replicas_left_out{replica="2"}': "0 0 1x20"}, "8m", "6m"),
    "RosterlogSourcesUnusable": ({"rosterlog_sources_file_problems": "0 0 1x20"}, "5m", "3m"),
    "RosterlogLogGrowsFast": (
        {"rosterlog_log_size_bytes": "0+5000000x120", "rosterlog_roster_size_bytes": "0+2000000x120"}, "65m", "30m",
    ),
}  # fmt: skip
FIRES_AFTER_HOURS: dict[str, tuple[Series, str, str]] = {
    "RosterlogLogNotVerified": ({'rosterlog_verify_timestamp_seconds{source="m"}': "0x1400"}, "196h", "191h"),
    "RosterlogDriftLeft": (
        {
            'rosterlog_reconcile_drift{source="m", kind="missing"}': "_ 0x200",
            'rosterlog_reconcile_drift{source="m", kind="unlisted"}': "_ 2x200",
        },
        "25h",
        "23h",
    ),
    "RosterlogNotReconciled": ({'rosterlog_reconcile_timestamp_seconds{source="m"}': "0x1400"}, "194h", "192h"),
    "RosterlogLooksFail": ({'rosterlog_reconcile_failing_since_timestamp_seconds{source="m"}': "0x200"}, "25h", "23h"),
    "RosterlogLogNeverVerified": (
        {
            'rosterlog_log_head_position{source="m"}': "3x1400",
            'rosterlog_log_head_position{source="(others)"}': "9x1400",
            'rosterlog_verify_timestamp_seconds{source="(others)"}': "0+600x1400",
        },
        "194h",
        "190h",
    ),
    "RosterlogSourceSilent": ({'rosterlog_log_last_received_timestamp_seconds{source="m"}': "0x200"}, "25h", "23h"),
}
HEALTHY = {
    'up{job="rosterlog", instance="a"}': "1x120", 'rosterlog_database_up{instance="a"}': "1x120",
    'rosterlog_deliveries_refused_in_a_row{source="m"}': "0 4 0x120",
    'rosterlog_deliveries_total{source="m", outcome="stored"}': "0+60x120",
    'rosterlog_deliveries_total{source="m", outcome="signature_wrong"}': "0+1x120",
    'rosterlog_deliveries_total{source="m", outcome="unavailable"}': "0x120",
    'rosterlog_deliveries_total{source="", outcome="unknown_source"}': "0+1x120",
    'rosterlog_commit_duration_seconds_bucket{le="0.1"}': "0+20x120",
    'rosterlog_commit_duration_seconds_bucket{le="+Inf"}': "0+20x120",
    "rosterlog_worker_seen_timestamp_seconds": "0+60x120",
    'rosterlog_projection_oldest_unfolded_timestamp_seconds{source="m", projection="p"}': "0+60x120",
    'rosterlog_quarantined_events{source="m"}': "0 1 1 0x120", 'rosterlog_rebuild_needed{projection="p"}': "0x120",
    'rosterlog_verify_problems{source="m"}': "0x120", 'rosterlog_verify_timestamp_seconds{source="m"}': "0x120",
    'rosterlog_log_head_position{source="m"}': "5x120", 'rosterlog_inner_differences{source="m"}': "0x120",
    'rosterlog_reconcile_drift{source="m", kind="missing"}': "1 1 0x120",
    'rosterlog_reconcile_drift{source="m", kind="unknowable"}': "5x120",
    'rosterlog_reconcile_timestamp_seconds{source="m"}': "0x120",
    "rosterlog_oldest_transaction_timestamp_seconds": "0+60x120",
    'rosterlog_replication_slot_retained_bytes{slot="s"}': "100x120",
    'rosterlog_database_read_only{instance="a"}': "0x120", 'rosterlog_database_read_only{instance="b"}': "1x120",
    'rosterlog_connections_refused_total{kind="head_too_slow", instance="a"}': "0+9x120",
    'rosterlog_api_requests_total{endpoint="e", status="401", instance="a"}': "0+1x120",
    'rosterlog_api_requests_total{endpoint="e", status="200", instance="a"}': "0+60x120",
    "rosterlog_database_disk_free_bytes": "600000000000-1000x120", "rosterlog_log_size_bytes": "0+1000x120",
    "rosterlog_roster_size_bytes": "0+1000x120", "rosterlog_sources_file_problems": "0 1 0x120",
    'rosterlog_replicas_left_out{replica="1"}': "0 1 1 1 0x120",
}  # fmt: skip


def test_the_files_are_those_that_make_deploy_files_makes() -> None:
    for path, text in files().items():
        assert (ROOT / path).read_text(encoding="utf-8") == text, f"{path}: run make deploy-files"


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_metric_is_named_by_the_conventions_and_explained(metric: Metric) -> None:
    assert re.fullmatch(r"rosterlog_[a-z][a-z_]*", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert metric.help.endswith(".")
    page, _, anchor = metric.page.partition("#")
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    anchors = {re.sub(r"[^a-z0-9 -]", "", line.lstrip("# ").lower()).replace(" ", "-")
               for line in text.splitlines() if line.startswith("#")}  # fmt: skip
    assert not anchor or anchor in anchors


def test_every_alert_names_a_line_of_the_table_and_metrics_that_there_are() -> None:
    text = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    table = text[text.index("## When something is wrong") :]
    firsts = {line.split(" | ")[0].removeprefix("| ") for line in table.splitlines() if line.startswith("| ")}
    declared = {metric.name for metric in METRICS}
    for alert in ALERTS:
        assert alert.line in firsts, alert.name
        named = {name.removesuffix("_bucket") for name in re.findall(r"rosterlog_\w+", alert.expression)}
        assert named <= declared, alert.name


def test_the_board_shows_every_metric_and_only_those() -> None:
    shown = board()
    names = [set(re.findall(r"rosterlog_\w+", target["expr"])) for panel in shown["panels"]
             for target in panel["targets"]]  # fmt: skip
    assert {name.removesuffix("_bucket") for of_target in names for name in of_target} == {
        metric.name for metric in METRICS
    }
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in shown["panels"]}
    assert len(places) == len(shown["panels"]) == len(METRICS)


def test_the_rules_fire_on_made_up_series_in_time_and_not_on_a_healthy_hour(tmp_path: Path) -> None:
    tool("promtool")
    rules = files()["deploy/prometheus/rules.yml"]
    switched_on = rules.replace("      # - ", "      - ").replace("      #   ", "        ")
    (tmp_path / "rules.yml").write_text(switched_on, encoding="utf-8")
    assert {*FIRES, *FIRES_AFTER_HOURS} == {alert.name for alert in ALERTS}
    healthy = [{"eval_time": f"{minute}m", "alertname": alert.name, "exp_alerts": []}
               for alert in ALERTS for minute in (3, 30, 100)]  # fmt: skip
    all_day: dict[str, object] = {"interval": "1m", "input_series": _series(HEALTHY), "alert_rule_test": healthy}
    _promtool(tmp_path, "30s", [*(_test("1m", name, *case) for name, case in FIRES.items()), all_day])
    _promtool(tmp_path, "10m", [_test("10m", name, *case) for name, case in FIRES_AFTER_HOURS.items()])


def _promtool(folder: Path, every: str, tests: list[dict[str, object]]) -> None:
    document = {"rule_files": ["rules.yml"], "evaluation_interval": every, "tests": tests}
    (folder / "test.yml").write_text(json.dumps(document), encoding="utf-8")
    for command in (["check", "rules", "rules.yml"], ["test", "rules", "test.yml"]):
        done = subprocess.run(["promtool", *command], cwd=folder, capture_output=True, text=True, check=False,
                              timeout=DEADLINE)  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr


def _test(interval: str, name: str, series: Series, fires_at: str, not_yet: str) -> dict[str, object]:
    """That exactly this alert fires by then, whatever its labels and texts are, and not earlier."""
    fires = {"expr": f'count(ALERTS{{alertname="{name}", alertstate="firing"}})', "eval_time": fires_at,
             "exp_samples": [{"labels": "{}", "value": 1}]}  # fmt: skip
    before = {**fires, "eval_time": not_yet, "exp_samples": []}
    return {"interval": interval, "input_series": _series(series), "promql_expr_test": [before, fires]}


def _series(series: Series) -> list[dict[str, str]]:
    return [{"series": name, "values": values} for name, values in series.items()]


def test_an_alert_says_its_number_so_that_one_is_right_too() -> None:
    """`1 problems` is what a person reads in the middle of the night: the number stands behind what it counts."""
    for alert in ALERTS:
        counted = re.search(r"\{\{ \$value \}\} [a-z]+s\b", alert.summary)
        assert counted is None or re.search(r">= [2-9]$", alert.expression), alert.name

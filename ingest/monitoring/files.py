"""Writes the files that are made from the list of metrics and alerts: `python -m ingest.monitoring.files FOLDER`."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

from ingest.metrics import METRICS, Metric
from ingest.monitoring.alerts import ALERTS, Alert
from ingest.monitoring.board import board

_RULES_HEAD = """\
# The alerts of rosterlog for Prometheus, made by `make deploy-files`. `docs` names the line of the table
# "When something is wrong" in docs/operations.md that leads out.
groups:
  - name: rosterlog
    rules:
"""
_METRICS_HEAD = """\
# Metrics

What `/metrics` says, in the format of Prometheus: on the port `ROSTERLOG_METRICS_PORT` without a token, for `ingest`,
`api`, `serve`, `up` and `worker`; on the main port of `api`, `serve` and `up` for an operator's token
(`rosterlog token create NAME --operator`). That token is looked up in the database; while it is away, one that was
looked up in the last hour still sees the figures of the process, even if it was revoked since, and any other is
answered 503 within two seconds. Nothing personal is in it.

The first part is of the process: add up the processes of a service. From `rosterlog_database_up` on it is of the
database: every process says the same, so take the maximum. While the database does not answer within a second,
`rosterlog_database_up` is 0 and the rest of that part is absent. `ingest` alone knows the log and not the projections.

Up to fifty sources have a label each. Where there are more, fifty have, and the label `(others)` stands for all the
rest: for the sum of their numbers, and for the worst of their lags, of their refusals in a row and of their times. Of
the database the fifty are those in the worst trouble of each kind, and then the largest. Of a process they are the
first of its settings, or that a worker folds, for as long as it runs: so no counter goes back.

Alerts: `deploy/prometheus/rules.yml`; a board for Grafana: `deploy/grafana/rosterlog.json`. This page and both files
are made by `make deploy-files`.

| name | type | labels | what it is | more in |
|---|---|---|---|---|
"""


def files() -> Mapping[str, str]:
    """The text of each file, by its path from the project's top."""
    return {
        "deploy/prometheus/rules.yml": _RULES_HEAD + "".join(map(_rule, ALERTS)),
        "deploy/grafana/rosterlog.json": json.dumps(board(), indent=2) + "\n",
        "docs/metrics.md": _METRICS_HEAD + "".join(map(_row, METRICS)),
    }


def _row(metric: Metric) -> str:
    more = f"[{metric.page.partition('#')[0]}]({metric.page})"
    return f"| `{metric.name}` | {metric.kind} | {', '.join(metric.labels)} | {metric.help} | {more} |\n"


def _rule(alert: Alert) -> str:
    """A rule in YAML, of which JSON's texts are a part."""
    lines = [
        f"- alert: {alert.name}",
        f"  expr: {json.dumps(alert.expression)}",
        f"  for: {alert.lasting}",
        f"  labels: {{severity: {alert.severity}}}",
        "  annotations:",
        f"    summary: {json.dumps(alert.summary)}",
        f"    docs: {json.dumps(f'docs/operations.md, When something is wrong: {alert.line}')}",
    ]
    if alert.is_off:
        lines = ["Off, since races sleep between their seasons; take the # away to have it.", *lines]
    return "".join(f"      {'# ' if alert.is_off else ''}{line}\n" for line in lines)


def write(folder: Path) -> None:
    """Write every file below a folder."""
    for path, text in files().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))

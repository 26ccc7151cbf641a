"""Whether an alert would fire on what was really scraped: the rules of deploy/ over two scrapes, told by promtool."""

import json
import subprocess
import time
from pathlib import Path

from tests import DEADLINE, ROOT
from tests.tools import tool

_EVERY_SECONDS, _EVERY_SECONDS_OF_A_DAY = 30, 240  # a series is forgotten after five minutes without a value
_LONG_MINUTES = 240


def fires(folder: Path, alert: str, before: str, after: str, minutes: int) -> bool:
    """Whether an alert fires within so many minutes of what `/metrics` said twice, if it goes on like that.

    Counters go on to grow as they did between the two texts; everything else stays as it is in `after`. Rules that are
    off are switched on.
    """
    seconds = _EVERY_SECONDS if minutes <= _LONG_MINUTES else _EVERY_SECONDS_OF_A_DAY
    steps = minutes * 60 // seconds
    first, then = _series(before), _series(after)
    series = [
        {"series": name, "values": _values(name, first.get(name, 0.0), value, steps)} for name, value in then.items()
    ]
    firing = {
        "expr": f'count(ALERTS{{alertname="{alert}", alertstate="firing"}}) > bool 0',
        "eval_time": f"{minutes}m",
        "exp_samples": [{"labels": "{}", "value": 1}],
    }
    every = f"{seconds}s"
    test = {"interval": every, "input_series": series, "promql_expr_test": [firing]}
    rules = (ROOT / "deploy/prometheus/rules.yml").read_text(encoding="utf-8")
    (folder / "rules.yml").write_text(rules.replace("      # - ", "      - ").replace("      #   ", "        "))
    path = folder / "scraped.yml"
    path.write_text(
        json.dumps({"rule_files": ["rules.yml"], "evaluation_interval": every, "tests": [test]}), encoding="utf-8"
    )
    command = [tool("promtool"), "test", "rules", str(path)]
    return subprocess.run(command, capture_output=True, check=False, timeout=DEADLINE).returncode == 0


def _series(text: str) -> dict[str, float]:
    lines = [line.rpartition(" ") for line in text.splitlines() if line.startswith(("rosterlog_", "up{"))]
    return {name: float(value) for name, _, value in lines}


def _values(name: str, before: float, after: float, steps: int) -> str:
    metric = name.partition("{")[0]
    if metric.endswith(("_total", "_bucket", "_sum", "_count")):
        return f"{before}+{after - before}x{steps}"
    # The made-up time begins with 0 at this moment.
    return f"{after - time.time() if metric.endswith('_timestamp_seconds') else after}x{steps}"

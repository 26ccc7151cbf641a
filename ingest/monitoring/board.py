"""A board for Grafana: a panel for every declared metric, drawn as its kind and its unit ask for."""

from typing import Any

from ingest.metrics import DELIVERIES, HEAD, METRICS, Metric

_COLUMNS, _WIDTH, _HEIGHT = 3, 8, 7
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def board() -> dict[str, Any]:
    """The board as Grafana imports it; its data source is chosen there."""
    return {
        "title": "rosterlog",
        "uid": "rosterlog",
        "tags": ["rosterlog"],
        "schemaVersion": 39,
        "timezone": "browser",
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [_data_source(), _sources()]},
        "panels": [_panel(number, metric) for number, metric in enumerate(METRICS)],
    }


def _data_source() -> dict[str, Any]:
    return {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Data source"}


def _sources() -> dict[str, Any]:
    # Each of the two names others where there are many sources.
    query = f'label_values({{__name__=~"{DELIVERIES.name}|{HEAD.name}"}}, source)'
    return {
        "name": "source", "type": "query", "label": "Source", "datasource": _SOURCE, "query": query, "refresh": 2,
        "includeAll": True, "multi": True, "allValue": ".*", "current": {"text": "All", "value": "$__all"},
    }  # fmt: skip


def _panel(number: int, metric: Metric) -> dict[str, Any]:
    row, column = divmod(number, _COLUMNS)
    return {
        "id": number + 1,
        "title": _title(metric),
        "description": f"{metric.help} ({metric.name}; docs/{metric.page})",
        "type": "timeseries",
        "datasource": _SOURCE,
        "gridPos": {"x": column * _WIDTH, "y": row * _HEIGHT, "w": _WIDTH, "h": _HEIGHT},
        "fieldConfig": {"defaults": {"unit": _unit(metric), "min": 0}, "overrides": []},
        "targets": _targets(metric),
    }


def _title(metric: Metric) -> str:
    words = metric.name.removeprefix("rosterlog_").removesuffix("_total").replace("_timestamp_seconds", "_ago")
    return words.removesuffix("_seconds").removesuffix("_bytes").replace("_", " ").capitalize()


def _unit(metric: Metric) -> str:
    if metric.kind == "counter":
        return "ops"
    if "_seconds" in metric.name:
        return "s"
    for suffix, unit in (("_bytes", "bytes"), ("_ratio", "percentunit")):
        if metric.name.endswith(suffix):
            return unit
    return "short"


def _targets(metric: Metric) -> list[dict[str, Any]]:
    name = metric.name + ('{source=~"$source"}' if "source" in metric.labels else "")
    by = f" by ({', '.join(metric.labels)})" if metric.labels else ""
    if metric.kind == "histogram":
        buckets = f"sum by ({', '.join(['le', *metric.labels])}) (rate({metric.name}_bucket[5m]))"
        return [
            _target(str(part), f"histogram_quantile({part}, {buckets})", metric, f"p{part * 100:.0f}")
            for part in (0.5, 0.99)
        ]
    if metric.kind == "counter":
        return [_target("A", f"sum{by} (rate({name}[5m]))", metric)]
    # Every process says the same of the database; of itself each says its own.
    newest = f"max{by or ' by (instance)'} ({name})"
    return [_target("A", f"time() - {newest}" if "_timestamp_" in metric.name else newest, metric)]


def _target(ref: str, expression: str, metric: Metric, prefix: str = "") -> dict[str, Any]:
    labels = [f"{{{{{label}}}}}" for label in metric.labels]
    legend = " ".join([*([prefix] if prefix else []), *labels])
    return {"refId": ref, "expr": expression, "legendFormat": legend or "__auto", "datasource": _SOURCE}

"""What files of `deploy/` may name."""

from collections.abc import Mapping

from ingest.settings import Settings

COMING = {"ROSTERLOG_METRICS_HOST", "ROSTERLOG_METRICS_PORT"}  # of the metrics' own port
SETTINGS = {str(field.alias) for field in Settings.model_fields.values()} | COMING


def known(environ: Mapping[str, str]) -> dict[str, str]:
    """Without what the program does not take yet."""
    names = {str(field.alias) for field in Settings.model_fields.values()}
    return {name: value for name, value in environ.items() if name not in COMING or name in names}

"""Which source a command is about."""

from collections.abc import Iterable

from ingest.cli.terminal import printable, unicode
from ingest.failures import WrongUsage
from ingest.settings import DEFAULT_SOURCE, Settings, SettingsError


def source_of(settings: Settings, given: str | None, held: Iterable[str] | None = None) -> str:
    """The source a command is about: the one named, else the default, else the only one.

    `held`: the sources that have events; null where one without any will do.
    """
    known = sorted({*settings.sources, *(held or ())}) or [DEFAULT_SOURCE]
    if given is None:
        return DEFAULT_SOURCE if DEFAULT_SOURCE in known or len(known) > 1 else known[0]
    if unicode(given, "--source") not in known and (settings.sources or held is not None):
        raise WrongUsage(f"there is no source {printable(given)}; there is {', '.join(known)}")
    return given


def need_sources(settings: Settings) -> None:
    """Raise `SettingsError` unless some source has a secret: nothing could be verified."""
    if not settings.sources:
        raise SettingsError("MOVEMINT_WEBHOOK_SECRET is not set: set it to the secret of your Movemint subscription")

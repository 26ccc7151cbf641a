"""Which source a command is about."""

from collections.abc import Iterable

from ingest.cli.terminal import printable, unicode
from ingest.failures import WrongUsage
from ingest.settings import DEFAULT_SOURCE, Settings, SettingsError


def source_of(settings: Settings, name: str | None, logged: Iterable[str] | None = None) -> str:
    """The source a command is about: the one named, else the default, else the only one.

    `logged`: the sources that have events; None if the source need not have any. Raises `WrongUsage`.
    """
    known = sorted({*settings.sources, *(logged or ())}) or [DEFAULT_SOURCE]
    if name is None:
        return DEFAULT_SOURCE if DEFAULT_SOURCE in known or len(known) > 1 else known[0]
    if unicode(name, "--source") not in known and (settings.sources or logged is not None):
        raise WrongUsage(f"there is no source {printable(name)}; there is {', '.join(known)}")
    return name


def need_sources(settings: Settings) -> None:
    """Raise `SettingsError` unless a source has a secret: without one no delivery can be verified."""
    if not settings.sources:
        raise SettingsError("MOVEMINT_WEBHOOK_SECRET is not set: set it to the secret of your Movemint subscription")

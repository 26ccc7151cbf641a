"""Which source a command is about."""

import logging
import select
import signal
from collections.abc import Iterable

from ingest.cli.terminal import printable, unicode
from ingest.failures import WrongUsage
from ingest.listed import listed
from ingest.settings import DEFAULT_SOURCE, Settings, SettingsError
from ingest.sources import Secrets

logger = logging.getLogger(__name__)

_STANDARD_INPUT = 0
_AGAIN_SECONDS = 1.0
_MOST_LISTED = 20


def source_of(settings: Settings, name: str | None, logged: Iterable[str] | None = None) -> str:
    """The source a command is about: the one named, else the default, else the only one.

    `logged`: the sources that have events; None if the source need not have any. Raises `WrongUsage`.
    """
    known = sorted({*settings.sources, *(logged or ())}) or [DEFAULT_SOURCE]
    if name is None:
        return DEFAULT_SOURCE if DEFAULT_SOURCE in known or len(known) > 1 else known[0]
    if unicode(name, "--source") not in known and (settings.sources or logged is not None):
        raise WrongUsage(f"there is no source {printable(name)}; there is {listed(known, _MOST_LISTED)}")
    return name


def need_sources(settings: Settings) -> dict[str, Secrets]:
    """The secrets by source. Raises `SettingsError` if there is none: no delivery could be verified."""
    sources = settings.sources
    if not sources:
        raise SettingsError("MOVEMINT_WEBHOOK_SECRET is not set: set it to the secret of your Movemint subscription")
    return sources


def awaited_sources(settings: Settings) -> dict[str, Secrets]:
    """The same for a process below a supervisor: it waits until the file can be used, and says once why it cannot.

    The other processes serve meanwhile; were this one to end again and again, all of them would end.
    """
    said = None
    while True:
        try:
            return need_sources(settings)
        except SettingsError as error:
            if str(error) != said:
                logger.error("waiting until the sources can be used: %s", error)
            said = str(error)
        if select.select([_STANDARD_INPUT], [], [], _AGAIN_SECONDS)[0]:
            signal.raise_signal(signal.SIGTERM)  # the supervisor is gone

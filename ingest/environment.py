"""The names of the environment that are ours: a misspelt one is told from what Kubernetes sets by itself. Pure."""

import difflib
import re
from collections.abc import Collection, Mapping

_OURS = "ROSTERLOG_"
# Other programs talk to Movemint as well, so a name with this beginning may be theirs, such as MOVEMINT_API_KEY.
_SHARED = "MOVEMINT_"
SETTINGS_PREFIXES = (_OURS, _SHARED)
_MISSPELT = 0.75  # as alike as difflib finds a name and a setting; a common beginning alone gives up to 0.72
# For each service of a namespace Kubernetes sets such variables in every container; a service may be called rosterlog.
_OF_A_SERVICE = re.compile(r"_SERVICE_HOST\Z|_SERVICE_PORT(_\w+)?\Z|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?\Z")
_ADDRESS = re.compile(r"(tcp|udp|sctp)://")


def set_by_kubernetes(environ: Mapping[str, str], known: Collection[str]) -> list[str]:
    """The names that begin like settings and describe a service of Kubernetes instead, also where the name is `known`:
    `ROSTERLOG_PORT` is then the address of a service that is called rosterlog.
    """
    return [
        name
        for name in sorted(environ)
        if name.startswith(SETTINGS_PREFIXES) and _describes_a_service(name, environ[name], is_known=name in known)
    ]


def unknown_name(environ: Mapping[str, str], known: Collection[str]) -> str | None:
    """What to say of the first name that should be a setting and is none; None if there is no such name.

    A name of ours should be a setting always, a name that is not ours alone if it is nearly one.
    """
    passed_over = {*known, *set_by_kubernetes(environ, known)}
    for name in sorted(environ):
        if name.startswith(SETTINGS_PREFIXES) and name not in passed_over:
            is_ours = name.startswith(_OURS)
            close = difflib.get_close_matches(name, known, n=1, cutoff=0.6 if is_ours else _MISSPELT)
            if is_ours or close:
                return f"{name} is not a setting" + (f"; did you mean {close[0]}?" if close else "; unset it")
    return None


def _describes_a_service(name: str, value: str, *, is_known: bool) -> bool:
    if _ADDRESS.match(value):
        return name.endswith("_PORT") or not is_known
    return not is_known and _OF_A_SERVICE.search(name) is not None

"""The version of a projection's definition: a digest of the code that folds and of the fields it is told to read."""

import hashlib
from collections.abc import Sequence
from types import ModuleType

_DIGITS = 12


def digest_of(modules: Sequence[ModuleType], data: object) -> str:
    """The version of what these modules' source texts and this data say.

    Any change to them is another version, be it only a comment's: a needless rebuild costs minutes, a missed one a
    wrong roster. The version of Python does not matter.
    """
    digest = hashlib.sha256()
    for module in modules:
        assert module.__loader__ is not None  # noqa: S101 - it was loaded from a file
        source: str | None = module.__loader__.get_source(module.__name__)  # type: ignore[attr-defined]
        digest.update((source or "").replace("\r\n", "\n").encode() + b"\0")
    digest.update(repr(data).encode())
    return digest.hexdigest()[:_DIGITS]

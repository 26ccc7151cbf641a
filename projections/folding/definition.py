"""Digests a projection's definition: the code that folds, and the fields that the code reads. Pure."""

import hashlib
import io
import tokenize
from collections.abc import Iterator, Sequence
from functools import cache
from types import ModuleType

_DIGITS = 12
_STATEMENT, _INDENT, _DEDENT = "<end>", "<indent>", "<dedent>"  # markers: no token of Python is equal to one
_LAYOUT = (tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.ENDMARKER)
# From Python 3.12 on an f-string is many tokens, before that one. Its source text is the same in both, so it is taken
# whole, from its first to its last token.
_BEGINS_TEXT = {getattr(tokenize, name, None) for name in ("FSTRING_START", "TSTRING_START")} - {None}
_ENDS_TEXT = {getattr(tokenize, name, None) for name in ("FSTRING_END", "TSTRING_END")} - {None}


def digest_of(modules: Sequence[ModuleType], data: object) -> str:
    """The digest of the modules' code and of the data, the same on every version of Python.

    Comments, docstrings, imports and layout do not count.
    """
    digest = hashlib.sha256()
    for module in modules:
        digest.update(_code(module) + b"\0")
    digest.update(repr(data).encode())
    return digest.hexdigest()[:_DIGITS]


@cache
def _code(module: ModuleType) -> bytes:
    """Read once for all projections, which share most modules."""
    assert module.__loader__ is not None  # noqa: S101 - it was loaded from a file
    source: str | None = module.__loader__.get_source(module.__name__)  # type: ignore[attr-defined]
    return "\n".join(code_of(source or "")).encode()


def code_of(source: str) -> Iterator[str]:
    """The tokens of a module's statements, except docstrings and imports."""
    statement: list[str] = []
    for token in _tokens(source):
        if token not in (_STATEMENT, _INDENT, _DEDENT):
            statement.append(token)
            continue
        if statement and statement[0] not in ("import", "from") and not all(map(_is_text, statement)):
            yield from (*statement, _STATEMENT)
        statement = []
        if token != _STATEMENT:
            yield token


def _tokens(source: str) -> Iterator[str]:
    lines = [f"{line}\n" for line in source.split("\n")]  # as tokenize counts; splitlines knows more line ends
    begin: tuple[int, int] | None = None
    nested = 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in _BEGINS_TEXT:
            begin = begin or token.start
            nested += 1
        elif token.type in _ENDS_TEXT:
            nested -= 1
            if nested == 0 and begin is not None:
                yield _between(lines, begin, token.end)
                begin = None
        elif nested or token.type in _LAYOUT:
            continue
        elif token.type == tokenize.NEWLINE or token.string == ";":
            yield _STATEMENT
        elif token.type in (tokenize.INDENT, tokenize.DEDENT):
            yield _INDENT if token.type == tokenize.INDENT else _DEDENT
        else:
            yield token.string


def _between(lines: Sequence[str], begin: tuple[int, int], end: tuple[int, int]) -> str:
    (first, left), (last, right) = begin, end
    if first == last:
        return lines[first - 1][left:right]
    return "".join([lines[first - 1][left:], *lines[first : last - 1], lines[last - 1][:right]])


def _is_text(token: str) -> bool:
    return token.lstrip("rbuRBU")[:1] in ("'", '"')

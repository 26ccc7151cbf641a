"""Opens a file of text in the encoding that it is in: one that Excel writes, UTF-8, UTF-16 or Windows-1252."""

import codecs
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, TextIOWrapper
from pathlib import Path
from typing import BinaryIO, cast

from projections.truth.conclusion import NothingConcluded

_CHUNK = 1_048_576  # bytes
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_UTF_8 = ("utf-8", "utf-8-sig")
_NAMES = {"utf-8": "UTF-8", "utf-8-sig": "UTF-8 with a byte order mark", "utf-16": "UTF-16", "cp1252": "Windows-1252"}


def encoding_of(file: BinaryIO, name: str) -> str:
    """The encoding of a file, by its mark, else by all of its bytes. Raises `NothingConcluded`."""
    file.seek(0)
    beginning = file.read(_CHUNK)
    for mark, encoding in _MARKS:
        if beginning.startswith(mark):
            return encoding
    if b"\0" in beginning:
        raise NothingConcluded(f"{name} is neither text nor a sheet: save it as CSV or XLSX")
    decoder = codecs.getincrementaldecoder("utf-8")()
    chunk = beginning
    try:
        while chunk:
            decoder.decode(chunk)
            chunk = file.read(_CHUNK)
    except UnicodeDecodeError:
        return "cp1252"
    try:
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise NothingConcluded(f"{name} ends in the middle of a letter: is it whole? Export it again") from None
    return "utf-8"


def encoding_in_words(encoding: str) -> str:
    """An encoding as people call it."""
    return _NAMES[encoding]


@contextmanager
def open_text(path: Path, encoding: str) -> Iterator[TextIOWrapper]:
    """The text of a file. Raises `NothingConcluded` where its bytes are none of this encoding."""
    with path.open(encoding=encoding, newline="") as text:
        try:
            yield text
        except UnicodeError:
            name = _NAMES[encoding]
            raise NothingConcluded(
                f"{path} is in no encoding that is known ({name} does not fit): save it as CSV UTF-8"
            ) from None


class Utf8Lines:
    """The lines of an open text as bytes of UTF-8, with their ends.

    A file in UTF-8 is not decoded for it if `has_feeds`: its lines end with line feeds, by its beginning. Where one
    ends with a carriage return alone, what is given has several lines.
    """

    def __init__(self, text: TextIOWrapper, *, has_feeds: bool) -> None:
        self._text = text
        self._bytes = cast("BufferedReader", text.buffer) if has_feeds and text.encoding in _UTF_8 else None
        if self._bytes is not None and text.encoding == "utf-8-sig":
            self._bytes.read(len(codecs.BOM_UTF8))

    def next(self) -> bytes:
        """The next line; nothing at the end."""
        return self._text.readline().encode() if self._bytes is None else self._bytes.readline()

    def block(self, size: int) -> bytes:
        """Whole lines, of about so many bytes; nothing at the end."""
        if self._bytes is None:
            return "".join(self._text.readlines(size)).encode()
        return self._bytes.read(size) + self._bytes.readline()

"""Reads and writes JSON with its numbers as they came, however many digits they have. Pure."""

import json
import re
from contextlib import suppress

import msgspec
from pydantic_core import from_json

_LONGEST_NUMBER = 300  # characters of a fraction, or of a number with an exponent, far below the limit of `jsonb`
# Half of a surrogate pair: a high one without a low one behind it, or a low one without a high one before it.
_HIGH, _LOW = rb"\\u[dD][89abAB][0-9a-fA-F]{2}", rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
HALF_A_PAIR = re.compile(rb"%b(?!%b)|(?<!%b)%b" % (_HIGH, _LOW, _HIGH, _LOW))


class WrittenNumber(float):
    """A number that Python would write in another way, such as 15.10; `digits`: as it came."""

    digits: str

    def __new__(cls, digits: str) -> "WrittenNumber":
        number = super().__new__(cls, digits)
        number.digits = digits
        return number


def number_as_text(value: float) -> str:
    """A number as its sender wrote it, and a whole one without its fraction: 12.0 is 12."""
    digits = value.digits if isinstance(value, WrittenNumber) else repr(value)
    whole, _, fraction = digits.partition(".")
    return digits if fraction.strip("0") else whole


def _float(digits: str) -> float:
    """A number with a fraction. Raises `ValueError` for a long one or an exponent, which `jsonb` may not hold."""
    if len(digits) > _LONGEST_NUMBER or "e" in digits or "E" in digits:
        raise ValueError
    return _any_float(digits)


def _any_float(digits: str) -> float:
    value = float(digits)
    return value if repr(value) == digits else WrittenNumber(digits)


def _any_integer(digits: str) -> float:
    """Python refuses to read an integer of some thousand digits."""
    try:
        return int(digits)
    except ValueError:
        return WrittenNumber(digits)


def _no_number(constant: str) -> float:
    """Raises `ValueError`: JSON has no NaN."""
    raise ValueError(constant)


read_plain = msgspec.json.Decoder(float_hook=_float).decode
_read_exact = msgspec.json.Decoder(float_hook=_any_float).decode


def read_json(body: bytes) -> object:
    """A JSON document, its numbers with their digits. Raises `ValueError`."""
    with suppress(ValueError):
        return _read_exact(body)
    with suppress(ValueError):
        return from_json(body, allow_inf_nan=False)
    if HALF_A_PAIR.search(body.replace(b"\\\\", b"")):
        raise ValueError
    return json.loads(body.decode(), parse_int=_any_integer, parse_float=_any_float, parse_constant=_no_number)


def written_numbers(value: object) -> list[WrittenNumber]:
    """Each number in a document that is kept as it was written."""
    numbers: list[WrittenNumber] = []

    def note(number: WrittenNumber) -> None:
        numbers.append(number)

    msgspec.json.encode(value, enc_hook=note)
    return numbers


def write_json(value: object) -> bytes:
    """A document that was read here as JSON, its numbers as they came."""
    return msgspec.json.encode(value, enc_hook=_digits)


def _digits(value: WrittenNumber) -> msgspec.Raw:
    return msgspec.Raw(value.digits.encode())

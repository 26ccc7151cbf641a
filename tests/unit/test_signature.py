"""The verifier is total, and says yes to nothing but Movemint's own signature."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.signature import fault_of_form, is_signed, sign, signature_in, why_malformed


@given(body=st.binary(), secret=st.binary(min_size=1))
def test_what_movemint_signed_is_signed_in_either_case(body: bytes, secret: bytes) -> None:
    expected = hmac.new(secret, body, hashlib.sha256).hexdigest()
    assert sign(body, secret) == expected
    for received in (expected, expected.upper()):
        signature = signature_in([(b"x-signature", received.encode())])
        assert signature is not None
        assert is_signed(body, signature, [b"another live secret", secret])


@given(body=st.binary(), secret=st.binary(min_size=1), other=st.binary(min_size=1))
def test_another_secret_or_body_is_not_signed(body: bytes, secret: bytes, other: bytes) -> None:
    digest = hmac.new(secret, body, hashlib.sha256).hexdigest().encode()
    assert not is_signed(body + b"x", digest, [secret])
    # HMAC pads keys with zero bytes, so two keys that differ in those alone are the same key.
    if other.rstrip(b"\0") != secret.rstrip(b"\0") and max(len(other), len(secret)) <= 64:
        assert not is_signed(body, digest, [other])
    assert not is_signed(body, digest, [])


@given(headers=st.lists(st.tuples(st.sampled_from([b"x-signature", b"x-other"]), st.binary(max_size=80))))
def test_any_headers_give_an_answer(headers: list[tuple[bytes, bytes]]) -> None:
    signature = signature_in(headers)
    if signature is not None:
        assert [value for name, value in headers if name == b"x-signature"] == [signature]
        assert not is_signed(b"", signature, [b"secret"])


@given(value=st.binary(max_size=140) | st.text("0aF=-_+/ ", max_size=140).map(str.encode))
def test_any_value_is_well_formed_or_is_told_what_is_wrong(value: bytes) -> None:
    headers = [(b"x-signature", value)]
    assert (fault_of_form(value) is None) is (signature_in(headers) is not None)
    assert why_malformed(headers).isascii()
    assert why_malformed(headers * 2) == "is there 2 times"


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"0" * 63,
        b"0" * 65,
        b"g" * 64,
        b" " + b"0" * 63,
        b"0" * 64 + b"\n",
        "é".encode() * 32,
        b"sha256=" + b"0" * 64,
    ],
)
def test_a_malformed_signature_is_none(value: bytes) -> None:
    assert signature_in([(b"x-signature", value)]) is None


def test_a_doubled_signature_is_none() -> None:
    assert signature_in([(b"x-signature", b"0" * 64)] * 2) is None

"""The probe: known by its secret alone, for a minute, and of no use as a signature."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.probe import PROBE_HEADER, PROBE_SECONDS, echo_of, is_probe, probe_of
from ingest.signature import is_signed

NEW, OLD, NOW = b"a new secret", b"an old secret", 1_764_000_000.0
NONCE = bytes(range(16))


def header(value: str) -> list[tuple[bytes, bytes]]:
    return [(b"host", b"example.org"), (PROBE_HEADER.lower().encode(), value.encode())]


def test_whoever_has_one_of_the_secrets_is_known() -> None:
    for secret in (NEW, OLD):
        assert is_probe(header(probe_of(secret, NOW, NONCE)), [NEW, OLD], NOW)
    assert not is_probe(header(probe_of(b"another", NOW, NONCE)), [NEW, OLD], NOW)
    assert not is_probe(header(probe_of(NEW, NOW, NONCE)), [], NOW)
    assert not is_probe([], [NEW], NOW)


@pytest.mark.parametrize("apart", [PROBE_SECONDS + 1, -PROBE_SECONDS - 1, 10**9])
def test_a_probe_is_good_for_a_minute(apart: float) -> None:
    value = header(probe_of(NEW, NOW, NONCE))
    assert is_probe(value, [NEW], NOW + PROBE_SECONDS - 1)
    assert is_probe(value, [NEW], NOW - PROBE_SECONDS + 1)
    assert not is_probe(value, [NEW], NOW + apart)


def test_another_time_or_nonce_needs_another_proof() -> None:
    seconds, nonce, proof = probe_of(NEW, NOW, NONCE).split(".")
    assert not is_probe(header(f"{int(seconds) + 1}.{nonce}.{proof}"), [NEW], NOW)
    assert not is_probe(header(f"{seconds}.{nonce[::-1]}.{proof}"), [NEW], NOW)
    assert not is_probe(header(f"{seconds}.{nonce}.{proof.upper()}"), [NEW], NOW)
    assert not is_probe(header(f"{seconds}.{nonce}.{proof}") * 2, [NEW], NOW)


def test_a_probe_that_was_seen_on_the_way_signs_no_delivery() -> None:
    """Not the bytes that it is made of either: its key is another one."""
    value = probe_of(NEW, NOW, NONCE)
    challenge, _, proof = value.rpartition(".")
    for content in (challenge, value, "", f"rosterlog probe 1{challenge}", "rosterlog probe 1"):
        assert not is_signed(content.encode(), proof.encode(), [NEW])


def test_a_signature_of_bytes_of_ones_own_choice_makes_no_probe() -> None:
    challenge, _, _ = probe_of(NEW, NOW, NONCE).rpartition(".")
    signature = hmac.new(NEW, challenge.encode(), hashlib.sha256).hexdigest()
    assert not is_probe(header(f"{challenge}.{signature}"), [NEW], NOW)


@given(st.binary(max_size=200))
def test_any_bytes_are_answered(value: bytes) -> None:
    assert not is_probe([(PROBE_HEADER.lower().encode(), value)], [NEW], NOW)


def test_the_echo_tells_of_the_body_its_length_and_its_digest() -> None:
    told = {"bytes": 7, "sha256": hashlib.sha256(b"a\r\n\xffb\x00c").hexdigest(), "refused_for": "signature_wrong"}
    assert echo_of(b"a\r\n\xffb\x00c", "signature_wrong") == told

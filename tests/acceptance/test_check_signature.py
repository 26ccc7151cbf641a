"""`rosterlog check-signature`: which secret fits, and what is commonly wrong; it never shows a secret."""

import hashlib
import json
from pathlib import Path

import pytest

from tests import model
from tests.program import environ, run

pytestmark = pytest.mark.acceptance

NEW, OLD = b"a new secret", b"an old secret"
BODY = json.dumps({"type": "event.participant.created", "data": {"object": {"id": 1, "first_name": "Zoë"}}}).encode()
ENV = environ(MOVEMINT_WEBHOOK_SECRET=f"{NEW.decode()},{OLD.decode()}")


def check(folder: Path, body: bytes, signature: str, code: int = 1) -> str:
    file = folder / "body"
    file.write_bytes(body)
    said = run("check-signature", "--body", str(file), "--signature", signature, env=ENV, code=code)
    assert NEW.decode() not in said
    assert OLD.decode() not in said
    return said


def test_it_says_which_secret_fits(tmp_path: Path) -> None:
    assert "secret 1 of 2 of movemint" in check(tmp_path, BODY, model.signature(BODY, NEW), 0)
    assert "secret 2 of 2" in check(tmp_path, BODY, model.signature(BODY, OLD).upper(), 0)
    assert "secret 2 of 2" in check(tmp_path, BODY, f" {model.signature(BODY, OLD)}\t", 0)


WRONG = {
    "a line feed more": (BODY + b"\n", model.signature(BODY, OLD), "without the line feed"),
    "a line feed less": (BODY, model.signature(BODY + b"\n", NEW), "with a line feed"),
    "JSON written again": (
        json.dumps(json.loads(BODY), indent=1).encode(), model.signature(BODY, NEW), "written again as JSON"
    ),
    "a secret with a line feed": (BODY, model.signature(BODY, NEW + b"\n"), "secret 1 with a line feed"),
    "a secret with blanks": (BODY, model.signature(BODY, b" " + NEW + b" "), "secret 1 with blanks"),
    "a prefix": (BODY, f"sha256={model.signature(BODY, NEW)}", "without it, it fits"),
    "another algorithm": (BODY, hashlib.sha512(BODY).hexdigest(), "as SHA-512 makes them"),
    "base64": (BODY, "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA=", "base64"),
    "no secret at all": (BODY, hashlib.sha256(BODY).hexdigest(), "without any secret"),
    "no HMAC": (BODY, hashlib.sha256(OLD + BODY).hexdigest(), "not their HMAC"),
    "cut off": (BODY, model.signature(BODY, NEW)[:-2], "62 hex digits"),
    "another secret": (BODY, model.signature(BODY, b"another"), "the secret is another one"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "signature", "hint"), WRONG.values(), ids=WRONG.keys())
def test_it_says_what_is_commonly_wrong(tmp_path: Path, body: bytes, signature: str, hint: str) -> None:
    assert hint in check(tmp_path, body, signature)


def test_a_source_without_a_secret_is_named(tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(BODY)
    said = run("check-signature", "--body", str(tmp_path / "body"), "--signature", "0" * 64, env=environ(), code=2)
    assert "has no secret" in said

"""`rosterlog check-signature`: which secret fits a signature, and if none does, what is commonly wrong."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import BinaryIO

import click

from ingest.cli.group import settings_of
from ingest.cli.sources import source_of
from ingest.failures import WrongUsage
from ingest.settings import Settings
from ingest.signature import PREFIX, fault_of_form, is_signed
from ingest.sources import Secrets


@click.command("check-signature")
@click.option("--source", help="Default: movemint, or the only source there is.")
@click.option(
    "--body", required=True, type=click.File("rb"), help="The file with the exact bytes of the body; - reads."
)
@click.option("--signature", required=True, help="The value of X-Signature, as it was received.")
@settings_of
def check_signature(settings: Settings, source: str | None, body: BinaryIO, signature: str) -> None:
    """Tell which secret of a source made a signature; if none did, what is commonly wrong. Shows no secret."""
    source = source_of(settings, source)
    secrets = settings.sources.get(source)
    if not secrets:
        raise WrongUsage(
            f"{source} has no secret: set MOVEMINT_WEBHOOK_SECRET or ROSTERLOG_SOURCES as the server has it"
        )
    content, value = body.read(), signature.strip(" \t")
    for number, secret in enumerate(secrets, 1):
        if _fits(content, value, secret):
            click.echo(f"the signature fits: secret {number} of {len(secrets)} of {source} made it over these bytes")
            return
    click.echo(f"none of the {len(secrets)} secrets of {source} made this signature over these bytes")
    for hint in _hints(content, value, secrets):
        click.echo(f"- {hint}")
    raise SystemExit(1)


def _fits(content: bytes, value: str, secret: bytes) -> bool:
    return _fault(value) is None and is_signed(content, value.encode(), [secret])


def _fault(value: str) -> str | None:
    return fault_of_form(value.encode(errors="surrogateescape"))


def _hints(content: bytes, value: str, secrets: Secrets) -> Iterator[str]:
    """What may be wrong, the most certain first."""
    found = [*_other_forms(content, value, secrets), *_other_bytes(content, value, secrets)]
    found += _other_secrets(content, value, secrets)
    yield from found
    if not found and _fault(value) is None:
        yield (
            "the secret is another one, or the body was changed on its way: compare the secret in Movemint, and save "
            "the bytes where they arrive, before any program reads them as JSON"
        )


def _other_forms(content: bytes, value: str, secrets: Secrets) -> Iterator[str]:
    """Whether the value is written in another form than 64 hex digits."""
    if (fault := _fault(value)) is not None:
        rest = value[len(PREFIX) :] if value.lower().startswith(PREFIX.decode()) else ""
        fits = any(_fits(content, rest, secret) for secret in secrets)
        yield f"the value {fault}; X-Signature is 64 hex digits{'; without it, it fits' if fits else ''}"
    for number, secret in enumerate(secrets, 1):
        if value.lower() == hashlib.sha256(secret + content).hexdigest():
            yield f"it is the SHA-256 of secret {number} and the body, not their HMAC"
        if value.lower() == hashlib.sha256(content).hexdigest():
            yield "it is the SHA-256 of the body without any secret"
            return


def _other_bytes(content: bytes, value: str, secrets: Secrets) -> Iterator[str]:
    """Whether a secret made the signature over other bytes, such as programs make of a body."""
    for what, other in _variants(content):
        for number, secret in enumerate(secrets, 1):
            if other != content and _fits(other, value, secret):
                yield f"secret {number} made it over the body {what}: the bytes were changed after they were signed"


def _variants(content: bytes) -> Iterator[tuple[str, bytes]]:
    yield "without the line feed at its end", content.removesuffix(b"\n").removesuffix(b"\r")
    yield "with a line feed at its end", content + b"\n"
    yield "with line feeds instead of CR LF", content.replace(b"\r\n", b"\n")
    yield "without its byte order mark", content.removeprefix(b"\xef\xbb\xbf")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return
    for separators in ((",", ":"), (", ", ": ")):
        for is_ascii in (True, False):
            written = json.dumps(document, separators=separators, ensure_ascii=is_ascii)
            yield "written again as JSON", written.encode(errors="surrogatepass")
    yield (
        "written again as indented JSON",
        json.dumps(document, indent=2, ensure_ascii=False).encode(errors="surrogatepass"),
    )


def _other_secrets(content: bytes, value: str, secrets: Secrets) -> Iterator[str]:
    """Whether a secret was used in another form than it was set."""
    for number, secret in enumerate(secrets, 1):
        for what, other in (
            ("with a line feed at its end", secret + b"\n"),
            ("with blanks around it", b" " + secret + b" "),
            ("with a blank before it", b" " + secret),
            ("with a blank after it", secret + b" "),
            ("in quotation marks", b'"' + secret + b'"'),
            ("read as hex digits", _unhex(secret)),
        ):
            if other and hmac.compare_digest(hmac.digest(other, content, "sha256").hex(), value.lower()):
                yield f"secret {number} {what} made it: set the secret exactly as Movemint has it"


def _unhex(secret: bytes) -> bytes:
    try:
        return bytes.fromhex(secret.decode("ascii"))
    except ValueError:
        return b""

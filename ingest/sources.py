"""Which sources there are and the secrets of each, as a JSON text, a file or a folder of the operator's has them."""

import json
import os
import re
import stat
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ingest.failures import WrongUsage

Secrets = tuple[bytes, ...]
"""The secrets of a source, newest first, as the bytes that key the signature."""

_MOST_FILE_BYTES = 16 * 2**20
_MOST_SECRET_BYTES = 65_536
_SOURCE_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}\Z")


class UnusableSources(WrongUsage):
    """The file or folder of sources cannot be used as it is; the message says why, and shows no secret."""


@dataclass(frozen=True, slots=True)
class SourcesRead:
    """What was read of a file or folder. `faults`: a sentence for each source of a folder whose file is not usable.

    `readable_by_all`: the files that every account of the machine may read.
    """

    secrets: Mapping[str, Secrets]
    faults: Mapping[str, str] = field(default_factory=dict)
    readable_by_all: tuple[str, ...] = ()


def secrets_of_json(content: str) -> dict[str, Secrets]:
    """The secrets by source, of a JSON object such as `{"spring-races": ["secret"]}`. Raises `ValueError`."""
    return {_source_name(name): _source_secrets(name, secrets) for name, secrets in _json_object(content).items()}


def read_sources(path: Path) -> SourcesRead:
    """What a JSON file has, or a folder with a file a source: named as the source, a secret a line, the newest first.

    Names of a folder that begin with a dot are not read. Raises `UnusableSources`.
    """
    try:
        if path.is_dir():
            return _of_folder(path)
        content = _text(path, _MOST_FILE_BYTES)
        found = SourcesRead(secrets_of_json(content), {}, tuple(_open_to_all([path])))
    except OSError as error:
        raise UnusableSources(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise UnusableSources(f"{path}: {error}") from None
    if not found.secrets:
        raise UnusableSources(f"{path} names no source")
    return found


def is_source_name(name: str) -> bool:
    return _SOURCE_NAME.match(name) is not None


def added_secret(path: Path, name: str, secret: bytes) -> int:
    """Put a secret before the others of a source, which may be new, in the file or folder; gives how many it has then.

    Readers see the file as it was, or as it is then. Raises `UnusableSources`.
    """
    try:
        if path.is_dir():
            file = path / name
            secrets = (secret, *(_secrets_of(file) if file.exists() else ()))
            _replace(file, b"".join(each + b"\n" for each in secrets))
        else:
            of_source = {**secrets_of_json(_text(path, _MOST_FILE_BYTES))} if path.exists() else {}
            secrets = (secret, *of_source.get(name, ()))
            texts = {each: list(map(os.fsdecode, some)) for each, some in {**of_source, name: secrets}.items()}
            _replace(path, (json.dumps(texts, indent=1) + "\n").encode())
    except OSError as error:
        raise UnusableSources(f"{path} cannot be written: {error.strerror}") from None
    except ValueError as error:
        raise UnusableSources(f"{path}: {error}") from None
    return len(secrets)


def _replace(file: Path, content: bytes) -> None:
    if file.is_symlink():
        raise ValueError(f"{file.name} is a link, as secret mounts have: change the secret where it comes from")
    temporary = file.with_name(f".{file.name}.new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
        found = (file if file.exists() else file.parent).stat()
        if file.exists():  # as it was for those who read it
            os.fchmod(opened.fileno(), stat.S_IMODE(found.st_mode))
        if os.geteuid() == 0:  # a new one is for those whose folder it is
            os.fchown(opened.fileno(), found.st_uid, found.st_gid)
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    temporary.replace(file)


def mark_of(path: Path) -> tuple[object, ...] | None:
    """What is another whenever the file, or one of the folder's files, is another; None if there is none to be read."""
    try:
        if path.is_dir():
            return tuple((entry.name, *_stamp(entry)) for entry in _entries(path))
        return _stamp(path)
    except OSError:
        return None


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except FileNotFoundError:  # between two links of a secret mount
        return ()
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns, found.st_size  # ctime: its rights


def _of_folder(folder: Path) -> SourcesRead:
    secrets: dict[str, Secrets] = {}
    faults: dict[str, str] = {}
    files = list(_entries(folder))
    for file in files:
        try:
            secrets[_source_name(file.name)] = _secrets_of(file)
        except OSError as error:
            faults[file.name] = f"cannot be read: {error.strerror}"
        except ValueError as error:
            faults[file.name] = str(error)
    if not secrets:
        raise UnusableSources(f"{folder} has no source: " + next(iter(faults.values()), "it is empty"))
    return SourcesRead(secrets, faults, tuple(_open_to_all(files)))


def _entries(folder: Path) -> Iterator[Path]:
    """The folder's files by name; what is hidden are the turning links of a secret mount, and an editor's files."""
    return (file for file in sorted(folder.iterdir()) if not file.name.startswith("."))


def _secrets_of(file: Path) -> Secrets:
    secrets = tuple(os.fsencode(line.strip()) for line in _text(file, _MOST_SECRET_BYTES).splitlines() if line.strip())
    if not secrets:
        raise ValueError("holds no secret: write one a line, the newest first")
    return _refuse_dots(secrets)


def _text(file: Path, limit: int) -> str:
    with file.open("rb") as opened:
        content = opened.read(limit + 1)
    if len(content) > limit:
        raise ValueError(f"is larger than {limit} bytes, which no file of secrets is")
    return content.decode(errors="surrogateescape")


def _open_to_all(files: list[Path]) -> Iterator[str]:
    for file in files:
        try:
            if file.stat().st_mode & stat.S_IROTH:
                yield file.name
        except OSError:
            continue


def _json_object(content: str) -> dict[str, object]:
    doubled: list[str] = []

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        doubled.extend(name for name, number in Counter(name for name, _ in pairs).items() if number > 1)
        return dict(pairs)

    try:
        document = json.loads(content, object_pairs_hook=unique)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ValueError('is not a JSON object such as {"spring-races": ["secret"]}') from None
    if doubled:  # JSON would keep the last one alone
        raise ValueError(f"{doubled[0]!r} is there twice: put all its secrets into one list, the newest first")
    return document


def _source_name(name: str) -> str:
    if not _SOURCE_NAME.match(name):
        raise ValueError(f"{name!r} cannot name a source: use up to 63 lower-case letters, digits, - and _")
    return name


def _source_secrets(name: str, secrets: object) -> Secrets:
    if not isinstance(secrets, list) or not secrets or not all(isinstance(part, str) and part for part in secrets):
        raise ValueError(f"{name} needs a list of one or more secrets")
    return _refuse_dots(tuple(os.fsencode(part) for part in secrets))


def _refuse_dots(secrets: Secrets) -> Secrets:
    if b"..." in secrets:  # as the documents write what is to be filled in
        raise ValueError("has the dots of the example: put the subscription's secret there")
    return secrets

"""What a command writes to: complete files alone, for their owner's eyes; devices and pipes as they are."""

import errno
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from ingest.failures import Failure, WrongUsage
from projections.cli.output import is_standard_output, written

_NOBODY = 65_534
CHUNK = b"x" * 100_000


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every account can look into, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="rosterlog-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def ordinary_account() -> Iterator[None]:
    """Root may write everywhere; another account may not."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def write(target: Path | None, *chunks: bytes) -> None:
    with written(target) as out:
        for chunk in chunks:
            out(chunk)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.mark.parametrize("before", [None, 0o666, 0o600, 0o400])
def test_a_file_is_its_owners_alone_whatever_its_mode_was(folder: Path, before: int | None) -> None:
    path = folder / "roster"
    if before is not None:
        path.write_bytes(b"earlier")
        path.chmod(before)
    write(path, b"a", b"b")
    assert (path.read_bytes(), mode(path)) == (b"ab", 0o600)
    assert names(folder) == ["roster"]


def test_a_file_is_replaced_only_when_the_new_one_is_complete(folder: Path) -> None:
    path = folder / "roster"
    path.write_bytes(b"earlier")

    def fail() -> None:
        with written(path) as out:
            out(CHUNK)
            assert path.read_bytes() == b"earlier"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_bytes() == b"earlier"
    assert names(folder) == ["roster"]


@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_stays_and_the_file_that_it_names_is_replaced(folder: Path, *, is_there: bool) -> None:
    (folder / "other").mkdir()
    real, link, second = folder / "other" / "real", folder / "link", folder / "second"
    link.symlink_to("other/real")
    second.symlink_to(link)
    if is_there:
        real.write_bytes(b"earlier")
    write(second, b"new")
    assert (second.is_symlink(), link.is_symlink(), real.is_symlink()) == (True, True, False)
    assert (real.read_bytes(), mode(real)) == (b"new", 0o600)


def test_a_name_of_any_length_and_any_bytes_is_taken(folder: Path) -> None:
    for name in (b"n" * 255, "ü".encode() * 127, b"\xff\xfe"):
        path = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
        write(path, b"a")
        assert path.read_bytes() == b"a"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("file/below", "Not a directory"), ("missing/roster", "No such file or directory"), ("", "Is a directory"),
        ("loop", "Too many levels of symbolic links"), ("n" * 256, "File name too long"), ("lost", "No such file"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_is_told_in_one_line(folder: Path, name: str, says: str) -> None:
    (folder / "file").write_bytes(b"earlier")
    (folder / "loop").symlink_to("loop")
    (folder / "lost").symlink_to("missing/roster")
    before = names(folder)
    with pytest.raises(WrongUsage, match=f"cannot be written: {says}") as refused:
        write(folder / name, CHUNK)
    assert "\n" not in str(refused.value)
    assert names(folder) == before
    assert (folder / "file").read_bytes() == b"earlier"


@pytest.mark.parametrize("is_there", [True, False])
def test_an_ordinary_account_is_refused_a_folder_that_it_may_not_write_to(folder: Path, *, is_there: bool) -> None:
    if is_there:
        (folder / "roster").write_bytes(b"earlier")
    folder.chmod(0o555)
    with ordinary_account(), pytest.raises(WrongUsage, match="cannot be written: Permission denied"):
        write(folder / "roster", CHUNK)
    folder.chmod(0o755)
    assert names(folder) == (["roster"] if is_there else [])


def test_devices_are_written_to_and_stay_devices() -> None:
    for path in (Path("/dev/null"), Path("/dev/full")):
        before = path.stat()
        if path.name == "null":
            write(path, CHUNK, CHUNK)
        else:
            with pytest.raises(Failure, match="/dev/full cannot be written: No space left on device"):
                write(path, CHUNK, CHUNK)
            with pytest.raises(Failure, match="No space left on device"):
                write(path, b"little")
        after = path.stat()
        assert (after.st_ino, after.st_mode, after.st_rdev) == (before.st_ino, before.st_mode, before.st_rdev)


def test_a_pipe_is_written_to_and_its_end_is_no_failure(folder: Path) -> None:
    path = folder / "pipe"
    os.mkfifo(path)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    write(path, CHUNK, CHUNK)
    reader.join()
    assert read == [CHUNK * 2]

    def leave() -> None:
        with path.open("rb") as pipe:
            pipe.read(10)

    leaver = threading.Thread(target=leave)
    leaver.start()
    with pytest.raises(BrokenPipeError):
        write(path, *[CHUNK] * 20)
    leaver.join()
    assert names(folder) == ["pipe"]


def test_a_disk_quota_leaves_the_earlier_file(folder: Path) -> None:
    path = folder / "roster"
    path.write_bytes(b"earlier")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, hard))
    try:
        with pytest.raises(Failure, match=f"cannot be written: {os.strerror(errno.EFBIG)}"):
            write(path, CHUNK, CHUNK)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert path.read_bytes() == b"earlier"
    assert names(folder) == ["roster"]


@pytest.mark.parametrize("size", [10, 100_000])
def test_a_full_disk_leaves_the_earlier_file(folder: Path, size: int) -> None:
    mount = shutil.which("mount")
    if (
        mount is None
        or subprocess.run(
            [mount, "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("this account may not mount a small disk")
    try:
        path = folder / "roster"
        path.write_bytes(b"earlier")
        with suppress(OSError), (folder / "filling").open("wb", buffering=0) as filling:
            while filling.write(bytes(512)):
                pass
        with pytest.raises(Failure, match="roster cannot be written: No space left on device"):
            write(path, b"x" * size)
        assert path.read_bytes() == b"earlier"
        assert names(folder) == ["filling", "roster"]
    finally:
        subprocess.run(["umount", folder], check=True)


def test_the_other_names_of_standard_output_are_standard_output() -> None:
    assert is_standard_output(None)
    program = (
        "import sys; from pathlib import Path; from projections.cli.output import *\n"
        "for name in sys.argv[1:]:\n"
        "    with written(Path(name)) as write: write(name.encode() + b'\\n')\n"
        "    print(is_standard_output(Path(name)), flush=True)\n"
    )
    names = ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"]
    said = "".join(f"{name}\nTrue\n" for name in names)
    command = [sys.executable, "-c", program, *names]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == said
    with tempfile.NamedTemporaryFile("r+") as file:
        subprocess.run(command, stdout=file, check=True)
        file.seek(0)
        assert file.read() == said, "in the order in which it was written, and in the file that the shell opened"

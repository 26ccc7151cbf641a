"""This machine: the account, the embedded database's files, the room on its disk."""

import os
import shutil
from pathlib import Path

import pytest

from projections.doctor import machine
from tests.findings import only, worst


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data folder as `up` makes it, with 3 kB of write-ahead log."""
    home = tmp_path / "postgres"
    for folder in (home, home / "data", home / "data" / "pg_wal"):
        folder.mkdir(mode=0o700)
    (home / "data" / "pg_wal" / "1").write_bytes(bytes(3_000))
    (home / "password").write_text("p")
    (home / "password").chmod(0o600)
    return tmp_path


def test_root_is_for_nobody() -> None:
    assert machine.check_account(0).level.value == "warn"
    assert machine.check_account(1000).level.value == "ok"


def test_files_that_other_accounts_can_read_are_told(data: Path) -> None:
    assert worst(machine.check_files_of(data)) == []
    (data / "postgres" / "password").chmod(0o640)
    level, said = only(machine.check_files_of(data), "files")
    assert (level, f"chmod 600 {data / 'postgres' / 'password'}" in said) == ("fail", True)
    (data / "postgres" / "password").chmod(0o600)
    (data / "postgres").chmod(0o755)
    assert "can enter" in only(machine.check_files_of(data), "files")[1]
    assert [*machine.check_files_of(data / "nothing")] == []


def test_a_disk_without_room_is_told(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    level, said = only(machine.check_disk(data, most_wal=0), "disk")
    assert (level, "takes 0 bytes more" in said) == ("ok", True), "it has more than it may take"
    level, said = only(machine.check_disk(data, most_wal=2**60 + 3_000), "disk")
    assert (level, f"{2**30}.0 GB more" in said) == ("warn", True)
    os.truncate(data / "postgres" / "data" / "pg_wal" / "1", 2**32)
    monkeypatch.setattr(machine, "NEARLY_FULL_BYTES", 0)
    assert "4.0 GB more" in only(machine.check_disk(data, most_wal=2**33), "disk")[1]
    monkeypatch.setattr(machine, "NEARLY_FULL_BYTES", 2**60)
    assert only(machine.check_disk(data, most_wal=0), "disk")[0] == "fail"
    assert [*machine.check_disk(data / "nothing")] == []


def test_what_is_gone_or_may_not_be_seen_ends_no_check(data: Path) -> None:
    home = data / "postgres"
    (home / "data" / "pg_wal" / "2").symlink_to("removed")
    assert len([*machine.check_disk(data, most_wal=0)]) == 1
    shutil.rmtree(home / "data" / "pg_wal")
    assert len([*machine.check_disk(data, most_wal=0)]) == 1
    (home / "password").unlink()
    assert worst(machine.check_files_of(data)) == []


def test_files_are_named_where_they_are(data: Path) -> None:
    """Run by root, the folder may be a link to one that PostgreSQL's account can enter."""
    real = data / "elsewhere"
    (data / "postgres").rename(real)
    (data / "postgres").symlink_to(real)
    real.chmod(0o755)
    assert f"chmod 700 {real}" in only(machine.check_files_of(data), "files")[1]

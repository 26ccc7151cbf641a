"""This machine: the account, the embedded database's files, the room on its disk."""

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
    assert worst(machine.check_disk(data, most_wal=0)) == []
    level, said = only(machine.check_disk(data, most_wal=2**60 + 3_000), "disk")
    assert (level, f"{2**30}.0 GB more" in said) == ("warn", True)
    monkeypatch.setattr(machine, "NEARLY_FULL_BYTES", 2**60)
    assert only(machine.check_disk(data, most_wal=0), "disk")[0] == "fail"
    assert [*machine.check_disk(data / "nothing")] == []

"""How much room is left: what is not known hinders nothing, and full is less than PostgreSQL needs."""

from pathlib import Path

from ingest.disk import FULL_BYTES, disk_hindrance, free_bytes


def test_a_disk_that_is_not_there_is_not_full(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "nowhere") is None
    assert disk_hindrance(None) is None


def test_full_is_less_than_the_next_segments_of_the_write_ahead_log_need(tmp_path: Path) -> None:
    assert disk_hindrance(FULL_BYTES) is None
    assert disk_hindrance(FULL_BYTES - 1) == "the disk is full, 128.0 MB are left"
    (tmp_path / "postgres").symlink_to("/proc")  # another file system, which has no room at all
    assert free_bytes(tmp_path) == 0

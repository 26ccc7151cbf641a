"""The operator's file or folder of sources: what is read of it, what is refused, and how a secret is added."""

import os
import stat
from pathlib import Path

import pytest

from ingest.settings import SettingsError, read_settings
from ingest.sources import UnusableSources, added_secret, mark_of, read_sources


def test_a_json_file_has_what_the_setting_has(tmp_path: Path) -> None:
    file = _private(tmp_path / "sources.json", '{"spring": ["new", "old"], "autumn": ["a,b"]}')
    found = read_sources(file)
    assert found.secrets == {"spring": (b"new", b"old"), "autumn": (b"a,b",)}
    assert (found.faults, found.readable_by_all) == ({}, ())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is not a JSON object"), ('{"spring": ["ne', "is not a JSON object"), ("{}", "names no source"),
        ('{"Spring": ["hush"]}', "cannot name a source"), ('{"spring": []}', "needs a list of one or more secrets"),
        ('{"spring": ["hush"], "spring": ["hush"]}', "is there twice"), ('{"spring": ["..."]}', "the dots"),
    ],
)  # fmt: skip
def test_a_json_file_that_is_not_whole_is_refused_as_one(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(UnusableSources, match=says) as refused:
        read_sources(_private(tmp_path / "sources.json", content))
    assert "hush" not in str(refused.value)


def test_a_file_that_is_missing_or_far_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableSources, match="cannot be read: No such file"):
        read_sources(tmp_path / "none")
    os.truncate(_private(tmp_path / "large", ""), 17 * 2**20)
    with pytest.raises(UnusableSources, match="is larger than"):
        read_sources(tmp_path / "large")


def test_a_folder_has_a_file_a_source_with_a_secret_a_line(tmp_path: Path) -> None:
    _private(tmp_path / "spring", "new\r\n\nold\n")
    _private(tmp_path / "autumn", "only")
    _private(tmp_path / ".autumn.swp", "hidden")
    assert read_sources(tmp_path).secrets == {"spring": (b"new", b"old"), "autumn": (b"only",)}


def test_a_secret_mount_turns_its_links_and_shows_another_mark(tmp_path: Path) -> None:
    for version in ("..1", "..2"):
        (tmp_path / version).mkdir()
        _private(tmp_path / version / "spring", f"secret {version}")
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "spring").symlink_to("..data/spring")
    before = mark_of(tmp_path)
    assert read_sources(tmp_path).secrets == {"spring": (b"secret ..1",)}
    (tmp_path / "..new").symlink_to("..2")
    (tmp_path / "..new").replace(tmp_path / "..data")
    assert read_sources(tmp_path).secrets == {"spring": (b"secret ..2",)}
    assert mark_of(tmp_path) != before


def test_one_bad_file_of_a_folder_is_named_and_stops_no_other(tmp_path: Path) -> None:
    _private(tmp_path / "spring", "good")
    _private(tmp_path / "empty", "\n")
    _private(tmp_path / "Not a name", "hush")
    (tmp_path / "gone").symlink_to("nowhere")
    found = read_sources(tmp_path)
    assert found.secrets == {"spring": (b"good",)}
    assert {name: why.split(":")[0] for name, why in found.faults.items()} == {
        "empty": "holds no secret", "Not a name": "'Not a name' cannot name a source", "gone": "cannot be read",
    }  # fmt: skip


def test_a_folder_without_one_usable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableSources, match="has no source: it is empty"):
        read_sources(tmp_path)


def test_files_that_everybody_may_read_are_told(tmp_path: Path) -> None:
    _private(tmp_path / "spring", "good").chmod(0o644)
    _private(tmp_path / "autumn", "good").chmod(0o640)
    assert read_sources(tmp_path).readable_by_all == ("spring",)


def test_a_secret_is_added_before_the_others_and_the_file_stays_as_private_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "sources.json"
    assert added_secret(file, "spring", b"old\xff") == 1
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o640)
    assert added_secret(file, "spring", b"new") == 2
    assert read_sources(file).secrets == {"spring": (b"new", b"old\xff")}
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    folder = tmp_path / "folder"
    folder.mkdir()
    assert [added_secret(folder, "spring", each) for each in (b"old", b"new")] == [1, 2]
    assert read_sources(folder).secrets == {"spring": (b"new", b"old")}
    assert [path.name for path in folder.iterdir()] == ["spring"]


def test_rights_that_are_mended_show_another_mark(tmp_path: Path) -> None:
    file = _private(tmp_path / "spring", "good")
    before = mark_of(tmp_path), mark_of(file)
    file.chmod(0o640)
    assert before[0] != mark_of(tmp_path)
    assert before[1] != mark_of(file)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a file away")
def test_a_new_file_that_root_makes_is_for_those_whose_folder_it_is(tmp_path: Path) -> None:
    os.chown(tmp_path, 4001, 4002)
    added_secret(tmp_path, "spring", b"new")
    found = (tmp_path / "spring").stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (4001, 4002, 0o600)


def test_a_secret_is_not_added_to_what_is_broken_or_a_mount(tmp_path: Path) -> None:
    broken = _private(tmp_path / "sources.json", '{"spring": ["ne')
    with pytest.raises(UnusableSources, match="is not a JSON object"):
        added_secret(broken, "autumn", b"new")
    assert broken.read_text() == '{"spring": ["ne'
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "spring").symlink_to("../sources.json")
    with pytest.raises(UnusableSources, match="change the secret where it comes from"):
        added_secret(tmp_path / "folder", "spring", b"new")


def test_settings_join_the_file_with_the_environment_and_refuse_a_source_in_both(tmp_path: Path) -> None:
    file = _private(tmp_path / "sources.json", '{"spring": ["hush"]}')
    environ = {"ROSTERLOG_SOURCES_FILE": str(file), "MOVEMINT_WEBHOOK_SECRET": "own"}
    assert read_settings(environ).sources == {"movemint": (b"own",), "spring": (b"hush",)}
    doubled = read_settings({**environ, "ROSTERLOG_SOURCES": '{"spring": ["other"]}'})
    with pytest.raises(SettingsError, match="spring has secrets in ROSTERLOG_SOURCES_FILE and in the environment"):
        _ = doubled.sources


def _private(file: Path, content: str) -> Path:
    file.write_text(content)
    file.chmod(0o600)
    return file

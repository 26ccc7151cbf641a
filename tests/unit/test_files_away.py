"""Files and answers that cannot be used end a comparison with a sentence, not with a fault."""

import errno
from datetime import timedelta
from pathlib import Path

import pytest

from projections.cli import every
from projections.cli.file_options import columns_of
from projections.participants.fields import DECLARED
from projections.truth.api.client import _token_in
from projections.truth.conclusion import NothingConcluded
from projections.truth.listing import listing_of


def test_a_map_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    path = tmp_path / "listed.csv"
    path.write_text("id\n1\n")
    with pytest.raises(
        NothingConcluded, match=r"map\.toml cannot be written: No such file .*give --map another folder"
    ):
        columns_of(listing_of(path), DECLARED, tmp_path / "none" / "map.toml")


def test_a_file_that_is_away_meanwhile_is_another_one(tmp_path: Path) -> None:
    path = tmp_path / "listed.csv"
    path.write_text("id\n1\n")
    listing = listing_of(path)
    before = listing.is_changed
    path.unlink()
    assert [before, listing.is_changed] == [False, True]
    with pytest.raises(NothingConcluded, match=r"listed\.csv cannot be read any more: No such file"):
        listing.digest()


def test_a_token_for_longer_than_there_are_seconds_is_none() -> None:
    assert _token_in(b'{"access_token": "a", "expires_in": 1%s}' % (b"0" * 400)) is None
    assert _token_in(b'{"access_token": "a", "expires_in": 60}') == ("a", 60.0)


def test_an_output_that_cannot_be_written_does_not_end_the_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[int] = []

    def look() -> str:
        looks.append(1)
        if len(looks) == 3:
            raise SystemExit(0)
        return "agrees"

    def echo(_line: str, **_more: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("click.echo", echo)
    monkeypatch.setattr("signal.signal", lambda _number, _handler: None)
    with pytest.raises(SystemExit):
        every.look_again(timedelta(0), look)
    assert len(looks) == 3

"""Settings: every name is known, every mistake is named, no secret is shown."""

import re

import pytest

from ingest.settings import Settings, SettingsError, read_settings
from tests import ROOT

README = ROOT / "README.md"


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = read_settings({"PATH": "/bin", "DATABASE_URL": ""})
    assert (settings.host, settings.port, settings.max_body_bytes) == ("127.0.0.1", 8000, 1_048_576)
    assert settings.database_url is None
    assert settings.sources == {}


def test_bodies_may_arrive_as_far_as_they_may_wait_unless_said_otherwise() -> None:
    large = {"ROSTERLOG_MAX_BODY_BYTES": "100000000", "ROSTERLOG_MAX_PENDING_BYTES": "200000000"}
    assert read_settings(large).arriving_bytes == 200_000_000
    assert read_settings({**large, "ROSTERLOG_MAX_ARRIVING_BYTES": "150000000"}).arriving_bytes == 150_000_000
    with pytest.raises(SettingsError, match="ROSTERLOG_MAX_ARRIVING_BYTES is below ROSTERLOG_MAX_BODY_BYTES"):
        read_settings({**large, "ROSTERLOG_MAX_ARRIVING_BYTES": "1000"})


def test_a_secret_may_be_any_bytes() -> None:
    assert read_settings({"MOVEMINT_WEBHOOK_SECRET": "abc\udcff"}).sources == {"movemint": (b"abc\xff",)}


def test_secrets_are_newest_first_and_sources_add_up() -> None:
    settings = read_settings({"MOVEMINT_WEBHOOK_SECRET": "new, old", "ROSTERLOG_SOURCES": '{"spring": ["a", "b"]}'})
    assert settings.sources == {"movemint": (b"new", b"old"), "spring": (b"a", b"b")}
    assert "new" not in repr(settings)


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"ROSTERLOG_PROT": "1"}, "did you mean ROSTERLOG_PORT"),
        ({"ROSTERLOG_": "1"}, "ROSTERLOG_ is not a setting"),
        ({"ROSTERLOG_PORT": "many"}, "ROSTERLOG_PORT"),
        ({"ROSTERLOG_PORT": "70000"}, "ROSTERLOG_PORT"),
        ({"ROSTERLOG_MAX_BODY_BYTES": "0"}, "ROSTERLOG_MAX_BODY_BYTES"),
        ({"DATABASE_URL": "mysql://root:hush@host/x"}, "DATABASE_URL"),
        ({"READ_DATABASE_URL": "hush"}, "READ_DATABASE_URL"),
        ({"ROSTERLOG_MAX_PENDING_BYTES": "1000"}, "ROSTERLOG_MAX_PENDING_BYTES"),
        ({"MOVEMINT_WEBHOOK_SECRET": " , "}, "MOVEMINT_WEBHOOK_SECRET"),
        ({"ROSTERLOG_SOURCES": "hush"}, "ROSTERLOG_SOURCES"),
        ({"ROSTERLOG_SOURCES": "[" * 100_000}, "ROSTERLOG_SOURCES"),
        ({"ROSTERLOG_SOURCES": '{"Spring races": ["hush"]}'}, "ROSTERLOG_SOURCES"),
        ({"ROSTERLOG_SOURCES": '{"spring": []}'}, "ROSTERLOG_SOURCES"),
        ({"ROSTERLOG_SOURCES": '{"spring": "hush"}'}, "ROSTERLOG_SOURCES"),
        ({"ROSTERLOG_SOURCES": '{"movemint": ["hush"]}', "MOVEMINT_WEBHOOK_SECRET": "hush"}, "MOVEMINT_WEBHOOK_SECRET"),
    ],
)
def test_a_wrong_setting_is_named_and_its_value_is_not_shown(environ: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(named)) as caught:
        read_settings(environ)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@h:5432/d",
        "postgres://h/d",
        "postgresql://a:1,b:2/d?target_session_attrs=read-write",
        "postgresql:///d?host=/run/postgresql",
        "host=/tmp dbname=d",
    ],
)
def test_any_libpq_url_is_taken(url: str) -> None:
    url_read = read_settings({"DATABASE_URL": url}).database_url
    assert url_read is not None
    assert url_read.get_secret_value() == url


def test_every_setting_is_documented() -> None:
    documented = set(re.findall(r"`((?:ROSTERLOG|MOVEMINT|DATABASE|READ_DATABASE)_[A-Z_]+)`", README.read_text()))
    assert documented == {field.alias for field in Settings.model_fields.values()}

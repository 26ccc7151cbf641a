"""Settings: every name is known, every mistake is named, no secret is shown."""

import re

import pytest

from ingest.environment import set_by_kubernetes
from ingest.settings import Settings, SettingsError, read_settings, setting_names
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


def test_the_dots_of_the_example_are_no_secret() -> None:
    with pytest.raises(SettingsError, match="has the dots of the example: put the subscription's secret there"):
        read_settings({"MOVEMINT_WEBHOOK_SECRET": "..."})


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
        ({"MOVEMINT_WEBHOOK_SECRETS": "hush"}, "did you mean MOVEMINT_WEBHOOK_SECRET?"),
        ({"MOVEMINT_SECRET": "hush"}, "did you mean MOVEMINT_WEBHOOK_SECRET?"),
        ({"MOVEMINT_WEBHOOK": "hush"}, "did you mean MOVEMINT_WEBHOOK_SECRET?"),
        ({"MOVEMINT_WEBHOK_SECRET": "hush"}, "did you mean MOVEMINT_WEBHOOK_SECRET?"),
        ({"ROSTERLOG_PUBLIC_URL": "example.org/hush"}, "ROSTERLOG_PUBLIC_URL"),
        ({"ROSTERLOG_PUBLIC_URL": "https://me:hush@example.org"}, "ROSTERLOG_PUBLIC_URL"),
        ({"ROSTERLOG_PUBLIC_URL": "https://example.org/?hush"}, "ROSTERLOG_PUBLIC_URL"),
        ({"ROSTERLOG_PUBLIC_URL": "https://example.org/hush page"}, "ROSTERLOG_PUBLIC_URL"),
        ({"ROSTERLOG_PUBLIC_URL": "https://example.org:hush"}, "ROSTERLOG_PUBLIC_URL"),
        ({"ROSTERLOG_PUBLIC_URL": "tcp://10.0.0.1:8000"}, "ROSTERLOG_PUBLIC_URL"),
        ({"ROSTERLOG_TIME_ZONE": "hush"}, "ROSTERLOG_TIME_ZONE: is no time zone of the IANA database"),
        ({"ROSTERLOG_TIME_ZONE": "America/denver"}, "did you mean America/Denver?"),
        ({"ROSTERLOG_HOST_PORT": "hush"}, "ROSTERLOG_HOST_PORT is not a setting"),
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
        (
            {"ROSTERLOG_SOURCES": '{"spring": ["hush"], "autumn": ["hush"], "spring": ["hush"]}'},
            "ROSTERLOG_SOURCES: 'spring' is there twice",
        ),
        ({"ROSTERLOG_SOURCES": '{"spring": "hush"}'}, "ROSTERLOG_SOURCES"),
        ({"ROSTERLOG_SOURCES": '{"movemint": ["hush"]}', "MOVEMINT_WEBHOOK_SECRET": "hush"}, "MOVEMINT_WEBHOOK_SECRET"),
    ],
)
def test_a_wrong_setting_is_named_and_its_value_is_not_shown(environ: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(named)) as caught:
        read_settings(environ)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("name", ["API_KEY", "TOKEN", "URL", "BASE_URL", "HOST", "EVENT_ID", ""])
def test_a_name_of_other_programs_that_talk_to_movemint_stops_nothing(name: str) -> None:
    assert read_settings({f"MOVEMINT_{name}": "hush"}) == read_settings({})


OF_KUBERNETES = {
    "ROSTERLOG_PORT": "tcp://10.0.0.1:8000",
    "ROSTERLOG_SERVICE_HOST": "10.0.0.1",
    "ROSTERLOG_SERVICE_PORT": "8000",
    "ROSTERLOG_SERVICE_PORT_HTTP": "8000",
    "ROSTERLOG_PORT_8000_TCP": "tcp://10.0.0.1:8000",
    "ROSTERLOG_PORT_8000_TCP_ADDR": "10.0.0.1",
    "ROSTERLOG_PORT_8000_TCP_PORT": "8000",
    "ROSTERLOG_PORT_8000_TCP_PROTO": "tcp",
    "ROSTERLOG_INGEST_PORT": "udp://10.0.0.2:9",
    "MOVEMINT_RELAY_PORT": "tcp://10.0.0.3:80",
    "MOVEMINT_RELAY_SERVICE_HOST": "10.0.0.3",
}


def test_what_kubernetes_sets_for_its_services_is_no_setting_and_stops_nothing() -> None:
    settings = read_settings(OF_KUBERNETES)
    assert settings == read_settings({})
    assert set_by_kubernetes({**OF_KUBERNETES, "ROSTERLOG_HOST": "::"}, setting_names()) == sorted(OF_KUBERNETES)
    assert set_by_kubernetes({"ROSTERLOG_PORT": "8001"}, setting_names()) == []
    with pytest.raises(SettingsError, match="ROSTERLOG_PROT is not a setting"):
        read_settings({**OF_KUBERNETES, "ROSTERLOG_PROT": "1"})


@pytest.mark.parametrize("url", ["https://example.org", "http://127.0.0.1:8000", "https://example.org/roster/log"])
def test_the_public_address_is_whole_and_ends_without_a_slash(url: str) -> None:
    assert read_settings({"ROSTERLOG_PUBLIC_URL": url}).public_url == url
    assert read_settings({"ROSTERLOG_PUBLIC_URL": f"{url}/"}).public_url == url


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

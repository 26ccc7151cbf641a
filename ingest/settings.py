"""The environment as settings, read once at the command line. A wrong value or an unknown name stops the program."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from ingest.environment import set_by_kubernetes, unknown_name
from ingest.failures import WrongUsage
from ingest.sources import Secrets, SourcesRead, UnusableSources, read_sources, secrets_of_json
from ingest.time_zone import UTC_ZONE, UnknownTimeZone, time_zone

DEFAULT_SOURCE = "movemint"

_ADDRESS = re.compile(r"https?://[!-~]+\Z")
_ORIGIN = re.compile(r"https?://[^/\s]+\Z")


class SettingsError(WrongUsage):
    """A setting is wrong; the message names it and never shows its value."""


def _libpq_url(value: SecretStr) -> SecretStr:
    try:
        conninfo_to_dict(value.get_secret_value())
    except ProgrammingError:
        raise ValueError("is not a PostgreSQL URL, such as postgresql://user@host:5432/rosterlog") from None
    return value


def _web_address(value: str) -> str:
    try:
        parts = urlsplit(value)
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_whole = False
    if not is_whole or not _ADDRESS.match(value) or set("?#@<>") & set(value):
        raise ValueError("is not an address such as https://example.org/rosterlog, without query and user")
    return value.rstrip("/")


def _zone_name(value: str) -> str:
    try:
        return time_zone(value).name
    except UnknownTimeZone as error:
        raise ValueError(str(error)) from None


DatabaseUrl = Annotated[SecretStr, AfterValidator(_libpq_url)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
ZoneName = Annotated[str, AfterValidator(_zone_name)]
LogLevel = Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(str.lower)]


class Settings(BaseModel):
    """Every setting with its default; the aliases are the names in the environment."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_by_alias=True)

    database_url: DatabaseUrl | None = Field(None, alias="DATABASE_URL")
    read_database_url: DatabaseUrl | None = Field(None, alias="READ_DATABASE_URL")
    read_max_lag: float = Field(30.0, alias="ROSTERLOG_READ_MAX_LAG", ge=0, le=86_400)
    direct_database_url: DatabaseUrl | None = Field(None, alias="ROSTERLOG_DIRECT_DATABASE_URL")
    to_database_url: DatabaseUrl | None = Field(None, alias="ROSTERLOG_TO_DATABASE_URL")
    movemint_webhook_secret: SecretStr | None = Field(None, alias="MOVEMINT_WEBHOOK_SECRET")
    more_sources: SecretStr | None = Field(None, alias="ROSTERLOG_SOURCES")
    sources_file: Path | None = Field(None, alias="ROSTERLOG_SOURCES_FILE")
    data_dir: Path = Field(Path(".rosterlog"), alias="ROSTERLOG_DATA_DIR")
    host: str = Field("127.0.0.1", alias="ROSTERLOG_HOST", min_length=1)
    port: int = Field(8000, alias="ROSTERLOG_PORT", ge=0, le=65535)
    metrics_host: str = Field("127.0.0.1", alias="ROSTERLOG_METRICS_HOST", min_length=1)
    metrics_port: int | None = Field(None, alias="ROSTERLOG_METRICS_PORT", ge=0, le=65535)
    public_url: WebAddress | None = Field(None, alias="ROSTERLOG_PUBLIC_URL")
    max_body_bytes: int = Field(1_048_576, alias="ROSTERLOG_MAX_BODY_BYTES", ge=1, le=268_435_456)
    max_pending: int = Field(2_000, alias="ROSTERLOG_MAX_PENDING", ge=1)
    max_pending_bytes: int = Field(67_108_864, alias="ROSTERLOG_MAX_PENDING_BYTES", ge=1)
    max_arriving_bytes: int | None = Field(None, alias="ROSTERLOG_MAX_ARRIVING_BYTES", ge=1)
    answer_seconds: float = Field(5.0, alias="ROSTERLOG_ANSWER_SECONDS", gt=0, le=300)
    batch_size: int = Field(1000, alias="ROSTERLOG_BATCH_SIZE", ge=1, le=10_000)
    api_client_secret: SecretStr | None = Field(None, alias="ROSTERLOG_API_CLIENT_SECRET")
    api_token: SecretStr | None = Field(None, alias="ROSTERLOG_API_TOKEN")
    fields_file: Path | None = Field(None, alias="ROSTERLOG_FIELDS")
    time_zone: ZoneName = Field(UTC_ZONE.name, alias="ROSTERLOG_TIME_ZONE")
    token_rate: float = Field(500.0, alias="ROSTERLOG_TOKEN_RATE", gt=0, le=1_000_000)
    cors: str = Field("", alias="ROSTERLOG_CORS_ORIGINS")
    poll_seconds: float = Field(0.1, alias="ROSTERLOG_POLL_SECONDS", ge=0.01, le=60)
    log_level: LogLevel = Field("info", alias="ROSTERLOG_LOG_LEVEL")

    @property
    def arriving_bytes(self) -> int:
        """The bound of bodies that are still arriving: as many bytes as may wait for a commit, if not set."""
        return self.max_arriving_bytes or self.max_pending_bytes

    @property
    def cors_origins(self) -> tuple[str, ...]:
        """The origins whose web pages may read the API from a browser; `*` for all."""
        origins = tuple(part.strip() for part in self.cors.split(",") if part.strip())
        if not all(origin == "*" or _ORIGIN.match(origin) for origin in origins):
            raise SettingsError("ROSTERLOG_CORS_ORIGINS takes origins such as https://example.org, with commas between")
        return origins

    @property
    def sources(self) -> dict[str, Secrets]:
        """The secrets of each source, newest first, as the bytes that key the signature; a file of them is read now."""
        of_file = {} if self.sources_file is None else self.read_sources_file().secrets
        return {**self.own_sources, **of_file}

    @property
    def own_sources(self) -> dict[str, Secrets]:
        """Those that the environment has itself."""
        sources = _more_sources(self.more_sources)
        if self.movemint_webhook_secret is not None:
            if DEFAULT_SOURCE in sources:
                raise SettingsError(f"{DEFAULT_SOURCE} has secrets in MOVEMINT_WEBHOOK_SECRET and in ROSTERLOG_SOURCES")
            sources = {DEFAULT_SOURCE: _secrets(self.movemint_webhook_secret), **sources}
        return sources

    def read_sources_file(self) -> SourcesRead:
        """What `ROSTERLOG_SOURCES_FILE`, which is set, has now. Raises `SettingsError`."""
        try:
            found = read_sources(Path(self.sources_file or ""))
        except UnusableSources as error:
            raise SettingsError(f"ROSTERLOG_SOURCES_FILE: {error}") from None
        if doubled := sorted({*found.secrets} & {*self.own_sources}):
            raise SettingsError(f"{doubled[0]} has secrets in ROSTERLOG_SOURCES_FILE and in the environment: keep one")
        return found


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Settings from the environment. An empty value counts as not set. Raises `SettingsError` for what is wrong."""
    names = setting_names()
    if (unknown := unknown_name(environ, names)) is not None:
        raise SettingsError(unknown)
    names -= set(set_by_kubernetes(environ, names))
    try:
        settings = Settings.model_validate({name: environ[name] for name in names if environ.get(name)})
    except ValidationError as error:
        problems = (f"{problem['loc'][0]}: {_plain(problem['msg'])}" for problem in error.errors(include_input=False))
        raise SettingsError("; ".join(problems)) from None
    if settings.direct_database_url is not None and settings.database_url is None:
        raise SettingsError(
            "ROSTERLOG_DIRECT_DATABASE_URL leads round a pool to the database of DATABASE_URL: set both"
        )
    for name, limit in (("PENDING", settings.max_pending_bytes), ("ARRIVING", settings.arriving_bytes)):
        if limit < settings.max_body_bytes:
            raise SettingsError(
                f"ROSTERLOG_MAX_{name}_BYTES is below ROSTERLOG_MAX_BODY_BYTES: such a body could never be taken"
            )
    _ = settings.own_sources, settings.cors_origins  # read once here, so that a wrong one stops the program
    return settings


def setting_names() -> set[str]:
    """The names of all settings in the environment."""
    return {str(field.alias) for field in Settings.model_fields.values()}


def _plain(message: str) -> str:
    return message.removeprefix("Value error, ")[0].lower() + message.removeprefix("Value error, ")[1:]


def _secrets(value: SecretStr) -> Secrets:
    secrets = tuple(os.fsencode(part.strip()) for part in value.get_secret_value().split(",") if part.strip())
    if not secrets:
        raise SettingsError("MOVEMINT_WEBHOOK_SECRET holds no secret")
    if b"..." in secrets:  # as the documents write what is to be filled in
        raise SettingsError("MOVEMINT_WEBHOOK_SECRET has the dots of the example: put the subscription's secret there")
    return secrets


def _more_sources(value: SecretStr | None) -> dict[str, Secrets]:
    if value is None:
        return {}
    try:
        return secrets_of_json(value.get_secret_value())
    except ValueError as error:
        raise SettingsError(f"ROSTERLOG_SOURCES: {error}") from None

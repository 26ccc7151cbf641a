"""What a file of the operator's says of an API that lists participants: addresses, pages, keys, access and bounds."""

import re
import tomllib
from collections.abc import Mapping
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator

from ingest.cli.terminal import printable
from projections.truth.conclusion import NothingConcluded
from projections.truth.mapping import TARGETS, UNCOMPARED

EVENT, CEILING, PARTICIPANT = "{event_id}", "{ceiling}", "{participant_id}"
_PLACES = re.compile(r"\{[^{}]*\}")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"


class PageStyle(StrEnum):
    """How a page tells where the next one is."""

    CURSOR = "cursor"
    LINK = "link"
    NUMBER = "page"
    OFFSET = "offset"


def _address(value: str, *places: str) -> str:
    """An address that may be asked with a secret. Raises `ValueError`."""
    try:
        parts = urlsplit(value)
        is_whole = bool(parts.hostname) and (parts.port or 1) > 0 and parts.scheme in ("http", "https")
    except ValueError:
        is_whole = False
    if not is_whole or "@" in parts.netloc or "{" in parts.netloc or not value.isprintable() or " " in value:
        raise ValueError("is no address such as https://api.example.org/participants, without a user")
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise ValueError("is http, by which a secret and people's data could be read on the way: use https")
    wrong = next((place for place in _PLACES.findall(value) if place not in places), None)
    if wrong is not None:
        raise ValueError(f"has {wrong}; there is {', '.join(places) or 'nothing to be filled in'}")
    return value


def _list_address(value: str) -> str:
    return _address(value, EVENT, CEILING)


def _participant_address(value: str) -> str:
    if PARTICIPANT not in value:
        raise ValueError(f"lacks {PARTICIPANT}")
    return _address(value, PARTICIPANT)


def _token_address(value: str) -> str:
    return _address(value)


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class ListPages(_Part):
    """`parameter`: of the address, takes the cursor, the page's number, or how many rows came before.

    `following`: the path in the body of the next page's cursor, or of its address where there is no `parameter`.
    `size`: how many rows a full page has; `size_parameter` asks for so many.
    """

    style: PageStyle
    parameter: str | None = Field(None, min_length=1)
    following: str | None = Field(None, alias="next", min_length=1)
    first: int = Field(1, ge=0, le=1)
    size: int | None = Field(None, ge=1, le=100_000)
    size_parameter: str | None = Field(None, min_length=1)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if (self.following is not None) != (self.style is PageStyle.CURSOR):
            raise ValueError('next, the path of the next cursor in the body, goes with style = "cursor"')
        if self.style in (PageStyle.NUMBER, PageStyle.OFFSET) and self.parameter is None:
            raise ValueError(f'style = "{self.style}" needs parameter, such as "{self.style}"')
        if self.size_parameter is not None and self.size is None:
            raise ValueError("size_parameter needs size")
        return self


class OAuthClient(_Part):
    """Client credentials of OAuth 2. `secret_env`: the variable of the environment that has the client's secret.

    `secret_in`: where the token endpoint takes it, in the header (HTTP Basic) or in the body.
    """

    token_url: Annotated[str, AfterValidator(_token_address)]
    client_id: str = Field(min_length=1)
    secret_env: str = Field("ROSTERLOG_API_CLIENT_SECRET", alias="client_secret_env", pattern=rf"^{_VARIABLE}$")
    scope: str | None = Field(None, min_length=1)
    secret_in: str = Field("header", alias="client_secret_in", pattern=r"^(header|body)$")


class BearerToken(_Part):
    """A token that does not change. `token_env`: the variable of the environment that has it."""

    token_env: str = Field("ROSTERLOG_API_TOKEN", pattern=rf"^{_VARIABLE}$")


class ApiLimits(_Part):
    """Bounds of a reading. `longest_wait`: seconds between two attempts of a request."""

    requests_a_second: float = Field(5.0, gt=0, le=1_000)
    timeout_seconds: float = Field(30.0, gt=0, le=600)
    attempts: int = Field(8, ge=1, le=100)
    longest_wait: float = Field(60.0, ge=0, le=3_600)
    body_bytes: int = Field(16_777_216, ge=1, le=268_435_456)
    page_rows: int = Field(10_000, ge=1, le=1_000_000)
    pages: int = Field(20_000, ge=1, le=10_000_000)
    minutes: float = Field(120.0, gt=0, le=1_440)


class ApiConfig(_Part):
    """`url`: of the list. `items`, `total`: paths in a page's body, of its rows and of the number of all.

    `columns`: by key, with dots into objects, which column it is; empty: guessed, as for a file.
    """

    url: Annotated[str, AfterValidator(_list_address)]
    items: str = ""
    total: str | None = Field(None, min_length=1)
    participant_url: Annotated[str, AfterValidator(_participant_address)] | None = None
    pages: ListPages
    columns: Mapping[str, str] = Field(default_factory=dict)
    oauth: OAuthClient | None = None
    bearer: BearerToken | None = None
    limits: ApiLimits = Field(default_factory=lambda: ApiLimits.model_validate({}))
    _digest: str = PrivateAttr("")

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.oauth is None) == (self.bearer is None):
            raise ValueError("give [oauth] or [bearer]: one of them says how the API is entered")
        if self.participant_url is not None and origin_of(self.participant_url) != origin_of(self.url):
            raise ValueError("participant_url is of another server than url, which must not see the secret")
        columns = [column for column in self.columns.values() if column != UNCOMPARED]
        wrong = next((column for column in columns if column not in TARGETS), None)
        if wrong is not None:
            raise ValueError(f"{wrong!r} is no column; there is {', '.join(TARGETS)}")
        twice = next((column for column in columns if columns.count(column) > 1), None)
        if twice is not None:
            raise ValueError(f"two keys are {twice}: leave one of them")
        return self

    @property
    def digest(self) -> str:
        """The SHA-256 of the file, in hexadecimal."""
        return self._digest

    @property
    def place(self) -> str:
        """The list's address without what may tell too much: its query."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}{parts.path}"


def origin_of(address: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port of an address: what the token is for."""
    try:
        parts = urlsplit(address)
        return parts.scheme, parts.hostname, parts.port or {"https": 443, "http": 80}.get(parts.scheme)
    except ValueError:
        return "", None, None


def read_config(path: Path) -> ApiConfig:
    """What a file says of an API. Raises `NothingConcluded`, which shows no value."""
    name = printable(str(path))
    try:
        content = path.read_bytes()
        config = ApiConfig.model_validate(tomllib.loads(content.decode()))
    except OSError as error:
        raise NothingConcluded(f"{name} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        problems = (_problem(problem["loc"], problem["msg"]) for problem in error.errors(include_input=False))
        raise NothingConcluded(f"{name}: {'; '.join(problems)}") from None
    except ValueError as error:
        raise NothingConcluded(f"{name} cannot be read as TOML: {error}") from None
    config._digest = sha256(content).hexdigest()
    return config


def _problem(where: tuple[int | str, ...], message: str) -> str:
    plain = message.removeprefix("Value error, ")
    return ": ".join(filter(None, (".".join(map(str, where)), plain[:1].lower() + plain[1:])))

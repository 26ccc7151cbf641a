"""Erasures as a file, to be kept outside the database: a backup from before an erasure does not know of it."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from ingest.delivery import LONGEST_NAME
from ingest.failures import WrongUsage
from ingest.log.event import Erasure

_Text = Annotated[str, StringConstraints(min_length=1, max_length=10_000, pattern=r"^[^\x00]+$")]
_Name = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_NAME, pattern=r"^[^\x00]+$")]
_Time = Annotated[AwareDatetime, Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(9000, 1, 1, tzinfo=UTC))]
_Position = Annotated[int, Field(ge=1, lt=2**63)]
_Digest = Annotated[bytes, Field(min_length=32, max_length=32)]


class _Written(BaseModel):
    """An erasure as the file has it: digests in hex, times in ISO 8601 with their zone."""

    model_config = ConfigDict(extra="forbid", ser_json_bytes="hex", val_json_bytes="hex")

    source: _Name
    erasure_id: UUID
    subject: _Name
    operator: _Text
    reason: _Text
    erased_at: _Time
    positions: list[_Position]
    digests: list[_Digest]
    lifted_at: _Time | None
    lifted_by: _Text | None


_REGISTER = TypeAdapter(list[_Written])


class NotARegister(WrongUsage):
    """The file is not one that `erase --export` wrote; nothing of it was taken over."""


def write_register(erasures: Sequence[Erasure]) -> bytes:
    """A JSON list, with one object per erasure."""
    return _REGISTER.dump_json([_Written(**asdict(erasure)) for erasure in erasures], indent=2) + b"\n"


def read_register(content: bytes) -> list[Erasure]:
    """The erasures of a file that `write_register` made."""
    try:
        return [Erasure(**dict(written)) for written in _REGISTER.validate_json(content)]
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "its beginning"
        raise NotARegister(f"this is no export of erasures: at {where}: {first['msg']}") from None

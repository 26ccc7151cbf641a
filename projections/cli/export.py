"""`rosterlog export`: the roster as a file, as of one position, with the filters of the API."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote

import click
from sqlalchemy import literal, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from ingest.cli.group import settings_of
from ingest.cli.opening import migrated_database
from ingest.cli.sources import source_of
from ingest.cli.terminal import printable, say
from ingest.database import API_ROLE, async_engine
from ingest.failures import Failure, WrongUsage
from ingest.session import LONG
from ingest.settings import Settings
from projections.cli.output import is_standard_output, written
from projections.roster.answer_filters import ANSWER, split_answers
from projections.roster.compared import read_compared
from projections.roster.criteria import AnswerFilter, ParameterRefused, Sorted, criteria, read_parameters
from projections.roster.days import in_zone, one_race
from projections.roster.export.export import Export, exported, shown_in
from projections.roster.export.files import DoesNotFit, NotMade
from projections.roster.export.formats import FORMATS, Format, NotInstalled
from projections.roster.questions import resolved
from projections.roster.revision import BeyondRoster, resolve_as_of, revision_of
from projections.roster.roster import Roster
from projections.roster.shown import Shown, shown_of
from projections.roster.unmatched import empty_filters, excluding_nobody, is_met, read_on, unmatched
from projections.roster.values import in_file_name
from projections.web.parameters import ExportParameters, export_parameters

_BYTES_PER_REPORT = 50_000_000
_SELECTING = Sorted.model_fields.keys() - {"sort"}
_Filters = Sequence[tuple[str, str]]  # the name and the value of each


@dataclass(frozen=True, slots=True)
class _Request:
    """What the command line asks for: its filters as they were given, then as they were read."""

    format: Format
    source: str
    filters: _Filters
    parameters: ExportParameters
    answers: Sequence[AnswerFilter]
    shown: Shown


@click.command()
@click.argument("what", type=click.Choice(["participants"]))
@click.argument("filters", nargs=-1, metavar="[NAME=VALUE ...]")
@click.option("--format", "name", type=click.Choice([*FORMATS]), required=True, help="The file format.")
@click.option("--output", type=click.Path(), help="A file, or a folder for a file named by its position.")
@click.option("--source", help="The roster of this source. Default: movemint, or the only source there is.")
@settings_of
def export(
    settings: Settings, what: str, filters: tuple[str, ...], name: str, output: str | None, source: str | None
) -> None:
    """Write the roster to a file, or to standard output, as of one position.

    The filters are those of the API: status=active, dob__lt=2008-01-01, "answer.Shirt size=M", sort=last_name,
    as_of=1041. columns=bib,last_name chooses columns, answers=columns adds a column per question, questions=41
    of this one alone. Texts that a spreadsheet would run as a formula are made harmless; formulas=keep leaves them. CSV
    takes separator=";", decimal=, and bom=true.
    """
    del what
    request = _request(FORMATS[name], source_of(settings, source), [_pair(filter_) for filter_ in filters])
    if output is None and sys.stdout.isatty() and request.format.module is not None:
        raise WrongUsage(f"{name} is not for a terminal: add --output FILE")
    if output is not None and output.endswith(os.sep) and not Path(output).is_dir():
        raise WrongUsage(f"there is no folder {printable(output)}: make it first, or leave out the slash at its end")
    with migrated_database(settings) as conninfo:
        asyncio.run(_export(conninfo, request, None if output is None else Path(output)))


def _pair(filter_: str) -> tuple[str, str]:
    name, separator, value = filter_.partition("=")
    if not separator:
        raise WrongUsage(f"{filter_} is no filter: write NAME=VALUE, such as status=active")
    if name == ANSWER and "=" in value:  # the question begins with it
        more, _, value = value.partition("=")
        name = f"{name}={more}"
    return name, value


def _request(format_: Format, source: str, filters: _Filters) -> _Request:
    values: dict[str, str] = {}
    for name, value in filters:
        if name in values:
            raise WrongUsage(f"{name} is given more than once")
        values[name] = value
    try:
        plain, answers = split_answers(values)
        parameters = read_parameters(export_parameters(format_), plain)
        shown = shown_in(
            shown_of(parameters, Roster(source)), parameters.form, has_columns=parameters.columns is not None
        )
    except ParameterRefused as error:
        raise WrongUsage(str(error)) from None
    if parameters.min_position is not None:
        raise WrongUsage("min_position is for the API; rosterlog status shows how far the roster is")
    return _Request(format_, source, filters, parameters, answers, shown)


async def _export(conninfo: str, request: _Request, output: Path | None) -> None:
    async with _snapshot(conninfo) as connection:
        export = await _export_of(connection, await _with_whole_questions(connection, request))
        for warning in empty_filters(export.criteria):
            say(warning)
        asked = await resolved(connection, export.roster, export.criteria)
        for look in (excluding_nobody, unmatched):
            async for warning in look(connection, export.roster, asked):
                say(printable(unquote(warning)))
        try:
            await _say_if_nobody(connection, replace(export, criteria=asked), request.filters)
            compared = await read_compared(connection, export.roster, asked, export.position)
            await _write(connection, export, output, compared.sentence)
        except (DoesNotFit, ParameterRefused) as error:
            raise WrongUsage(str(error)) from None
        except NotMade as error:
            raise Failure(f"the file could not be made: {error}") from None


async def _say_if_nobody(connection: AsyncConnection, export: Export, filters: _Filters) -> None:
    met = ["=".join(filter_) for filter_ in filters if filter_[0].startswith(ANSWER) or filter_[0] in _SELECTING]
    if met and not await is_met(connection, export.roster, export.criteria):
        say(f"nobody meets {printable(' and '.join(met))}")


async def _with_whole_questions(connection: AsyncConnection, request: _Request) -> _Request:
    """The request with answers to questions that have a `=` themselves, which only the roster can tell."""
    roster = Roster(request.source)
    filters = []
    for name, value in request.filters:
        if name.startswith(ANSWER) and "=" in value:
            name, value = await read_on(connection, roster, name, value)
        filters.append((name, value))
    return _request(request.format, request.source, filters)


@asynccontextmanager
async def _snapshot(conninfo: str) -> AsyncIterator[AsyncConnection]:
    engine = async_engine(conninfo, API_ROLE, read_only=True, keeps=False, deadlines=LONG)
    try:
        async with engine.connect() as connection:
            await connection.execute(text("set local statement_timeout = 0"))
            yield connection
    finally:
        await engine.dispose()


async def _export_of(connection: AsyncConnection, request: _Request) -> Export:
    source = select(literal(request.source).label("source")).subquery()
    _, checkpoint, _ = revision_of(source.c.source)
    reached: int = (await connection.execute(select(checkpoint))).scalar_one()
    try:
        race = one_race(Roster(request.source), request.parameters)
        parameters = await in_zone(connection, request.parameters, race)
        as_of = await resolve_as_of(connection, request.source, parameters.as_of, reached)
        roster = Roster(request.source, None, as_of)
        position = reached if as_of is None else as_of
        found = criteria(parameters, request.answers)
        questions = None if parameters.questions is None else tuple(parameters.questions)
        then = in_file_name(dict(request.filters).get("as_of"))
        return Export(
            request.format, roster, found, position, request.shown, parameters.form, parameters.dialect, questions, then
        )
    except (BeyondRoster, NotInstalled) as error:
        raise WrongUsage(str(error)) from None


async def _write(connection: AsyncConnection, export: Export, output: Path | None, compared: str) -> None:
    is_folder = output is not None and os.path.isdir(output)  # noqa: ASYNC240, PTH112 - False where it may not look
    path = output / export.file_name if output is not None and is_folder else output
    is_piped = is_standard_output(path)  # its rows must not have a line of ours among them
    size = reported = 0
    with written(path) as write:
        async with aclosing(exported(connection, export)) as chunks:
            async for chunk in chunks:
                write(chunk)
                size += len(chunk)
                if size - reported >= _BYTES_PER_REPORT:
                    reported = size
                    say(f"{size // 1_000_000} MB written")
    place = "standard output" if path is None else click.format_filename(path)
    written_line = f"{place}: {size:,} bytes as of position {export.position}, {compared}"
    if path is None or is_piped:
        say(written_line)
    else:
        click.echo(written_line)

"""`rosterlog report`: ready reports, the data dictionary, and logins for people and tools that write their own SQL."""

import click
from sqlalchemy import text

from ingest.cli.group import settings_of
from ingest.cli.opening import migrated_database, migrated_engine
from ingest.cli.sources import source_of
from ingest.cli.terminal import printable, say, unicode
from ingest.database import REPORTING_PII_ROLE, connect
from ingest.failures import WrongUsage
from ingest.settings import Settings
from projections.reports import logins
from projections.reports.dictionary import dictionary
from projections.reports.formats import CSV, REPORT_FORMATS, report_text
from projections.reports.report import Report, WrongParameter, reports, run_report, values_of
from projections.roster.criteria import ParameterRefused, read_parameters
from projections.roster.export.formats import Dialect
from projections.web.parameters import DialectParameters

_SETTINGS = "set transaction read only; set local statement_timeout = '60s'; set local work_mem = '64MB'"
_SOURCES = text("select source from reporting.freshness")


@click.command()
@click.argument("name", required=False)
@click.argument("parameters", nargs=-1, metavar="[NAME=VALUE ...]")
@click.option("--format", "format_", type=click.Choice(REPORT_FORMATS), default="table", show_default=True)
@click.option("--source", help="The roster of this source. Default: movemint, or the only source there is.")
@click.option("--grant", "user", metavar="USER", help="Let a login read the schema reporting; made if it is not there.")
@click.option("--pii", is_flag=True, help="With --grant: also contact data, birth dates and the like.")
@click.option("--revoke", "revoked", metavar="USER", help="Take back what --grant gave; drops a login that it made.")
@click.option("--dictionary", "only_dictionary", is_flag=True, help="Print what every view and column means.")
@settings_of
def report(
    settings: Settings,
    name: str | None,
    parameters: tuple[str, ...],
    format_: str,
    source: str | None,
    user: str | None,
    revoked: str | None,
    *,
    pii: bool,
    only_dictionary: bool,
) -> None:
    """Run a ready report; without a name, list the reports with the parameters that each takes.

    rosterlog report teams event=501 least=5 --format csv "separator=;" decimal=,

    With --format csv every report also takes separator, decimal, bom and formulas, as rosterlog export does.
    """
    if [name is not None, user is not None, revoked is not None, only_dictionary].count(True) > 1:
        raise WrongUsage("ask for one thing: a report, --grant USER [--pii], --revoke USER, or --dictionary")
    if pii and user is None:
        raise WrongUsage("--pii belongs to --grant USER")
    if only_dictionary:
        with migrated_engine(settings) as engine, engine.connect() as connection:
            click.echo(dictionary(connection))
    elif user is not None:
        _grant(settings, unicode(user, "--grant"), sees_personal_data=pii)
    elif revoked is not None:
        _revoke(settings, unicode(revoked, "--revoke"))
    elif name is None:
        _list()
    else:
        _run(settings, source, _named(name), parameters, format_)


def _run(settings: Settings, source: str | None, chosen: Report, parameters: tuple[str, ...], format_: str) -> None:
    texts = _texts(chosen, parameters)
    dialect = _dialect(texts) if format_ == CSV else Dialect()
    values = _values(chosen, texts)
    with migrated_engine(settings, REPORTING_PII_ROLE) as engine, engine.connect() as connection:
        connection.execute(text(_SETTINGS))
        sources = connection.execute(_SOURCES).scalars()
        result = run_report(connection, chosen, source_of(settings, source, sources), values)
    click.echo(report_text(result, format_, dialect))
    for question in result.unknown:
        say(f"{printable(question)}: nobody was asked this question; questions are compared exactly")
    if not result.rows:
        say(f"nothing was found; texts are compared exactly, as deliveries have them. {_takes(chosen)}")


def _list() -> None:
    width = max(map(len, reports()))
    for listed in reports().values():
        takes = ", ".join(parameter.name for parameter in listed.parameters)
        click.echo(f"{listed.name:<{width}}  {listed.answers} ({takes})")


def _named(name: str) -> Report:
    chosen = reports().get(name)
    if chosen is None:
        raise WrongUsage(f"there is no report {printable(name)}; there is {', '.join(reports())}")
    return chosen


def _texts(chosen: Report, parameters: tuple[str, ...]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for parameter in parameters:
        name, separator, value = unicode(parameter, "a parameter").partition("=")
        if not separator or name in texts:
            raise WrongUsage(f"{printable(parameter)}: write each parameter once, as NAME=VALUE. {_takes(chosen)}")
        texts[name] = value
    return texts


def _dialect(texts: dict[str, str]) -> Dialect:
    """How CSV is written; these parameters are taken out of the texts."""
    given = {name: texts.pop(name) for name in DialectParameters.model_fields if name in texts}
    try:
        return read_parameters(DialectParameters, given).dialect
    except ParameterRefused as error:
        raise WrongUsage(str(error)) from None


def _values(chosen: Report, texts: dict[str, str]) -> dict[str, object]:
    try:
        return values_of(chosen, texts)
    except WrongParameter as error:
        raise WrongUsage(f"{printable(str(error))}. {_takes(chosen)}") from None


def _takes(chosen: Report) -> str:
    lines = [f"  {parameter.name} ({parameter.kind}): {parameter.meaning}" for parameter in chosen.parameters]
    return "\n".join([f"{chosen.name} takes:", *lines])


def _grant(settings: Settings, user: str, *, sees_personal_data: bool) -> None:
    try:
        logins.check_name(user)
        with migrated_database(settings, tells=True) as conninfo, connect(conninfo) as connection:
            granted = logins.grant(connection, user, sees_personal_data=sees_personal_data)
    except logins.LoginRefused as error:
        raise WrongUsage(printable(str(error))) from None
    what = "with personal data" if sees_personal_data else "without personal data"
    say(f"{printable(user)} may read the schema reporting, {what}")
    if not granted.is_new:
        say("it was there before and keeps its password, which is not in this address")
    click.echo(granted.url)


def _revoke(settings: Settings, user: str) -> None:
    try:
        logins.check_name(user)
        with migrated_database(settings, tells=True) as conninfo, connect(conninfo) as connection:
            is_dropped = logins.withdraw(connection, user)
    except logins.LoginRefused as error:
        raise WrongUsage(printable(str(error))) from None
    say(f"{printable(user)} may not read the schema reporting any more")
    if is_dropped:
        say("the login is dropped")
    else:
        say("the login stays: it was not made here, or it owns something; drop owned by, then drop role, remove it")

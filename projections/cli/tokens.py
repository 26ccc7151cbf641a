"""`rosterlog token`: makes, lists and revokes the tokens of the read API."""

from datetime import UTC, datetime

import click

from ingest.cli.group import settings_of
from ingest.cli.opening import migrated_engine
from ingest.cli.sources import source_of
from ingest.cli.terminal import utc
from ingest.failures import WrongUsage
from ingest.settings import Settings
from projections.up.address import pages_url
from projections.web.access import sessions, tokens


@click.group()
def token() -> None:
    """The tokens that open the read API."""


@token.command("create")
@click.argument("name")
@click.option("--source", help="Show the roster of this source. Default: movemint, or the only source there is.")
@click.option("--event", "event_ids", multiple=True, metavar="ID", help="Show only this event; may be repeated.")
@click.option("--operator", "is_operator", is_flag=True, help="See the figures of all sources, and no participant.")
@click.option("--link", "is_link", is_flag=True, help="Print an address that signs in once, not the token.")
@click.option("--without-personal-data", is_flag=True, help="Hide contact data, birthdays, free texts and the like.")
@click.option("--expires", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]), help="When it ends, in UTC.")
@settings_of
def create_token(
    settings: Settings,
    name: str,
    source: str | None,
    event_ids: tuple[str, ...],
    expires: datetime | None,
    *,
    is_operator: bool,
    is_link: bool,
    without_personal_data: bool,
) -> None:
    """Make a token. It is printed once, alone on the last line, and stored only as a digest."""
    ends = expires.replace(tzinfo=UTC) if expires else None
    if not name.strip() or "\x00" in name:
        raise WrongUsage("a token needs a name")
    if is_operator and (source or event_ids or without_personal_data):
        raise WrongUsage(
            "an operator's token sees no participant: leave out --source, --event, --without-personal-data"
        )
    with migrated_engine(settings, tells=True) as engine:
        of = tokens.NO_SOURCE if is_operator else source_of(settings, source)
        try:
            with engine.begin() as connection:
                secret = tokens.create(
                    connection, name, of, event_ids, ends, sees_personal_data=not without_personal_data
                )
                link = sessions.make_link(connection, secret) if is_link else None
        except tokens.NameTaken:
            raise WrongUsage(f"there is a token {name} already: revoke it first or choose another name") from None
    click.echo(secret if link is None else f"{pages_url(settings)}/sign-in/{link}")


@token.command("list")
@settings_of
def list_tokens(settings: Settings) -> None:
    """Show the live tokens: name, source, events, what is hidden, and when each was made, ends and was last used."""
    with migrated_engine(settings) as engine, engine.connect() as connection:
        for name, source, event_ids, sees_personal_data, made, ends, used in tokens.live_tokens(connection):
            scope = "all events" if event_ids is None else "events " + ", ".join(event_ids)
            scope += "" if sees_personal_data else "  without personal data"
            times = f"made {made:%Y-%m-%d}" + (f"  ends {ends:%Y-%m-%d}" if ends else "")
            of = f"{source}  {scope}" if source else "operator"
            click.echo(f"{name}  {of}  {times}  " + (f"last used {utc(used)}" if used else "never used"))


@token.command("revoke")
@click.argument("name")
@settings_of
def revoke_token(settings: Settings, name: str) -> None:
    """End a token at once."""
    with migrated_engine(settings, tells=True) as engine, engine.begin() as connection:
        revoked = tokens.revoke(connection, name)
    if not revoked:
        raise WrongUsage(f"there is no live token {name}; rosterlog token list shows them")
    click.echo(f"revoked {name}")

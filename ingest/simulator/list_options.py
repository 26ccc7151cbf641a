"""The options of `rosterlog simulate` about an HTTP list, and the serving of it until the program is stopped."""

import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import wraps
from typing import Any

import click

from ingest.failures import WrongUsage
from ingest.simulator.drifting import Drifted
from ingest.simulator.list_server import CLIENT_ID, CLIENT_SECRET, LIST_STYLES, LIST_TROUBLES, ListManner, served_list
from ingest.stopping import stopped_by_signals


@dataclass(frozen=True, slots=True)
class ListOptions:
    """What the command line says of a list. `list_port`: None without one."""

    list_port: int | None = None
    list_style: str = LIST_STYLES[0]
    list_size: int = 50
    list_troubles: tuple[str, ...] = ()


_OPTIONS = (
    click.option("--list", "list_port", type=click.IntRange(0, 65535), metavar="PORT",
                 help="Serve an HTTP list of these people on 127.0.0.1, until stopped; 0: any port."),
    click.option("--list-style", default=LIST_STYLES[0], show_default=True, type=click.Choice(LIST_STYLES),
                 help="How a page tells the next one."),
    click.option("--list-size", default=50, show_default=True, type=click.IntRange(1), help="Rows of a page."),
    click.option("--list-trouble", "list_troubles", multiple=True, type=click.Choice(LIST_TROUBLES),
                 help="What goes wrong in the middle; several times."),
)  # fmt: skip


def list_options(command: Callable[..., None]) -> Callable[..., None]:
    """Adds the options to a command, which gets what they say as `of_list`."""

    @wraps(command)
    def with_list(*args: Any, **given: Any) -> None:  # noqa: ANN401 - whatever the command takes
        said = {field.name: given.pop(field.name) for field in fields(ListOptions)}
        command(*args, of_list=ListOptions(**said), **given)

    for option in reversed(_OPTIONS):
        with_list = option(with_list)
    return with_list


def serve_drifted(options: ListOptions, planned: Drifted, since: Callable[[], object]) -> None:
    """Serve the list until SIGINT or SIGTERM. `since`: delivers what comes while it is read, with its first page."""

    def first_page() -> None:
        since()

    stop = threading.Event()
    stopped_by_signals(stop)
    manner = ListManner(options.list_style, options.list_size, troubles=frozenset(options.list_troubles))
    try:
        with served_list(planned.rows, manner, options.list_port or 0, first_page) as listed:
            click.echo(f"listed    {len(planned.rows)} at {listed.url}/participants and /events/EVENT_ID/participants")
            click.echo(f"token     from {listed.url}/oauth/token, for {CLIENT_ID} with the secret {CLIENT_SECRET}")
            print_drifts(planned.about)
            stop.wait()
    except OSError as error:
        raise WrongUsage(
            f"port {options.list_port} cannot be used ({error.strerror}): give --list another one"
        ) from None


def print_drifts(about: Mapping[str, Mapping[str, object]]) -> None:
    """Print whom each drift is about."""
    for drift, people in about.items():
        click.echo(f"{drift:<9} {', '.join(sorted(people))}")
    sys.stdout.flush()

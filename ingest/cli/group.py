"""The program: its commands by name, and the one place where exceptions become messages and exit codes."""

import errno
import gc
import logging
import os
import resource
import signal
import sys
from collections.abc import Mapping
from importlib import import_module
from types import FrameType

import click
from click.exceptions import NoSuchCommand

from ingest.cli.invocation import Invocation, invocation_of
from ingest.cli.summary import summary_of
from ingest.cli.terminal import say
from ingest.environment import set_by_kubernetes
from ingest.failures import Failure, WrongUsage
from ingest.hangup import has_terminal
from ingest.logs import configure_logging, log_everything

logger = logging.getLogger(__name__)

_STANDARD_OUTPUT = 1
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
# Programs that run until they are stopped: what they write to standard error is their log. A person at a terminal is
# told in plain words why one of them ends.
SERVERS = ("api", "ingest", "serve", "up", "worker")

settings_of = click.pass_obj  # the settings, once the program has read them


class Commands(click.Group):
    """Commands by name, each as `module:attribute`; a module is imported only when its command runs."""

    places: Mapping[str, str] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return sorted(self.places)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        module, _, attribute = self.places.get(cmd_name, "").partition(":")
        command: click.Command | None = getattr(import_module(module), attribute) if module else None
        gc.enable()
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary_of(self.places[name])) for name in sorted(self.places)])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except NoSuchCommand as error:  # click would look for a similar name among the commands that are loaded
            raise NoSuchCommand(error.command_name, possibilities=self.places, ctx=ctx) from None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="rosterlog")
@click.pass_context
def group(context: click.Context) -> None:
    """Every Movemint registration kept exactly as it arrived, answering questions as a roster."""
    from ingest.settings import read_settings, setting_names  # load pydantic, which `--help` does not need

    invocation = context.ensure_object(Invocation)
    invocation.remember(context)
    context.obj = read_settings(invocation.environ)
    configure_logging(context.obj.log_level)
    of_kubernetes = set_by_kubernetes(invocation.environ, setting_names())
    if of_kubernetes and context.invoked_subcommand in SERVERS:
        logger.info("variables of Kubernetes are no settings", extra={"fields": {"names": of_kubernetes}})


def run_group(places: Mapping[str, str]) -> None:
    """Run the command line with these commands. Exit code 0: done; 1: a problem was found; 2: wrong usage or settings.

    An error of the database driver exits with 1; any other exception is a fault of ours and ends with its traceback.
    """
    gc.disable()  # until the command is loaded: nearly all of it stays, and is looked through in a sixth of the time
    group.places = places
    invocation = invocation_of(sys.argv[0], sys.executable, os.environ, places)
    configure_logging("info")
    is_server = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), None) in SERVERS
    if is_server:
        log_everything()
        if not has_terminal():  # it may be told to read its files again before it is ready to: it reads them then
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
    tell = logger.error if is_server and not sys.stderr.isatty() else say
    # A core file would hold secrets and personal data; what is started from here inherits it, as PostgreSQL does.
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    signal.signal(signal.SIGTERM, _end)
    try:
        code = group.main(prog_name="rosterlog", standalone_mode=False, obj=invocation) or 0
        sys.stdout.flush()
        sys.exit(code)
    except click.ClickException as error:
        error.show() if tell is say else tell(error.format_message())
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        tell("interrupted")
        sys.exit(130)
    except Exception as error:
        line, code = _line_and_code(error)
        tell(invocation.runnable(line) if tell is say else line)
        sys.exit(code)
    finally:
        # Python takes its handlers off before it ends: another signal would then end it as if it had been killed.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)


def _end(number: int, _frame: FrameType | None) -> None:
    """As SystemExit, SIGTERM lets a command stop what it started, which another SIGTERM must not cut off."""
    signal.signal(number, signal.SIG_IGN)
    sys.exit(128 + number)


def _line_and_code(error: Exception) -> tuple[str, int]:
    """The line and the exit code of an error that a person can do something about; raises any other again."""
    if isinstance(error, WrongUsage):
        return str(error), 2
    if isinstance(error, Failure):
        return str(error), 1
    if isinstance(error, OSError) and error.filename is None and error.errno in _FULL:
        os.dup2(
            os.open(os.devnull, os.O_WRONLY), _STANDARD_OUTPUT
        )  # what is buffered cannot be written at the end either
        return f"standard output cannot be written: {error.strerror}", 1
    if isinstance(error, OSError) and error.errno in _FULL:
        return f"{error.filename} cannot be written: {error.strerror}", 1
    from ingest.sqlstate import DRIVER_ERRORS, unusable  # loads SQLAlchemy, which not every command needs

    if isinstance(error, DRIVER_ERRORS):
        return str(unusable(error)), 1
    raise error

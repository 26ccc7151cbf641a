"""How this program was called, and so how a person calls it again: commands in messages run as they are printed."""

import os
import re
import shlex
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import click

_META = "ingest.cli.invocation"  # the key in click's context
_NAME = "rosterlog"
_DATA_DIR = "ROSTERLOG_DATA_DIR"
_QUOTED = r"""(?:'[^']*'|"[^"]*"|[^\s'"])+"""


@dataclass(frozen=True, slots=True)
class Invocation:
    """`environ`: the settings. `program`: what a shell takes for this program. `commands`: their names."""

    environ: Mapping[str, str]
    program: str
    commands: tuple[str, ...]

    def runnable(self, message: str) -> str:
        """The message with each `rosterlog COMMAND` written so that it runs where it is pasted.

        A data folder that the message names stays; otherwise it is the one that this program was given.
        """
        names = "|".join(map(re.escape, self.commands))
        command = rf"(?<![\w/.'\"-])({_DATA_DIR}={_QUOTED} )?{_NAME} (?=(?:{names})(?![\w-]))(?!up is )"
        return re.sub(command, lambda match: f"{match.group(1) or self._folder()}{self.program} ", message)

    def remember(self, context: click.Context) -> None:
        """Let `runnable` find this invocation while the command of the context runs."""
        context.meta[_META] = self

    def _folder(self) -> str:
        folder = self.environ.get(_DATA_DIR)
        if not folder or self.environ.get("DATABASE_URL"):
            return ""
        return with_folder(Path(folder))


def invocation_of(called_as: str, executable: str, environ: Mapping[str, str], commands: Iterable[str]) -> Invocation:
    """`called_as`: the program's name as the operating system has it; `executable`: Python's own path."""
    return Invocation(environ, _program(called_as, executable, environ.get("PATH")), tuple(commands))


def with_folder(data_dir: Path) -> str:
    """The setting of a data folder, to be put before a command."""
    return f"{_DATA_DIR}={shlex.quote(str(data_dir.absolute()))} "


def runnable(message: str) -> str:
    """A message of the command that runs, with the commands in it written so that they run where they are pasted."""
    context = click.get_current_context(silent=True)
    invocation = None if context is None else context.meta.get(_META)
    return invocation.runnable(message) if isinstance(invocation, Invocation) else message


def _program(called_as: str, executable: str, search_path: str | None) -> str:
    path = Path(called_as).absolute()
    if os.sep not in called_as:  # found by its name alone
        return _NAME
    if path.name == "__main__.py":
        path = Path(executable).with_name(_NAME)
        if not path.is_file():
            return f"{shlex.quote(executable)} -m projections"
    found = shutil.which(_NAME, path=search_path)
    return _NAME if found and os.path.realpath(found) == os.path.realpath(path) else shlex.quote(str(path))

"""The house: what each room may know, that one name is one thing, and that a package's first file is its sentence."""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import click
import pytest

from ingest.cli import main as receiving
from projections.cli import main as answering
from tests import ROOT

SOURCES = [path for room in ("ingest", "projections") for path in sorted((ROOT / room).rglob("*.py"))]
PURE = next(
    contract["source_modules"]
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    if contract["name"] == "pure rooms know no database and no web"
)
DATABASE_AND_WEB = {"sqlalchemy", "psycopg", "alembic", "starlette", "uvicorn", "httpx2"}
# Public names that stand in two files or more, and why each is one thing all the same.
THE_SAME_THING = {
    "COMMANDS": "the commands of a room by name; the program puts them together",
    "FOLDING": "the modules of a projection's definition",
    "erase": "a command, and the procedure that it calls",
    "folding": "the fold of a projection, made of the fields",
    "load": "the rows of a projection where there are none yet",
    "logger": "the log of a module",
    "main": "where a process begins",
    "migrate": "a command, and the procedure that it calls",
    "projection": "what a projection is",
    "retry": "a command, and the procedure that it calls",
    "save": "writes what a projection folded",
    "source": "a group of commands, and the same with those that need a projection",
    "verify": "a command, and the procedure that it calls",
    "WRITTEN_COLUMNS": "the columns that a projection writes, by table",
}


@pytest.mark.parametrize("module", PURE)
def test_a_pure_room_loads_no_database_and_no_web(module: str) -> None:
    """In an interpreter of its own: import-linter does not see what a package's first file loads."""
    program = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    loaded = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not DATABASE_AND_WEB & set(loaded.stdout.split())


def test_one_public_name_is_one_thing() -> None:
    places: dict[str, list[str]] = {}
    for path in (*SOURCES, *(ROOT / "migrations").glob("*.py")):
        for name in public_names(path):
            places.setdefault(name, []).append(str(path.relative_to(ROOT)))
    twice = {name: modules for name, modules in places.items() if len(modules) > 1}
    assert {name: modules for name, modules in twice.items() if name not in THE_SAME_THING} == {}
    assert THE_SAME_THING.keys() <= twice.keys(), "a reason for a name that stands in one file alone"


def public_names(path: Path) -> Iterator[str]:
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        names: list[str] = []
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign):
            names = [name.id for target in node.targets for name in ast.walk(target) if isinstance(name, ast.Name)]
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names = [node.target.id]
        yield from (name for name in names if not name.startswith("_"))


@pytest.mark.parametrize(
    "path", [path for path in SOURCES if path.name == "__init__.py"], ids=lambda path: path.parts[-2]
)
def test_a_package_begins_with_one_sentence_and_wires_nothing(path: Path) -> None:
    statements = ast.parse(path.read_text(encoding="utf-8")).body
    assert ast.get_docstring(ast.Module(statements, []))
    if path.parent.name != "postgres":  # one door for whoever uses it
        assert len(statements) == 1


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_opens_with_a_sentence_and_stays_small(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    assert ast.get_docstring(tree)
    assert len(text.splitlines()) <= 300
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 40, node.name


def test_what_pages_load_is_small() -> None:
    static = ROOT / "projections" / "web" / "pages" / "static"
    assert (static / "style.css").stat().st_size < 10_000
    assert len((static / "script.js").read_text(encoding="utf-8").splitlines()) < 100


def test_every_command_is_where_the_table_of_commands_says() -> None:
    for name, place in {**receiving.COMMANDS, **answering.COMMANDS}.items():
        module, _, attribute = place.partition(":")
        command = getattr(import_module(module), attribute)
        assert isinstance(command, click.Command)
        assert command.name == name

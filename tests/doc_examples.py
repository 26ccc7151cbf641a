"""The examples of the documents: three people, four deliveries, and the commands that are run over them."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests import DEADLINE, ROOT, model

DOCS = ROOT / "docs"
MARATHON = {"event_id": 501, "event_name": "Harbour Lights Marathon", "sub_event": {"id": 9011, "name": "Marathon"}}
ANNA = {
    **MARATHON, "first_name": "Anna", "last_name": "Cruz", "bib": "12", "status": "active", "dob": "1990-05-06",
    "answers": [{"question": "Shirt size", "answer": "M"}], "created_at": "2026-03-02T08:00:00Z",
    "updated_at": "2026-03-02T08:00:00Z",
}  # fmt: skip
DELIVERIES = [
    model.body(101, **ANNA),
    model.body(
        102, **MARATHON, first_name="Łukasz", last_name="Nowak", bib="9", status="active", dob="1999-01-31",
        created_at="2026-03-02T09:30:00Z", answers=[{"question": "Shirt size", "answer": "S"}],
    ),
    model.body(
        103, event_id=502, event_name="Fellside Trail Weekend", first_name="Zoë", last_name="de la Cruz",
        status="deferred", created_at="2026-03-03T10:00:00Z", answers=[{"question": "Shirt size", "answer": "M"}],
    ),
    model.body(101, **{**ANNA, "bib": "112", "updated_at": "2026-04-01T12:00:00Z"}),
]  # fmt: skip
_EXAMPLE = re.compile(r"```sh\n(.*?)```\n\n```(?:json|text)\n(.*?)```", re.DOTALL)


def examples(document: str) -> list[tuple[str, str]]:
    """Each command of a document, with the answer that is written below it."""
    text = (DOCS / document).read_text(encoding="utf-8")
    documented: list[tuple[str, str]] = _EXAMPLE.findall(text)
    assert len(documented) == text.count("```sh\n"), "an example has no answer"
    return documented


def programs(folder: Path, **others: Path) -> str:
    """A search path on which `rosterlog` and `python` are this checkout's, and others are where they are said to be."""
    for name, command in (("rosterlog", f'"{sys.executable}" -m projections'), ("python", f'"{sys.executable}"')):
        (folder / name).write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        (folder / name).chmod(0o755)
    for name, program in others.items():
        (folder / name).symlink_to(program)
    return f"{folder}:{os.environ['PATH']}"


def check(command: str, answer: str, env: Mapping[str, str], folder: Path) -> str:
    """Run a command in a folder, and compare what it says; `...` stands for anything. Gives what it said."""
    said = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command], env=dict(env), cwd=folder, capture_output=True, text=True,
        check=False, timeout=DEADLINE,
    )  # fmt: skip
    expected = ".*".join(map(re.escape, answer.strip().split("...")))
    assert re.fullmatch(expected, said.stdout.strip(), re.DOTALL), f"{command}\n{said.stdout}{said.stderr}"
    assert said.returncode == 0, said.stderr
    return said.stdout

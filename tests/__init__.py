"""Laws and promises. Tests lie as the rooms do; names say what holds; an independent model gives expected values."""

from pathlib import Path

ROOT = Path(__file__).parents[1]  # of the checkout
DEADLINE = 300.0  # seconds. Generous: a busy machine fails no test; reached only where something is wrong.
HEAD = max(path.stem for path in (ROOT / "migrations" / "versions").glob("[0-9]*.py"))  # the newest revision
NEXT = f"{int(HEAD.partition('_')[0]) + 1:04}"  # what the one to come begins with

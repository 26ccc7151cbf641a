"""`rosterlog verify`: proves each source and prints what is wrong."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict

import click
from pydantic_core import to_json
from sqlalchemy import Engine

from ingest.cli.group import settings_of
from ingest.cli.invocation import runnable
from ingest.cli.opening import migrated_engine
from ingest.cli.progress import progress
from ingest.cli.sources import need_sources, source_of
from ingest.cli.terminal import say, unicode
from ingest.database import OPERATOR_ROLE
from ingest.failures import WrongUsage
from ingest.log.proof import Noted, Proof
from ingest.log.read import every_source, heads
from ingest.log.verification import note_verified
from ingest.log.verify import verify as prove
from ingest.session import LONG
from ingest.settings import DEFAULT_SOURCE, Settings

_LARGEST = 2**63 - 1
_MOST_BARS = 20  # sources with a bar of their own; more have one together
_NOTED_AT_ONCE = 200  # sources

_Advance = Callable[[int], None]


class _Chain(click.ParamType[bytes]):
    name = "hex"

    def convert(self, value: str | bytes, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        try:
            chain = value if isinstance(value, bytes) else bytes.fromhex(value)
        except ValueError:
            chain = b""
        if len(chain) != 32:
            self.fail("a chain value is 64 hex digits, as verify prints it", param, ctx)
        return chain


@click.command()
@click.option("--source", help="Only this source. Default: all of them.")
@click.option("--since", metavar="POSITION", type=click.IntRange(0, _LARGEST), help="Only what came after it.")
@click.option("--chain", type=_Chain(), help="The chain value noted at that position.")
@click.option("--signatures", is_flag=True, help="Check each signature again, with the secrets there are.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@settings_of
def verify(
    settings: Settings, source: str | None, since: int | None, chain: bytes | None, *, signatures: bool, as_json: bool
) -> None:
    """Prove that the log is as it was written: nothing altered, removed, inserted or moved.

    Note the position and chain value that it prints, outside of this machine: given back with --since and --chain
    they prove that nothing was cut off the end either.
    """
    if (since is None) != (chain is None):
        raise WrongUsage("--since and --chain belong together: a position and the chain value noted there")
    noted = Noted(since, chain) if since is not None and chain is not None else None
    if signatures:
        need_sources(settings)
    with migrated_engine(settings, OPERATOR_ROLE, LONG, tells=not as_json, is_direct=True) as engine:
        proofs, is_noted = _prove_each(engine, settings, source, noted, signatures=signatures)
        if not is_noted:
            say("when this was verified could not be written down: metrics and status do not know of it")
    if as_json:
        click.echo(to_json({"ok": not any(map(_is_bad, proofs)), "sources": [*map(_as_json, proofs)]}).decode())
    else:
        for proof in proofs:
            _print(proof)
    if any(map(_is_bad, proofs)):
        raise SystemExit(1)


def _prove_each(
    engine: Engine, settings: Settings, name: str | None, noted: Noted | None, *, signatures: bool
) -> tuple[list[Proof], bool]:
    """The proof of each source, and whether it could be written down when they were verified: some at a time, so that
    what was proved is known even if the command does not come to its end.
    """
    with engine.connect() as connection:
        logged = {**dict.fromkeys(every_source(connection), 0), **heads(connection)}
    secrets_of = settings.sources
    proofs: list[Proof] = []
    is_noted = True
    sources = _sources(settings, name, noted, logged)
    after = noted.position if noted else 0
    with ExitStack() as bars:
        at_once = len(sources) > _MOST_BARS
        events = sum(logged.get(source, 0) for source in sources)
        advance = bars.enter_context(progress(f"verifying {len(sources):,} sources", events)) if at_once else None
        for begin in range(0, len(sources), _NOTED_AT_ONCE):
            some = sources[begin : begin + _NOTED_AT_ONCE]
            for source in some:
                secrets = secrets_of.get(source, ()) if signatures else None
                with _bar(advance, source, logged.get(source, 0) - after) as checked:
                    proofs.append(prove(engine, source, noted, secrets, checked))
            is_noted &= note_verified(engine, proofs[-len(some) :])
    return proofs, is_noted


@contextmanager
def _bar(advance: _Advance | None, source: str, length: int) -> Iterator[_Advance]:
    """A bar of the source's own, unless there is one of all."""
    if advance is not None:
        yield advance
        return
    with progress(f"verifying {source}", max(length, 0)) as own:
        yield own


def _sources(settings: Settings, name: str | None, noted: Noted | None, logged: Mapping[str, int]) -> list[str]:
    known = sorted({*settings.sources, *logged}) or [DEFAULT_SOURCE]
    if noted is not None and name is None and len(known) > 1:
        raise WrongUsage("--since needs --source: every source has positions of its own")
    if noted is not None and noted.position and name is not None:
        return [unicode(name, "--source")]  # one that has lost all its events must still be checked
    return known if name is None else [source_of(settings, name, logged)]


def _is_bad(proof: Proof) -> bool:
    return proof.problems_found > 0


def _as_json(proof: Proof) -> dict[str, object]:
    shown: dict[str, object] = {
        "source": proof.source,
        "events": proof.events,
        "head": proof.head,
        "chain": proof.chain.hex(),
        "erased": proof.erased,
        "problems": [asdict(problem) for problem in proof.problems],
        "problems_found": proof.problems_found,
    }
    if proof.unknown_secret is not None:
        shown["unknown_secret"] = asdict(proof.unknown_secret)
    return shown


def _print(proof: Proof) -> None:
    number = proof.problems_found
    verdict = f"{number} PROBLEM{'S' if number > 1 else ''}" if number else "ok"
    none = f"nothing after position {proof.first - 1}" if proof.first > 1 else "none"
    checked = f"{proof.first} to {proof.head}" if proof.events else none
    click.echo(
        f"{proof.source}  {verdict}  {proof.events} events ({checked})  {proof.erased} erased  "
        f"head {proof.head}  chain {proof.chain.hex()}"
    )
    for problem in proof.problems:
        click.echo(f"  position {problem.position}: {runnable(problem.problem)}")
    unlisted = number - len(proof.problems)
    if unlisted:
        say(f"{unlisted} more problems of {proof.source} are not listed")

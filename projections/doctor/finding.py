"""What an examination finds: what was looked at, how it is, what that means and what to do."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from enum import Enum

from ingest.cli.terminal import printable
from ingest.listed import listed


class Level(Enum):
    """How bad a finding is. `fail`: deliveries, people or their privacy are at risk, or nothing works."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class DoctorFinding:
    """One line of `rosterlog doctor`. `do`: the next step; empty if there is none. What is not printable is escaped."""

    check: str
    level: Level
    says: str
    do: str = ""

    def as_json(self) -> dict[str, str]:
        return {**asdict(self), "level": self.level.value}


def ok(check: str, says: str) -> DoctorFinding:
    return DoctorFinding(check, Level.OK, printable(says))


def warn(check: str, says: str, do: str) -> DoctorFinding:
    return DoctorFinding(check, Level.WARN, printable(says), printable(do))


def fail(check: str, says: str, do: str) -> DoctorFinding:
    return DoctorFinding(check, Level.FAIL, printable(says), printable(do))


def first_few(findings: Iterable[tuple[str, DoctorFinding]], most: int = 3) -> Iterator[DoctorFinding]:
    """Of findings that are alike but for whom they are about, the first few, and one finding about the others.

    `findings`: each with the name of that source. Alike are those of one check and level, with the same next step.
    """
    shown: Counter[tuple[str, Level, str]] = Counter()
    others: defaultdict[tuple[str, Level, str], list[str]] = defaultdict(list)
    for name, finding in findings:
        kind = (finding.check, finding.level, finding.do)
        shown[kind] += 1
        if shown[kind] <= most:
            yield finding
        else:
            others[kind].append(name)
    for (check, level, do), names in others.items():
        yield DoctorFinding(check, level, printable(f"{len(names):,} more likewise: {listed(names)}"), do)

"""Ways to look at what an examination has found."""

from collections.abc import Iterable

from projections.doctor.finding import DoctorFinding


def of(findings: DoctorFinding | Iterable[DoctorFinding], check: str) -> list[tuple[str, str]]:
    """The level of each finding of a check, and its line without the check."""
    every = [findings] if isinstance(findings, DoctorFinding) else findings
    return [(finding.level.value, f"{finding.says}: {finding.do}") for finding in every if finding.check == check]


def only(findings: DoctorFinding | Iterable[DoctorFinding], check: str) -> tuple[str, str]:
    """The one finding of a check."""
    [finding] = of(findings, check)
    return finding


def worst(findings: Iterable[DoctorFinding]) -> list[tuple[str, str]]:
    """The check and the level of each finding that is not well."""
    return [(finding.check, finding.level.value) for finding in findings if finding.level.value != "ok"]

"""What a check found: a verdict, what was seen, what was wanted, and what to do about it."""

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """``advice`` is empty when all is well."""

    check: str
    verdict: Verdict
    observed: str
    limit: str = ""
    advice: str = ""


def ok(check: str, observed: str, limit: str = "") -> Finding:
    return Finding(check=check, verdict=Verdict.OK, observed=observed, limit=limit)


def warn(check: str, observed: str, advice: str, limit: str = "") -> Finding:
    return Finding(check=check, verdict=Verdict.WARN, observed=observed, limit=limit, advice=advice)


def fail(check: str, observed: str, advice: str, limit: str = "") -> Finding:
    return Finding(check=check, verdict=Verdict.FAIL, observed=observed, limit=limit, advice=advice)


def failed(findings: list[Finding]) -> bool:
    return any(finding.verdict is Verdict.FAIL for finding in findings)

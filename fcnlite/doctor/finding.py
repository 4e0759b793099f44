"""The findings of the doctor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""error: it cannot work; warning: it probably works badly; note: it may be intended."""

SHOWN = 5
"""The number of names that a finding lists; further names are only counted."""


@dataclass(frozen=True)
class Finding:
    """One cause, certain or possible, of a net's failure."""

    id: str
    severity: Severity
    what: str
    """What was found, and where, in one sentence."""
    mend: str
    """How to repair it."""

    def __str__(self) -> str:
        return f"{self.severity}: {self.id}\n  {self.what}\n  {self.mend}"


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """The findings, errors first. Within a severity they keep the order of the checks: causes before effects."""
    return sorted(findings, key=lambda each: SEVERITIES.index(each.severity))


def listed(names: Sequence[str]) -> str:
    """The first names, and the number of the others: conv1_1, conv1_2 and 11 more."""
    shown = ", ".join(names[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"

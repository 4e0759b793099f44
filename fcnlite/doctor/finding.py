"""The findings of the doctor."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""error: the net cannot work; warning: it hardly can; note: it may be intended."""

SHOWN = 5
"""The most names that a finding lists; it counts the others."""


@dataclass(frozen=True)
class Finding:
    """One thing that makes a net fail, or may make it fail."""

    id: str
    severity: Severity
    what: str
    """One sentence: what was found, and where."""
    remedy: str
    """How to repair it."""

    def __str__(self) -> str:
        return f"{self.severity}: {self.id}\n  {self.what}\n  {self.remedy}"


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """The findings with errors first. Within a severity the order of the checks stays: causes before effects."""
    return sorted(findings, key=lambda each: SEVERITIES.index(each.severity))


def listed(names: Sequence[str]) -> str:
    """The first few names and the number of the others: conv1_1, conv1_2 and 11 more."""
    shown = ", ".join(names[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"

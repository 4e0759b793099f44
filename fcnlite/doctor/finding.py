"""What the doctor says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""error: it cannot work so; warning: it hardly does; note: it may be meant."""

SHOWN = 5
"""Names that a finding lists; the others are counted."""


@dataclass(frozen=True)
class Finding:
    """One thing that makes a net fail, or may."""

    id: str
    severity: Severity
    what: str
    """One sentence: what was found, and where."""
    mend: str
    """How to mend it."""

    def __str__(self) -> str:
        return f"{self.severity}: {self.id}\n  {self.what}\n  {self.mend}"


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first; the order of the checks, causes before what they cause, stays within each severity."""
    return sorted(findings, key=lambda each: SEVERITIES.index(each.severity))


def listed(names: Sequence[str]) -> str:
    """Names in a row, those beyond the first few counted: conv1_1, conv1_2 and 11 more."""
    shown = ", ".join(names[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"

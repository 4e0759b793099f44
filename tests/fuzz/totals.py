"""What all runs of a target found together, kept in WORK/NAME.json, and their table for docs/reliability.md."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import platform
from pathlib import Path

from tests.fuzz import FILES

LIBRARIES = ("numpy", "h5py", "pillow", "tifffile", "scipy", "protobuf", "atheris")


@dataclasses.dataclass
class Totals:
    """The sums and extremes over all runs of a target."""

    cases: int = 0
    seconds: float = 0.0
    """Processor time of the cases, and of the changes that made them."""
    slowest: float = 0.0
    """Processor time of one case, in seconds."""
    peak: int = 0
    """MB of one case, beyond what the process had before it."""
    coverage: int = 0
    """The branches of Python code that were covered, as atheris counts them."""
    failure: str = ""
    """How the last run failed. Each run replays the files of all failures, so that "" means that they are mended."""
    versions: dict[str, str] = dataclasses.field(default_factory=dict)
    """Of Python and the libraries, in the last run."""

    @staticmethod
    def read(work: Path, name: str) -> Totals:
        path = work / f"{name}.json"
        return Totals(**json.loads(path.read_text())) if path.exists() else Totals()

    def write(self, work: Path, name: str) -> None:
        unfinished = work / f".{name}.json"
        unfinished.write_text(json.dumps(dataclasses.asdict(self), indent=1))
        unfinished.replace(work / f"{name}.json")


def versions() -> dict[str, str]:
    """The versions of Python and of the libraries that read files."""
    return {"python": platform.python_version(), **{each: importlib.metadata.version(each) for each in LIBRARIES}}


def failures(work: Path, name: str) -> Path:
    """The folder of the files that failed, or took long."""
    return work / "failures" / name


def table(work: Path) -> str:
    """The results of all targets in Markdown, and the versions."""
    lines = [
        "| target | files | cases | processor time | a case | branches | slowest | memory | failures |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    found = {name: Totals.read(work, name) for name in FILES}
    for name, each in found.items():
        count = len([path for path in failures(work, name).glob("*") if not path.name.startswith("slow-unit-")])
        told = each.failure or (f"{count}, mended" if count else "none")
        time = f"{each.seconds / 60:.1f} min | {1e3 * each.seconds / max(1, each.cases):.2f} ms"
        numbers = f"{each.cases:,} | {time} | {each.coverage:,} | {each.slowest:.1f} s | {each.peak} MB"
        lines.append(f"| `{name}` | {FILES[name]} | {numbers} | {told if each.cases else 'not yet run'} |")
    used = sorted({f"{key} {value}" for each in found.values() for key, value in each.versions.items()})
    return "\n".join([*lines, "", f"Versions: {', '.join(used)}."])

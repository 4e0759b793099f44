"""`python -m tests.fuzz.fuzz_one TARGET WORK RUNS SECONDS CORPUS ... [-OPTION=VALUE ...]`: fuzz one reader here.

The options are those of libFuzzer. The process ends itself when the totals in WORK, which it keeps up to date, have
RUNS cases or SECONDS of processor time. tests.fuzz.__main__ runs this.
"""

from __future__ import annotations

import gc
import os
import random
import resource
import signal
import sys
import tempfile
import time
from pathlib import Path

import atheris

from tests.fuzz import FORMATS, INSTRUMENTED


def _others(wanted: tuple[str, ...]) -> list[str]:
    """The modules of fcnlite outside the packages that guide the target."""
    package = Path(__file__).parents[2] / "fcnlite"
    paths = (each.relative_to(package.parent).with_suffix("") for each in package.rglob("*.py"))
    names = (".".join(each.parts).removesuffix(".__init__") for each in paths)
    return [name for name in names if not f"{name}.".startswith(tuple(f"{each}." for each in wanted))]


_WANTED = INSTRUMENTED.get(sys.argv[1], FORMATS)
_PACKAGES = sorted({each.partition(".")[0] for each in _WANTED})
with atheris.instrument_imports(include=_PACKAGES, exclude=_others(_WANTED)):
    from PIL import Image

    from fcnlite import config
    from tests.fuzz.__main__ import MEGABYTES
    from tests.fuzz.targets import TARGETS, survives, under
    from tests.fuzz.totals import Totals, versions

    Image.init()

STRUCTURED = 0.5
"""The share of cases that are damaged as their kind of file is, instead of byte by byte."""
SECONDS = 10
"""The processor time that a case may take: unlike time on the clock, other programs change it little."""
OFTEN = 5
"""The totals are written after so many seconds of processor time."""


class _Memory:
    """The most memory that this process has had since `restart`, in MB."""

    def __init__(self) -> None:
        self._file = os.open("/proc/self/clear_refs", os.O_WRONLY)

    def restart(self) -> int:
        """Begin again, with the memory that the process has now, which is returned."""
        os.pwrite(self._file, b"5", 0)
        return self.peak()

    def peak(self) -> int:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def main(name: str, work: Path, runs: int, seconds: float, arguments: list[str]) -> None:
    config.set_max_memory(MEGABYTES * 7 // 8 << 20)  # of pixels and arrays; the process takes a little more
    target, totals = TARGETS[name], Totals.read(work, name)
    path = under(Path(tempfile.mkdtemp()), target)
    for i, example in enumerate(target.examples()):
        (Path(arguments[0]) / f"example-{i}").write_bytes(example)
        survives(target, path, example)
    totals.versions = versions()
    counted = written = time.process_time()
    memory = _Memory()

    def count(ended: float, took: float, grown: int) -> None:
        nonlocal counted, written
        totals.cases += 1
        totals.seconds += ended - counted
        totals.slowest, totals.peak = max(totals.slowest, took), max(totals.peak, grown)
        counted = ended
        enough = totals.cases >= runs or totals.seconds >= seconds
        if enough or ended - written > OFTEN:
            written = ended
            totals.write(work, name)
        if enough:
            os.kill(os.getpid(), signal.SIGUSR1)  # libFuzzer ends with status 0

    def one(data: bytes) -> None:
        # The C library keeps some of what earlier cases have freed, which is not this case's.
        before, began = memory.restart(), time.process_time()
        survives(target, path, data)
        ended = time.process_time()
        took, grown = ended - began, memory.peak() - before
        count(ended, took, grown)
        assert grown <= MEGABYTES, f"a case took {grown} MB; at most {MEGABYTES}"
        assert took <= SECONDS, f"a case took {took:.1f} s of processor time; at most {SECONDS}"

    def mutated(data: bytes, most: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if rng.random() < STRUCTURED:
            return target.damage(data, rng)[:most]
        return atheris.Mutate(data, most)

    atheris.Setup([name, *arguments, f"-rss_limit_mb={3 * MEGABYTES}"], one, custom_mutator=mutated)
    gc.freeze()  # what is imported stays; collections need not look at it
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), sys.argv[5:])

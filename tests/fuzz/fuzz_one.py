"""`python -m tests.fuzz.fuzz_one TARGET CORPUS ... [-OPTION=VALUE ...]`: fuzz one reader in this process.

The options are those of libFuzzer. tests.fuzz.__main__ runs this.
"""

from __future__ import annotations

import random
import resource
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

    from tests.fuzz.__main__ import MEGABYTES
    from tests.fuzz.targets import TARGETS, survives, under

    Image.init()

STRUCTURED = 0.5
"""The share of cases that are damaged as their kind of file is, instead of byte by byte."""
SECONDS = 10
"""The processor time that a case may take: unlike time on the clock, other programs change it little."""


def main(name: str, arguments: list[str]) -> None:
    target = TARGETS[name]
    folder = Path(tempfile.mkdtemp(prefix="fuzz-", dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
    path = under(folder, target)
    for i, example in enumerate(target.examples()):
        (Path(arguments[0]) / f"example-{i}").write_bytes(example)
        survives(target, path, example)
    slowest = 0.0

    def one(data: bytes) -> None:
        nonlocal slowest
        began = time.process_time()
        survives(target, path, data)
        took = time.process_time() - began
        if took > 1.1 * slowest:
            slowest = took
            print(f"slowest {took:.4f} s", file=sys.stderr, flush=True)
        assert took <= SECONDS, f"a case took {took:.1f} s of processor time; at most {SECONDS} are allowed"

    def mutated(data: bytes, most: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if rng.random() < STRUCTURED:
            return target.damage(data, rng)[:most]
        return atheris.Mutate(data, most)

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    atheris.Setup([name, *arguments, f"-rss_limit_mb={used + MEGABYTES}"], one, custom_mutator=mutated)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

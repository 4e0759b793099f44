"""`python -m tests.fuzz COUNT [SEED]`: damage COUNT of Caffe's files and read them; failures are kept and reported."""

from __future__ import annotations

import random
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

from tests.fuzz.mutations import file_kinds, survives


def main(count: int, seed: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    all_kinds = file_kinds(folder)
    rng = random.Random(seed)
    results: Counter[str] = Counter()
    slowest = 0.0
    for i in range(count):
        # Text has the most to go wrong.
        name = rng.choice([*all_kinds, "net", "net", "caffemodel"])
        kind = all_kinds[name]
        content = kind.damage(rng.choice(kind.examples), rng)
        began = time.monotonic()
        try:
            results[f"{name}: {'read' if survives(kind, folder / 'file', content) else 'refused'}"] += 1
        except Exception:
            results[f"{name}: FAILED"] += 1
            (folder / f"failed-{name}-{i}").write_bytes(content)
            traceback.print_exc(limit=-3)
        slowest = max(slowest, time.monotonic() - began)
    for result in sorted(results):
        print(f"{results[result]:8,} {result}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"slowest {slowest:.2f} s, peak memory {peak:.0f} MB; failures are kept in {folder}")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)

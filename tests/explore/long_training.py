"""`python -m tests.explore.long_training [MINUTES]`: what an hour of training before one's eyes keeps of memory.

It trains in the playground in Chromium and prints, each minute, the memory of the command with its processes, the heap
of the page after a garbage collection, and the updates in each second. It fails unless memory and heap are at the end
within 10 % of minute five.
"""

from __future__ import annotations

import mmap
import sys
import time
from pathlib import Path
from typing import Any

from tests.explore.browsing import chromium, explorer, page_of, version

COMPARED = 5
"""The minute with which the last one is compared."""
ALLOWED = 0.1
SETTINGS = "batch=2"


def main(minutes: int) -> int:
    rows: list[tuple[float, float, float]] = []
    with (
        explorer("--playground", "--threads", "1") as (address, process),
        chromium() as browser,
        page_of(browser, f"{address}#{SETTINGS}") as page,
    ):
        devtools = page.context.new_cdp_session(page)
        page.click("#start")
        print("minute  memory, MB  heap, MB  updates/s  iteration")
        for minute in range(1, minutes + 1):
            began, first = time.monotonic(), version(page)
            page.wait_for_timeout(40_000)
            updates = (version(page) - first) / (time.monotonic() - began)
            heap = _least_heap(page, devtools) / 1e6
            page.wait_for_timeout(max(0.0, 60_000 - 1000 * (time.monotonic() - began)))
            memory = sum(map(_resident, _tree(process.pid))) / 1e6
            rows.append((memory, heap, updates))
            iteration = page.get_attribute("#figures", "data-iteration")
            print(f"{minute:6}  {memory:10.1f}  {heap:8.2f}  {updates:9.1f}  {iteration}", flush=True)
    before, after = rows[min(COMPARED, minutes) - 1], rows[-1]
    grown = [abs(last / first - 1) for first, last in zip(before[:2], after[:2], strict=True)]
    good = max(grown) <= ALLOWED
    print(f"memory {100 * grown[0]:.1f} %, heap {100 * grown[1]:.1f} % from minute {COMPARED}")
    return 0 if good else 1


def _least_heap(page: Any, devtools: Any) -> int:
    """The least of several sizes of the heap, each read after a garbage collection and perhaps after another frame."""
    sizes = []
    for _ in range(10):
        page.wait_for_timeout(1000)
        devtools.send("HeapProfiler.collectGarbage")
        sizes.append(int(devtools.send("Runtime.getHeapUsage")["usedSize"]))
    return min(sizes)


def _tree(process: int) -> list[int]:
    """A process and all that it has started."""
    tasks = Path(f"/proc/{process}/task").glob("*/children")  # each thread has the children that it started
    children = [child for task in tasks for child in task.read_text().split()]
    return [process, *(each for child in children for each in _tree(int(child)))]


def _resident(process: int) -> int:
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * mmap.PAGESIZE


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 60))

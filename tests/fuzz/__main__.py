"""`python -m tests.fuzz [TARGET ...]`: fuzz the readers with atheris, guided by coverage, and report what was found.

Each target runs in a process of its own, until all its runs in `--work` together have `--runs` cases or `--seconds` of
processor time; so the same command continues what was interrupted. It starts from its examples, its files in
tests/fuzz/corpus, and what earlier runs found. A crash, an exception that is not ours, a case of more than 10 s of
processor time (or 300 s in all) or memory beyond 1 GB ends the target; its file is kept and named, and the next run
begins with it. `--table` prints the results so far.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.fuzz import FILES
from tests.fuzz.totals import Totals, failures, table

CORPUS = Path(__file__).parent / "corpus"
MEGABYTES = 1024
"""The memory that a case may use, beyond what the process has before it."""


def run(name: str, work: Path, runs: int, seconds: float) -> Totals:
    """Fuzz one target until its totals are `runs` cases or `seconds`; the log of this run is WORK/NAME.log."""
    before = Totals.read(work, name)
    if not before.failure and (before.cases >= runs or before.seconds >= seconds):
        return before
    found, failed, log = work / name, failures(work, name), work / f"{name}.log"
    for each in (found, failed):
        each.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "tests.fuzz.fuzz_one", name, str(work), str(runs), str(seconds)]
    command += [str(each) for each in (found, failed, CORPUS / name) if each.is_dir()]
    # A case has its limit in processor time; this one, on the clock, is for a process that waits.
    command += ["-timeout=300", "-report_slow_units=100", f"-artifact_prefix={failed}/", "-reload=0"]
    command += ["-max_len=65536", "-len_control=20", "-detect_leaks=0"]
    shared = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with log.open("w") as stream, tempfile.TemporaryDirectory(prefix="fuzz-", dir=shared) as folder:
        variables = {**os.environ, "OMP_NUM_THREADS": "1", "TMPDIR": folder}
        status = subprocess.run(command, stdout=stream, stderr=stream, env=variables).returncode
    text, after = log.read_text(errors="replace"), Totals.read(work, name)
    after.coverage = max(map(int, re.findall(r"cov: (\d+)", text)), default=after.coverage)
    after.failure = "" if status == 0 else _failure(text, status)
    after.write(work, name)
    return after


def _failure(text: str, status: int) -> str:
    """What ended a target: libFuzzer's summary, or Python's exception, and the file."""
    words = re.findall(
        r"(?:=== Uncaught Python exception: ===\n(.*)|SUMMARY: libFuzzer: (.*)|ERROR: libFuzzer: (.*))", text
    )
    what = next((word for each in words for word in each if word), f"status {status}")
    file = next(iter(re.findall(r"Test unit written to (\S+)", text)), "no file")
    return f"{what[:200]}: {file}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"one of {', '.join(FILES)} (default: all)")
    parser.add_argument("--runs", type=int, default=1_000_000, help="cases of each target (default: 1,000,000)")
    parser.add_argument("--seconds", type=float, default=1800, help="processor time of each target (default: 1800)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="targets at a time (default: the cores)")
    parser.add_argument(
        "--work", type=Path, default=Path("build/fuzz"), help="the folder of corpora, totals, logs and failures"
    )
    parser.add_argument("--table", action="store_true", help="only print the totals of all targets, in Markdown")
    options = parser.parse_args()
    if options.table:
        print(table(options.work))
        return 0
    if unknown := set(options.targets) - set(FILES):
        parser.error(f"no target {', '.join(sorted(unknown))}; expected one of {', '.join(FILES)}")
    print(f"{'target':16} {'cases':>10} {'time':>8} {'coverage':>9} {'slowest':>9} {'memory':>8}", flush=True)
    failed, names = False, options.targets or list(FILES)
    with ThreadPoolExecutor(options.jobs) as pool:
        results = pool.map(lambda name: run(name, options.work, options.runs, options.seconds), names)
        for name, each in zip(names, results, strict=True):
            print(
                f"{name:16} {each.cases:10,} {each.seconds:6.0f} s {each.coverage:9,} {each.slowest:7.2f} s "
                f"{each.peak:5} MB",
                each.failure,
                flush=True,
            )
            failed = failed or bool(each.failure)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

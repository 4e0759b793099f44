"""`python -m tests.fuzz [TARGET ...]`: fuzz the readers with atheris, guided by coverage, and report what was found.

Each target runs in a process of its own, for `--runs` cases or `--seconds`, whichever ends first. It starts from its
examples, its files in tests/fuzz/corpus, and what earlier runs left in `--work`. A crash, an exception that is not
ours, a case of more than 10 s of processor time (or 100 s in all) or memory beyond 1 GB ends the target; its file is
kept and named.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from tests.fuzz import NAMES

CORPUS = Path(__file__).parent / "corpus"
MEGABYTES = 1024
"""The memory that a case may use, beyond what the process uses before the first case."""


class Result(NamedTuple):
    """What a run of one target found."""

    name: str
    cases: int
    coverage: int
    """The branches of Python code that were covered, as atheris counts them."""
    slowest: float
    """Seconds."""
    peak: int
    """MB, of the process."""
    failure: str


def run(name: str, work: Path, runs: int, seconds: int) -> Result:
    """Fuzz one target; its log is WORK/NAME.log."""
    found, artifacts, log = work / name, work / "failures", work / f"{name}.log"
    for each in (found, artifacts):
        each.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "tests.fuzz.fuzz_one",
        name,
        str(found),
        *([str(CORPUS / name)] * (CORPUS / name).is_dir()),
    ]
    command += [f"-runs={runs}", f"-max_total_time={seconds}", "-timeout=100", "-print_final_stats=1"]
    command += [f"-artifact_prefix={artifacts}/{name}-", "-max_len=65536", "-len_control=20", "-detect_leaks=0"]
    with log.open("w") as stream:
        status = subprocess.run(
            command, stdout=stream, stderr=stream, env={**os.environ, "OMP_NUM_THREADS": "1"}
        ).returncode
    text = log.read_text(errors="replace")

    def last(pattern: str) -> str:
        return next(iter(reversed(re.findall(pattern, text))), "0")

    failure = "" if status == 0 else _failure(text, status)
    cases = int(last(r"number_of_executed_units: (\d+)")) or int(last(r"#(\d+)\t"))
    peak = int(last(r"peak_rss_mb: +(\d+)")) or int(last(r"rss: (\d+)Mb"))
    return Result(name, cases, int(last(r"cov: (\d+)")), float(last(r"slowest ([\d.]+) s")), peak, failure)


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
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"one of {', '.join(NAMES)} (default: all)")
    parser.add_argument("--runs", type=int, default=1_000_000, help="cases of each target (default: 1,000,000)")
    parser.add_argument("--seconds", type=int, default=1800, help="the time of each target (default: 1800)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="targets at a time (default: the cores)")
    parser.add_argument(
        "--work", type=Path, default=Path("build/fuzz"), help="the folder of corpora, logs and failures"
    )
    options = parser.parse_args()
    if unknown := set(options.targets) - set(NAMES):
        parser.error(f"no target {', '.join(sorted(unknown))}; expected one of {', '.join(NAMES)}")
    print(f"{'target':16} {'cases':>10} {'coverage':>9} {'slowest':>9} {'memory':>8}", flush=True)
    failed = False
    with ThreadPoolExecutor(options.jobs) as pool:
        for each in pool.map(
            lambda name: run(name, options.work, options.runs, options.seconds), options.targets or NAMES
        ):
            print(
                f"{each.name:16} {each.cases:10,} {each.coverage:9,} {each.slowest:7.2f} s {each.peak:5} MB",
                each.failure,
                flush=True,
            )
            failed = failed or bool(each.failure)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

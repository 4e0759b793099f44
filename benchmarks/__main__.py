"""Us against the peers on this machine: `make bench`, or `python -m benchmarks [NAME ...]`.

Without an option: the table of ours and the peers on every workload, in seconds, with the ratio of ours to the fastest
float32 peer; ours also with AVX2 forced, where the machine has more. The bar is the largest ratio that the project
allows itself: one above it is a failure, as is an output that no peer agrees with, and the status is 1. --more: scaling
over threads, cost against picture size, the share of the machine's peak, memory and the first forward. --profile: every
step of ours against its floors.

Tables are Markdown, on standard output. The figures are also left in benchmarks/results.json (--more:
benchmarks/results.more.json), the charts beside them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import machine, memory, more, steps, table
from benchmarks.workers import EngineError
from benchmarks.workloads import WORKLOADS, Workload
from fcnlite._cli.parser import positive
from fcnlite._cli.running import check_environment, run_command
from fcnlite.errors import FcnliteError
from fcnlite.files import atomic_write

HERE = Path(__file__).parent


def main(arguments: Sequence[str] | None = None) -> None:
    parser = _parser()
    options = parser.parse_args(arguments)
    check_environment()
    if options.names and (options.more or options.profile):
        parser.error("NAME chooses workloads of the table; --more and --profile measure FCN-8s at 500×500")
    if options.chart and options.profile:
        parser.error("--profile draws no chart")
    print(f"{machine.line(machine.describe())}\n", flush=True)
    if options.profile:
        print(steps.profile(options.repeats))
    elif options.more:
        _more(options.repeats, options.chart or HERE / "results.more.png")
    else:
        _table(options.names, options.repeats, options.chart)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    words = "workloads whose names contain one of these, such as 500x500"
    parser.add_argument("names", nargs="*", metavar="NAME", help=words)
    words = f"timed runs, after one to warm up (default 5); {table.MORE_OFTEN} times as many of short ones"
    parser.add_argument("--repeats", type=positive, default=5, metavar="N", help=words)
    parser.add_argument("--chart", type=Path, metavar="PATH", help="where the chart goes, such as docs/benchmark.png")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--more", action="store_true", help="what is shown beside the table")
    which.add_argument("--profile", action="store_true", help="every step of FCN-8s against its floors")
    return parser


def _table(names: Sequence[str], repeats: int, chart: Path | None) -> None:
    """Measure and print; the whole table is saved too."""
    chosen = _chosen(names)
    table.check_peers(chosen)
    print(f"{table.CAPTION}\n\n{table.heading()}", flush=True)
    results: list[dict[str, Any]] = []
    failures = []
    for workload in chosen:
        try:
            results.append(table.measure(workload, repeats))
        except EngineError as error:
            failures.append(f"{workload.name}: {error}")
            continue
        print(table.row(results[-1]), flush=True)
        failures.extend(table.missed(results[-1]))
    if not names:
        _save(HERE / "results.json", {"repeats": repeats, "results": results, "failures": failures})
        chart = chart or HERE / "results.png"
    if results and chart:
        table.draw(results, chart)
    _raise(failures)


def _chosen(names: Sequence[str]) -> list[Workload]:
    """The workloads whose names contain one of these, in which x is as good as ×; all for no name."""
    typed = [name.replace("×", "x") for name in names]
    chosen = [each for each in WORKLOADS if not names or any(name in each.name.replace("×", "x") for name in typed)]
    if not chosen:
        raise EngineError(f"no workload is called so; there are: {'; '.join(each.name for each in WORKLOADS)}.")
    return chosen


def _more(repeats: int, chart: Path) -> None:
    found: dict[str, Any] = {"repeats": repeats}
    failures = []
    parts = (
        ("Scaling", "scaling", lambda: more.scaling(repeats), more.show_scaling),
        ("Cost against picture size", "sizes", lambda: more.sizes(repeats), more.show_sizes),
        ("Share of the peak", "peak", lambda: more.peak(repeats), more.show_peak),
        ("Memory and the first forward", "memory", memory.measure, memory.show),
    )
    for title, key, measure, show in parts:
        try:
            found[key] = measure()
        except FcnliteError as error:
            failures.append(f"{title}: {error}")
            continue
        print(f"## {title}\n\n{show(found[key])}\n", flush=True)
    _save(HERE / "results.more.json", {**found, "failures": failures})
    if "sizes" in found:
        more.draw_sizes(found["sizes"], chart)
    _raise(failures)


def _save(path: Path, found: dict[str, Any]) -> None:
    """In place of what was measured before, which the documents may speak of."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps({"machine": machine.describe(), **found}, indent=1, ensure_ascii=False) + "\n")
    print(f"The figures are in {path}.", flush=True)


def _raise(failures: Sequence[str]) -> None:
    """End with an error that says what of ours failed, after all that did not is measured and saved."""
    if failures:
        raise EngineError("\n       ".join(failures))


if __name__ == "__main__":
    sys.exit(run_command(main))

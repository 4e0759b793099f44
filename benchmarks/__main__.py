"""Compare fcnlite with other engines on this machine: `make bench`, or `python -m benchmarks [NAME ...]`.

Without an option: a table of the seconds of every engine on every workload, with the ratio of ours to the fastest
float32 peer. Where the machine has more than AVX2, ours runs with AVX2 forced as well. The bar is the largest ratio
that the project allows itself. A ratio above its bar, or an output that no peer agrees with, is a failure: the exit
status is 1. --more: scaling over threads, cost against picture size, share of the machine's peak, memory and first
forward. --profile: every step of ours against its floors. --further: the table of further nets, small ones and such of
other kinds, instead.

Tables are Markdown on standard output. Rows are measured at different times; compare only within a row. The figures
are also saved in benchmarks/results.json (--further: results.further.json, --more: results.more.json), with the charts
beside them.
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
from benchmarks.workloads import FURTHER, WORKLOADS, Workload
from fcnlite._cli.parser import positive
from fcnlite._cli.running import check_environment, run_command
from fcnlite.errors import FcnliteError
from fcnlite.files import atomic_write

HERE = Path(__file__).parent


def main(arguments: Sequence[str] | None = None) -> None:
    parser = _parser()
    options = parser.parse_args(arguments)
    check_environment()
    if options.names and (options.more or options.profile or options.further):
        parser.error("NAME chooses workloads of both tables; --more and --profile measure FCN-8s at 500×500")
    if options.one_thread and (options.more or options.profile):
        parser.error("--one-thread is for the table")
    if options.chart and options.profile:
        parser.error("--profile draws no chart")
    print(f"{machine.line(machine.describe())}\n", flush=True)
    if options.profile:
        print(steps.profile(options.repeats))
    elif options.more:
        _more(options.repeats, options.chart or HERE / "results.more.png")
    else:
        _table(_chosen(options.names, options.further), options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    words = "workloads whose names contain one of these, such as 500x500"
    parser.add_argument("names", nargs="*", metavar="NAME", help=words)
    words = f"timed runs, after one to warm up (default 5); short workloads get {table.MORE_OFTEN} times as many"
    parser.add_argument("--repeats", type=positive, default=5, metavar="N", help=words)
    parser.add_argument(
        "--chart", type=Path, metavar="PATH", help="write the chart to this file, such as docs/benchmark.png"
    )
    words = "measure the table in processor time of one thread, which means something on a busy machine; saves nothing"
    parser.add_argument("--one-thread", action="store_true", help=words)
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--more", action="store_true", help="measure scaling, picture sizes, share of the peak and memory instead"
    )
    which.add_argument("--further", action="store_true", help="measure further nets instead")
    which.add_argument("--profile", action="store_true", help="measure every step of FCN-8s against its floors instead")
    return parser


def _table(chosen: Sequence[Workload], options: argparse.Namespace) -> None:
    """Measure and print the table; save it if it is whole and for all threads."""
    chart = options.chart
    if options.one_thread:
        chosen = [each.on_one_thread() for each in chosen]
    table.check_peers(chosen)
    print(f"{table.CAPTION}\n\n{table.heading()}", flush=True)
    results: list[dict[str, Any]] = []
    failures = []
    for workload in chosen:
        try:
            results.append(table.measure(workload, options.repeats))
        except EngineError as error:
            failures.append(f"{workload.name}: {error}")
            continue
        print(table.row(results[-1]), flush=True)
        failures.extend(table.missed(results[-1]))
    if not options.names and not options.one_thread:
        name = "results.further" if options.further else "results"
        _save(HERE / f"{name}.json", {"repeats": options.repeats, "results": results, "failures": failures})
        chart = chart or HERE / f"{name}.png"
    if results and chart:
        table.draw(results, chart)
    _raise(failures)


def _chosen(names: Sequence[str], further: bool = False) -> list[Workload]:
    """The workloads whose names contain one of `names`, where x may replace ×.

    Without names: those of `make bench`, or (`further`) those of `make bench-all`.
    """
    if not names:
        return FURTHER if further else WORKLOADS
    there = [*WORKLOADS, *FURTHER]
    typed = [name.replace("×", "x") for name in names]
    chosen = [each for each in there if any(name in each.name.replace("×", "x") for name in typed)]
    if not chosen:
        raise EngineError(f"no workload has such a name; there are: {'; '.join(each.name for each in there)}.")
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
    """Replace the figures of an earlier run."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps({"machine": machine.describe(), **found}, indent=1, ensure_ascii=False) + "\n")
    print(f"The figures are in {path}.", flush=True)


def _raise(failures: Sequence[str]) -> None:
    """Raise one error that lists the failures, once everything else is measured and saved."""
    if failures:
        raise EngineError("\n       ".join(failures))


if __name__ == "__main__":
    sys.exit(run_command(main))

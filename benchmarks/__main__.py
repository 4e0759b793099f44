"""Us against the peers on this machine: `make bench`, or `python -m benchmarks [NAME ...]`.

Every engine has a process of its own and the same number of threads; the runs of all alternate, so that the machine's
moods meet all alike, and the best of each counts. Outputs (for training: the first losses) are compared before any
time is believed. Prints a table of seconds and ratios; writes benchmarks/results.json and benchmarks/results.png.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.engines import INFERENCE, NOT_FLOAT32, OURS, TRAINING, prepare
from benchmarks.workloads import WORKLOADS, Workload

HERE = Path(__file__).parent
AGREEMENT = 1e-3
"""Of the largest value: what outputs may differ by, through a whole net in float32."""


def work(workload: Workload, engine: str, folder: Path) -> None:
    """A worker: prepare, then one run for every line that comes in, its seconds for a line out."""
    threads = workload.threads or os.cpu_count() or 1
    run = (TRAINING if workload.training else INFERENCE)[engine](workload, folder, threads)
    np.save(folder / f"{engine}.npy", run())
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        run()
        print(json.dumps({"seconds": time.perf_counter() - began}), flush=True)


class Worker:
    """A process with one engine."""

    def __init__(self, number: int, engine: str, folder: Path) -> None:
        command = [sys.executable, "-m", "benchmarks", "--work", str(number), engine, str(folder)]
        # The engines set their own threads; what their libraries start beside them must not be more.
        threads = str(WORKLOADS[number].threads or os.cpu_count() or 1)
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": threads},
        )
        self._answer()

    def run(self) -> float:
        assert self._process.stdin is not None
        self._process.stdin.write("run\n")
        self._process.stdin.flush()
        return self._answer()["seconds"]

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"ended with status {self._process.wait()}")
        return json.loads(line)


def measure(number: int, repeats: int) -> dict[str, Any]:
    """One workload on all engines: the best seconds of each; None for one that cannot run it or disagrees."""
    workload = WORKLOADS[number]
    engines = list(TRAINING if workload.training else INFERENCE)
    seconds: dict[str, float | None] = dict.fromkeys(engines)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(workload, folder)
        workers: dict[str, Worker] = {}
        for engine in engines:
            try:
                workers[engine] = Worker(number, engine, folder)
            except RuntimeError as error:
                print(f"  {engine}: {error}", file=sys.stderr)
        ours = np.load(folder / f"{OURS}.npy")
        for engine in list(workers):
            theirs = np.load(folder / f"{engine}.npy").reshape(ours.shape)
            difference = float(np.abs(theirs - ours).max() / np.abs(ours).max())
            bar = 0.1 if engine in NOT_FLOAT32 else AGREEMENT
            if not difference <= bar:
                print(f"  {engine}: differs by {difference:.2g} of the largest value; left out", file=sys.stderr)
                workers.pop(engine).close()
        for _ in range(repeats):
            for engine, worker in workers.items():
                seconds[engine] = min(seconds[engine] or np.inf, worker.run())
        for worker in workers.values():
            worker.close()
    peers = [value for engine, value in seconds.items() if value and engine not in (OURS, *NOT_FLOAT32)]
    ratio = seconds[OURS] / min(peers) if peers and seconds[OURS] else None
    return {"workload": workload.name, "bar": workload.bar, "ratio": ratio, "seconds": seconds}


def show(result: dict[str, Any]) -> str:
    lines = [f"\n{result['workload']}"]
    for engine, value in result["seconds"].items():
        lines.append(f"  {engine:24} {'–' if value is None else f'{value:8.3f} s'}")
    if result["ratio"] is not None:
        lines.append(f"  ratio to the fastest float32 peer: {result['ratio']:.2f} (bar {result['bar']})")
    return "\n".join(lines)


def chart(results: list[dict[str, Any]], path: Path) -> None:
    """Bars of seconds by workload and engine, relative to the fastest float32 peer."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    engines = list(dict.fromkeys(engine for result in results for engine in result["seconds"]))
    figure, axes = plt.subplots(figsize=(10, 0.8 + 0.9 * len(results)), layout="constrained")
    height = 0.8 / len(engines)
    for i, engine in enumerate(engines):
        values = []
        for result in results:
            seconds, ratio = result["seconds"], result["ratio"]
            best = seconds[OURS] / ratio if ratio else None
            values.append(seconds[engine] / best if best and seconds.get(engine) else 0)
        places = [row + i * height for row in range(len(results))]
        axes.barh(places, values, height, label=engine)
    axes.set_yticks([row + 0.4 - height / 2 for row in range(len(results))], [each["workload"] for each in results])
    axes.axvline(1, color="black", linewidth=0.8)
    axes.invert_yaxis()
    axes.set_xlabel("time, relative to the fastest float32 peer")
    axes.legend(fontsize="small")
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="workloads whose names contain one of these")
    parser.add_argument("--repeats", type=int, default=5, help="timed runs of each engine, after one to warm up")
    parser.add_argument("--work", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        number, engine, folder = options.work
        work(WORKLOADS[int(number)], engine, Path(folder))
        return
    chosen = [
        i for i, each in enumerate(WORKLOADS) if not options.names or any(name in each.name for name in options.names)
    ]
    results = []
    for number in chosen:
        results.append(measure(number, options.repeats))
        print(show(results[-1]), flush=True)
    machine = {"cpu": platform.processor() or platform.machine(), "cores": os.cpu_count(), "repeats": options.repeats}
    (HERE / "results.json").write_text(json.dumps({"machine": machine, "results": results}, indent=1) + "\n")
    chart(results, HERE / "results.png")


if __name__ == "__main__":
    main()

"""An engine in its own process, which runs on request.

`python -m benchmarks.workers WORKLOAD ENGINE FOLDER` is such a process. It prepares, writes its first results into the
folder, and prints a line. Then it runs once for every line that it reads, and prints the seconds.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import numpy as np

from benchmarks.engines import AVX2, OURS, PEERS, Engine
from benchmarks.machine import all_threads, environment
from benchmarks.workloads import Workload
from fcnlite.errors import FcnliteError

ROOT = Path(__file__).parents[1]
WARM_UP = 0.3
"""Seconds without a clock before a run of several calls."""


class EngineError(FcnliteError):
    """An engine cannot run a workload, or its results are wrong."""


class Worker:
    """A process with one engine, ready to run. Raises `EngineError` with the engine's last message if it fails."""

    def __init__(self, workload: Workload, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self._results = folder / f"{engine.name}.npz"
        self._errors = folder / f"{engine.name}.txt"
        with self._errors.open("w") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "benchmarks.workers", workload.to_json(), engine.name, str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                cwd=ROOT,
                env={**environment(all_threads(workload.threads)), **engine.environment},
            )
        try:
            self._answer()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def results(self) -> list[np.ndarray]:
        """The results of the first run."""
        with np.load(self._results) as archive:
            return list(archive.values())

    def run(self) -> float:
        """The seconds of one run; of a workload with several calls a run, those of one call, on average."""
        stdin = self._pipe(self._process.stdin)
        try:
            stdin.write("run\n")
            stdin.flush()
        except BrokenPipeError:
            pass  # the process has ended; `_answer` raises
        return self._answer()["seconds"]

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def _answer(self) -> dict[str, Any]:
        while line := self._pipe(self._process.stdout).readline():
            if line.startswith("{"):  # libraries may print other lines
                return json.loads(line)
        status = self._process.wait()
        said = self._errors.read_text().strip().splitlines()
        raise EngineError(f"ended with status {status}: {said[-1] if said else 'it said nothing'}")

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe


def warm_up(run: Callable[[], Any]) -> None:
    """Run for `WARM_UP` seconds: after a pause, some machines are slow for longer than a short call."""
    until = time.perf_counter() + WARM_UP
    while time.perf_counter() < until:
        run()


def main(text: str, name: str, place: str) -> None:
    workload, folder = Workload.from_json(text), Path(place)
    engine = next(each for each in (OURS, AVX2, *PEERS) if each.name == name)
    run = engine.start(workload, folder, all_threads(workload.threads))
    np.savez(folder / f"{name}.npz", *run())
    print(json.dumps({"ready": True}), flush=True)
    clock = time.process_time if workload.processor_time else time.perf_counter
    for _ in sys.stdin:
        if workload.calls > 1:
            warm_up(run)
        began = clock()
        for _ in range(workload.calls):
            run()
        print(json.dumps({"seconds": (clock() - began) / workload.calls}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

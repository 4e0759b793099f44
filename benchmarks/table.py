"""The table: ours and the peers on every workload.

Every engine has its own process and the same number of threads. Their runs alternate, so that a slow moment of the
machine affects all of them, and the fastest run of each counts. Results are compared before any run is timed.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.engines import AVX2, OURS, PEERS, Engine, engines, save_net
from benchmarks.workers import EngineError, Worker
from benchmarks.workloads import Workload
from fcnlite.files import atomic_write

PAUSE = 0.05
"""Seconds before a run, in which the previous engine's threads stop spinning."""
SHORT = 0.2
"""Seconds of ours below which runs are repeated more often, since a slow moment may last a whole run."""
MORE_OFTEN = 4
"""The factor on their number."""
FACTORS = (1, 10)
"""Factors on an engine's tolerance: for outputs and losses, and for gradients.

Through a whole net, gradients of any two engines differ that much: the last digits decide which of nearly equal values
max pooling selects, and only that one gets a gradient.
"""
COLUMNS = [OURS, AVX2, *PEERS]
CAPTION = (
    "Seconds of the fastest run of each engine. ratio: ours over the fastest float32 peer's; bar: the largest ratio "
    "that the project allows itself, or the most milliseconds of a call of ours; holds: whether ours is within it. "
    "Rows are measured at different times; compare only within a row."
)


def check_peers(workloads: Sequence[Workload]) -> None:
    """Print which packages of the peers are missing. Raises `EngineError` if a workload has no peer left."""
    packages = dict.fromkeys(package for each in PEERS for package in each.missing)
    if not packages:
        return
    words = (
        f"since these are not installed: {', '.join(packages)}; `make bench` installs all, as does "
        "pip install -e '.[bench]'"
    )
    here = [each for each in PEERS if each.peer and not each.missing]
    alone = [each.name for each in workloads if not any(peer.does(each) for peer in here)]
    if alone:
        others = f" (and {len(alone) - 1} more workloads)" if len(alone) > 1 else ""
        raise EngineError(f"no peer can run {alone[0]}{others}, {words}.")
    _say(f"left out: {'; '.join(each.name for each in PEERS if each.missing)}, {words}")


def measure(workload: Workload, repeats: int, chosen: Sequence[Engine] | None = None) -> dict[str, Any]:
    """The seconds of each engine's fastest run; None for a peer that cannot run the workload or does not agree.

    Raises `EngineError` if ours cannot run it, agrees with no float32 peer, or has no float32 peer.
    """
    running = [each for each in chosen or engines() if each.does(workload)]
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        save_net(workload, folder)
        workers = []
        for engine in running:
            try:
                workers.append(stack.enter_context(Worker(workload, engine, folder)))
            except EngineError as error:
                _give_up(engine, error)
        agreeing = _agreeing(workers, workload.share)
        seconds: dict[str, float | None] = {each.name: None for each in running}
        for repeat in range(MORE_OFTEN * repeats):
            if repeat >= repeats and (seconds[running[0].name] or 0) >= SHORT:
                break
            for worker in agreeing[:]:
                time.sleep(PAUSE)
                try:
                    seconds[worker.engine.name] = min(seconds[worker.engine.name] or np.inf, worker.run())
                except EngineError as error:
                    _give_up(worker.engine, error)
                    agreeing.remove(worker)
    ratios = _ratios(seconds)
    if ratios["ratio"] is None:
        raise EngineError("no float32 peer could be timed")
    return {
        "workload": workload.name, "bar": workload.bar, "limit": workload.limit, **ratios, "seconds": seconds,
    }  # fmt: skip


def _give_up(engine: Engine, error: EngineError) -> None:
    """Leave a peer out. Raises `EngineError` if the engine is ours."""
    if engine in (OURS, AVX2):
        raise EngineError(f"{engine.name} {error}") from error
    _say(f"{engine.name} {error}; left out")


def _agreeing(workers: Sequence[Worker], share: float = 1.0) -> list[Worker]:
    """The workers that agree with ours on this share of the values.

    Raises `EngineError` if no float32 peer does, or ours with AVX2 does not.
    """
    ours = workers[0].results()
    agreeing = []
    for worker in workers:
        apart = differences(worker.results(), ours, share)
        if all(each <= factor * worker.engine.tolerance for each, factor in zip(apart, FACTORS, strict=False)):
            agreeing.append(worker)
            continue
        shown = ", ".join(f"{each:.2g}" for each in apart)
        _say(f"{worker.engine.name} differs from ours by {shown} of the largest value; left out")
    if any(each.engine is AVX2 and each not in agreeing for each in workers):
        raise EngineError(f"{AVX2.name} and {OURS.name} compute different results")
    if not any(each.engine.peer for each in workers):
        raise EngineError(f"no float32 peer ran to compare {OURS.name} with")
    if not any(each.engine.peer for each in agreeing):
        raise EngineError(f"no peer agrees with {OURS.name}, whose results must be wrong")
    return agreeing


def differences(theirs: Sequence[np.ndarray], ours: Sequence[np.ndarray], share: float = 1.0) -> list[float]:
    """Each array's largest difference over the largest value of ours; infinite for NaN and for different sizes.

    With a share below 1, the difference that this share of the values does not exceed.
    """
    found = []
    for one, other in zip(theirs, ours, strict=True):
        apart = np.inf
        if one.size == other.size:
            with np.errstate(all="ignore"):
                apart = np.quantile(np.abs(one.reshape(other.shape).astype(np.float64) - other), share)
                apart /= np.abs(other).max()
        found.append(float(apart) if np.isfinite(apart) else np.inf)
    return found


def _ratios(seconds: dict[str, float | None]) -> dict[str, float | None]:
    """Our times over the fastest float32 peer's."""
    peers = [value for each in PEERS if each.peer and (value := seconds.get(each.name))]
    fastest = min(peers, default=None)
    found: dict[str, float | None] = {}
    for key, engine in (("ratio", OURS), ("ratio_avx2", AVX2)):
        value = seconds.get(engine.name)
        found[key] = value / fastest if value and fastest else None
    return found


def missed(result: dict[str, Any]) -> list[str]:
    """A sentence if our ratio is above the workload's bar, and one if our seconds are above its limit.

    There is no bar with AVX2 forced, since the peers use all instruction sets.
    """
    found, ratio, seconds = [], result["ratio"], result["seconds"][OURS.name]
    if ratio and result["bar"] and ratio > result["bar"]:
        found.append(f"{result['workload']}: the ratio is {ratio:.3f}, above its bar of {result['bar']:g}")
    if seconds and result["limit"] and seconds > result["limit"]:
        ours, most = 1e3 * seconds, 1e3 * result["limit"]
        found.append(f"{result['workload']}: a call takes {ours:.3f} ms, more than its limit of {most:g} ms")
    return found


def heading() -> str:
    """The first two lines of the Markdown table: seconds, then ratios to the fastest float32 peer."""
    cells = ["workload", *(each.name for each in COLUMNS), "ratio", "bar", "holds", "ratio, AVX2"]
    return f"{_row(cells)}\n|{'---|' + '---:|' * (len(cells) - 1)}"


def row(result: dict[str, Any]) -> str:
    times = [result["seconds"].get(each.name) for each in COLUMNS]
    bar = _number(result["bar"]) if not result["limit"] else f"{1e3 * result['limit']:g} ms"
    holds = "–" if bar == "–" else "no" if missed(result) else "yes"
    cells = [result["workload"], *map(_seconds, times), _number(result["ratio"]), bar, holds]
    return _row([*cells, _number(result["ratio_avx2"])])


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _seconds(value: float | None) -> str:
    """Three decimals, or more for times below 0.1 s."""
    return "–" if value is None else f"{value:.{3 if value >= 0.1 else 4 if value >= 0.01 else 6}f}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def draw(results: Sequence[dict[str, Any]], path: Path) -> None:
    """Draw the times by workload and engine as bars, relative to the fastest float32 peer's."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    drawn = [each for each in results if each["ratio"]]
    shown = [each for each in COLUMNS if any(result["seconds"].get(each.name) for result in drawn)]
    figure, axes = plt.subplots(figsize=(10, 1.2 + 1.1 * len(drawn)), layout="constrained")
    height = 0.85 / max(1, len(shown))
    for i, engine in enumerate(shown):
        bars = {
            place + i * height: result["seconds"][engine.name] * result["ratio"] / result["seconds"][OURS.name]
            for place, result in enumerate(drawn)
            if result["seconds"].get(engine.name)
        }
        axes.barh(list(bars), list(bars.values()), height, label=engine.name)
    middle = (len(shown) - 1) / 2 * height
    axes.set_yticks([place + middle for place in range(len(drawn))], [each["workload"] for each in drawn])
    axes.axvline(1, color="black", linewidth=0.8)
    axes.invert_yaxis()
    axes.set_xlabel("time, relative to the fastest float32 peer's (shorter is faster)")
    figure.legend(loc="outside upper center", ncols=4, fontsize="small")
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=120)
    plt.close(figure)


def _say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)

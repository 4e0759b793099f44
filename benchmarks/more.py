"""The measurements of --more: scaling over threads, cost against picture size, share of the peak."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import fcnlite
from benchmarks import steps, table
from benchmarks.engines import build_net
from benchmarks.machine import all_threads, best, copy_rate, sgemm_rate
from benchmarks.workloads import MAIN, UNPADDED, Workload
from fcnlite.arrays import Shape
from fcnlite.compiler.cost import Cost
from fcnlite.files import atomic_write
from fcnlite.net import Net

SIDES = (100, 200, 300, 350, 400, 500, 700, 1000, 1500)
"""Sides of the square pictures, in pixels."""
IN_TURN = 3
"""Timed runs on a picture before the next picture's."""


def scaling(repeats: int) -> list[dict[str, Any]]:
    """The table's results of every engine, on one thread and on all. Raises `EngineError` if no peer can run."""
    table.check_peers([MAIN])
    return [
        table.measure(replace(MAIN, name=f"{MAIN.name}, threads: {threads}", threads=threads), repeats)
        for threads in dict.fromkeys((1, all_threads(None)))
    ]


def show_scaling(results: Sequence[dict[str, Any]]) -> str:
    first, last = results[0]["seconds"], results[-1]["seconds"]
    lines = ["| | one thread, s | all threads, s | speed-up |", "|---|---:|---:|---:|"]
    for name in first:
        if first[name] and last.get(name):
            lines.append(f"| {name} | {first[name]:.3f} | {last[name]:.3f} | {first[name] / last[name]:.2f} |")
    return "\n".join(lines)


def sizes(repeats: int, sides: Sequence[int] = SIDES) -> dict[str, list[dict[str, float]]]:
    """For each net and square picture, our seconds with all threads, their floor, and products, computed and direct.

    One net has a pad of 100, the other none. Computed products are those left by borders and Winograd; direct ones are
    the formulas'. The sizes alternate `repeats` times, so that a slow minute affects them all; the fastest run counts.
    """
    return {workload.model: _sizes(workload, repeats, sides) for workload in (MAIN, UNPADDED)}


def _sizes(workload: Workload, repeats: int, sides: Sequence[int]) -> list[dict[str, float]]:
    net, threads = build_net(workload), all_threads(workload.threads)
    blobs = {side: replace(workload, shape=(1, 3, side, side)).inputs() for side in sides}
    seconds = dict.fromkeys(sides, float("inf"))
    sgemm = copied = 0.0
    for _ in range(repeats):
        sgemm, copied = max(sgemm, sgemm_rate(1, 1)), max(copied, copy_rate(threads))
        for side in sides:
            run = partial(net.forward, blobs[side], outputs=workload.outputs)
            seconds[side] = min(seconds[side], best(run, IN_TURN))
    found = []
    for side in sides:
        pixels, shapes = side**2, steps.shapes_of(blobs[side])
        costs = _costs(net, shapes, workload.outputs, threads)
        floor = sum(max(steps.floors(each.needed, each.memory, sgemm, copied, threads)) for each in costs)
        found.append(
            {
                "side": side,
                "seconds": seconds[side],
                "per_pixel": seconds[side] / pixels,
                "floor": floor / pixels,
                "products": sum(each.needed for each in costs) / pixels,
                "direct": steps.direct_work(net, shapes) / pixels,
            }
        )
    return found


def _costs(net: Net, shapes: Mapping[str, Shape], outputs: Sequence[str], threads: int) -> list[Cost]:
    """The cost of each step of the plan."""
    return [each.cost(threads) for each in net.plan(shapes, outputs).graph.operations]


def show_sizes(found: Mapping[str, Sequence[dict[str, float]]]) -> str:
    products = "thousand products per pixel: computed", "by the formulas"
    columns = ("net", "picture", "ms", "ns per pixel", "floor, ns per pixel", *products)
    lines = [f"| {' | '.join((*columns, 'ps per product'))} |", "|---|---|---:|---:|---:|---:|---:|---:|"]
    for name, rows in found.items():
        for each in rows:
            time, left = each["per_pixel"], each["products"]
            lines.append(
                f"| {name} | {each['side']}×{each['side']} | {1e3 * each['seconds']:.1f} | {1e9 * time:.0f} "
                f"| {1e9 * each['floor']:.0f} | {left / 1e3:.0f} | {each['direct'] / 1e3:.0f} "
                f"| {1e12 * time / left:.2f} |"
            )
    return "\n".join(lines)


def draw_sizes(found: Mapping[str, Sequence[dict[str, float]]], path: Path) -> None:
    """Draw the time per pixel against the picture's side."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
    for name, rows in found.items():
        axes.plot([each["side"] for each in rows], [1e9 * each["per_pixel"] for each in rows], marker="o", label=name)
    axes.set_xlabel("side of the picture, pixels")
    axes.set_ylabel("ns per pixel")
    axes.set_ylim(bottom=0)
    axes.set_title("Inference")
    axes.legend()
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=120)
    plt.close(figure)


def peak(repeats: int) -> dict[str, float]:
    """The seconds of our inference and the rate of NumPy's matrix product, measured in turn with the same threads."""
    threads, net, blobs = all_threads(MAIN.threads), build_net(MAIN), MAIN.inputs()
    fcnlite.set_num_threads(threads)
    seconds, sgemm = float("inf"), 0.0
    for _ in range(repeats):
        seconds = min(seconds, best(lambda: net.forward(blobs, outputs=MAIN.outputs), 1))
        sgemm = max(sgemm, sgemm_rate(threads, 1))
    shapes = steps.shapes_of(blobs)
    done = sum(each.needed for each in _costs(net, shapes, MAIN.outputs, threads))
    return {"seconds": seconds, "sgemm": sgemm, "direct": steps.direct_work(net, shapes), "done": done}


def show_peak(found: dict[str, float]) -> str:
    seconds, sgemm = found["seconds"], found["sgemm"]
    lines = [
        f"FCN-8s takes {seconds:.3f} s; NumPy's matrix product runs at {sgemm / 1e9:.0f} GFLOP/s.",
        "",
        "| | GFLOP | GFLOP/s | of the matrix product's |",
        "|---|---:|---:|---:|",
    ]
    for name, key in (("by the formulas", "direct"), ("after borders and Winograd", "done")):
        rate = found[key] / seconds
        lines.append(f"| {name} | {found[key] / 1e9:.1f} | {rate / 1e9:.0f} | {100 * rate / sgemm:.0f} % |")
    return "\n".join(lines)

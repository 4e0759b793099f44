"""The profile: every step of our plan, with the least time that the machine can need for it.

A step's arithmetic floor is its multiplications and additions at the rate of NumPy's matrix product on one core,
divided by the number of threads. Its memory floor is the bytes that it reads and writes, each once, at the rate of a
copy. Neither counts Winograd's transforms, nor rows and channels that only fill a micro-kernel's block.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

import fcnlite
from benchmarks.engines import build_net
from benchmarks.machine import all_threads, copy_rate, sgemm_rate
from benchmarks.workloads import MAIN
from fcnlite.arrays import Shape
from fcnlite.compiler import Plan, report
from fcnlite.net import Net


@dataclass(frozen=True)
class MeasuredStep:
    """One operation of a plan, with its measured time."""

    layers: str
    what: str
    seconds: float
    products: float
    """Multiplications and additions of matrix products, without rows and channels that only fill a block."""
    memory: float
    """Bytes read or written, each counted once."""


def shapes_of(blobs: Mapping[str, np.ndarray]) -> dict[str, Shape]:
    return {name: each.shape for name, each in blobs.items()}


def direct_work(net: Net, shapes: Mapping[str, Shape]) -> int:
    """The multiplications and additions in the formulas of the net's layers."""
    return 2 * sum(layer.macs(bottoms, tops) for layer, bottoms, tops in net.shapes(shapes))


def measure(plan: Plan, blobs: Mapping[str, np.ndarray], repeats: int) -> list[MeasuredStep]:
    """Every step of the plan, with the seconds of its fastest of `repeats` passes."""
    steps = []
    for operation, seconds in zip(plan.graph.operations, report.measure(plan, blobs, repeats), strict=True):
        cost = operation.cost(plan.machine.threads)
        layers = ", ".join(operation.layers) or operation.inputs[0].name
        steps.append(MeasuredStep(layers, operation.describe(), seconds, cost.needed, cost.memory))
    return steps


def floors(products: float, memory: float, sgemm: float, copied: float, threads: int) -> tuple[float, float]:
    """The least seconds of a step's arithmetic and of its memory accesses, at these rates."""
    return products / sgemm / threads, memory / copied


def show(steps: Sequence[MeasuredStep], sgemm: float, copied: float, threads: int) -> str:
    """The Markdown table. `sgemm`: multiplications and additions per second of one core; `copied`: bytes per second."""
    lines = [
        "| layers | step | ms | arithmetic floor, ms | memory floor, ms | floor / measured |",
        "|---|---|---:|---:|---:|---:|",
    ]
    found = [floors(each.products, each.memory, sgemm, copied, threads) for each in steps]
    for each, (arithmetic, memory) in zip(steps, found, strict=True):
        lines.append(_row(each.layers, each.what, each.seconds, arithmetic, memory, max(arithmetic, memory)))
    seconds = sum(each.seconds for each in steps)
    arithmetic, memory = (sum(column) for column in zip(*found, strict=True))
    lines.append(_row("**all**", "", seconds, arithmetic, memory, sum(map(max, found))))
    return "\n".join(lines)


def _row(layers: str, what: str, seconds: float, arithmetic: float, memory: float, floor: float) -> str:
    times = " | ".join(f"{1e3 * each:.2f}" for each in (seconds, arithmetic, memory))
    return f"| {layers} | {what} | {times} | {100 * floor / seconds:.0f} % |"


def profile(repeats: int) -> str:
    """The profile of FCN-8s, and the rates behind its floors."""
    threads, blobs = all_threads(MAIN.threads), MAIN.inputs()
    fcnlite.set_num_threads(threads)
    net = build_net(MAIN)
    steps = measure(net.plan(shapes_of(blobs), MAIN.outputs), blobs, repeats)
    sgemm, copied = sgemm_rate(1), copy_rate(threads)
    rates = (
        f"{MAIN.name}, {threads} threads, the best of {repeats} for each step; matrix product on one core "
        f"{sgemm / 1e9:.0f} GFLOP/s, copy on {threads} {copied / 1e9:.1f} GB/s."
    )
    return f"{show(steps, sgemm, copied, threads)}\n\n{rates}"

"""The roofline of FCN-8s on one thread: `python -m benchmarks.roofline [--out FILE]`.

Two measured rates make the roof: the peak of a core (NumPy's matrix product) and its memory bandwidth (a copy). Each
step of the plan is a point: its multiplications and additions for each byte that it reads or writes once (counted),
and its rate (measured). All times are processor times of one thread. The figures go to FILE as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

import fcnlite
from benchmarks import machine, steps
from benchmarks.engines import build_net
from benchmarks.single_thread import ProcessorClock, copy_rate, product_rate
from benchmarks.workloads import MAIN
from fcnlite._cli.running import check_environment, run_command
from fcnlite.compiler import Plan
from fcnlite.files import atomic_write
from fcnlite.threads import blas_alone


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.roofline", description=__doc__)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures to this JSON file")
    options = parser.parse_args(arguments)
    check_environment()
    fcnlite.set_num_threads(1)
    net, blobs = build_net(MAIN), MAIN.inputs()
    plan = net.plan(steps.shapes_of(blobs), MAIN.outputs)
    found = {
        "machine": machine.describe(),
        "peak": product_rate(),
        "bandwidth": copy_rate(),
        "direct": steps.direct_work(net, steps.shapes_of(blobs)),
        "steps": points(plan, blobs),
    }
    print(f"{machine.line(found['machine'])}\n")
    print(f"peak {found['peak'] / 1e9:.0f} GFLOP/s, bandwidth {found['bandwidth'] / 1e9:.1f} GB/s\n")
    print("| step | million products | MB | products a byte | GFLOP/s | of the roof |")
    print("|---|---:|---:|---:|---:|---:|")
    for each in found["steps"]:
        if each["products"]:
            intensity, rate = each["products"] / each["bytes"], each["products"] / each["seconds"]
            roof = min(found["peak"], intensity * found["bandwidth"])
            print(
                f"| {each['name']} | {each['products'] / 1e6:,.0f} | {each['bytes'] / 1e6:.1f} | {intensity:.1f} | "
                f"{rate / 1e9:.0f} | {100 * rate / roof:.0f} % |"
            )
    if options.out:
        with atomic_write(options.out) as temporary:
            Path(temporary).write_text(json.dumps(found, indent=1) + "\n")


def points(plan: Plan, blobs: dict[str, np.ndarray], repeats: int = 5) -> list[dict[str, float | str]]:
    """Name, products, bytes and seconds of each step. Products are multiplications and additions."""
    times = []
    with np.errstate(all="ignore"), blas_alone():
        for _ in range(1 + repeats):
            clock = ProcessorClock()
            plan.forward(blobs, clock)
            times.append(np.diff(clock))
    seconds = np.min(times[1:], axis=0)
    found = []
    for operation, measured in zip(plan.graph.operations, seconds, strict=True):
        cost = operation.cost(1)
        name = operation.layers[0] if operation.layers else operation.inputs[0].name
        found.append(
            {
                "name": f"{name}, {operation.describe()}",
                "products": float(cost.needed),
                "bytes": float(cost.memory),
                "seconds": float(measured),
            }
        )
    return found


if __name__ == "__main__":
    sys.exit(run_command(main))

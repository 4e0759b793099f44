"""The algorithms of convolution on the layers of VGG-16, on one thread: `python -m benchmarks.algorithms [--out FILE]`.

For each layer and each algorithm that suits it: the multiplications and additions in matrix products, with those that
only fill a block; the bytes of the prepared weights; the processor time in ms, as predicted by the cost model and as
measured. The layers are those of a picture of 224×224, with fc6 over 13×13 pixels. The figures go to FILE as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import fcnlite
from benchmarks import machine as machines
from benchmarks.single_thread import seconds
from fcnlite._cli.running import check_environment, run_command
from fcnlite.compiler.arena import aligned
from fcnlite.compiler.convolution.algorithms import Algorithm, candidates
from fcnlite.compiler.convolution.operation import ConvolutionOperation
from fcnlite.compiler.ir import ForwardStep, Value
from fcnlite.compiler.machine import DerivedObjects, Machine
from fcnlite.files import atomic_write
from fcnlite.layers.convolution import Convolution
from fcnlite.models.builder import Builder
from fcnlite.net import Net

LAYERS = (
    ("conv1_1", 3, 64, 3, 224),
    ("conv1_2", 64, 64, 3, 224),
    ("conv2_2", 128, 128, 3, 112),
    ("conv3_2", 256, 256, 3, 56),
    ("conv4_2", 512, 512, 3, 28),
    ("conv5_1", 512, 512, 3, 14),
    ("fc6", 512, 4096, 7, 13),
    ("fc7", 4096, 4096, 1, 7),
)
"""Name, channels, outputs, window, and the size of the bottom."""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.algorithms", description=__doc__)
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures to this JSON file")
    options = parser.parse_args(arguments)
    check_environment()
    fcnlite.set_num_threads(1)
    described = machines.describe()
    print(f"{machines.line(described)}\n")
    print("| layer | algorithm | products, million | prepared weights, MB | predicted, ms | measured, ms |")
    print("|---|---|---:|---:|---:|---:|")
    rows = []
    for row in measured():
        layer, algorithm, products, prepared, predicted, seconds = row.values()
        print(
            f"| {layer} | {algorithm} | {products / 2e6:,.0f} | {prepared / 1e6:,.1f} | {1e3 * predicted:.2f} | "
            f"{1e3 * seconds:.2f} |",
            flush=True,
        )
        rows.append(row)
    if options.out:
        with atomic_write(options.out) as temporary:
            Path(temporary).write_text(
                json.dumps({"machine": described, "rows": rows}, indent=1, ensure_ascii=False) + "\n"
            )


def measured() -> Iterator[dict[str, Any]]:
    """A row for each layer and algorithm: products, bytes of prepared weights, predicted and measured seconds."""
    for name, channels, outputs, size, side in LAYERS:
        net, machine = _convolution(channels, outputs, size, side)
        (layer,) = (each for each in net.layers if isinstance(each, Convolution))
        for algorithm, operation in _operations(layer, channels, side):
            yield {
                "layer": name,
                "algorithm": algorithm.name(operation.problem),
                "products": algorithm.cost(operation.problem).products,
                "prepared": 4 * algorithm.prepared_floats(operation.problem),
                "predicted": operation.cost(1).seconds(1),
                "seconds": _measured(operation, machine),
            }


def _convolution(channels: int, outputs: int, size: int, side: int) -> tuple[Net, Machine]:
    """A net of one convolution, and the machine that runs it."""
    builder = Builder("one")
    data = builder.input("data", 1, channels, side, side)
    pad = 1 if size == 3 else 0
    builder.convolution("conv", data, outputs, size, pad=pad, weight_filler={"type": "msra"})
    net = Net(builder.spec())
    return net, net.plan({"data": (1, channels, side, side)}).machine


def _operations(layer: Convolution, channels: int, side: int) -> list[tuple[Algorithm, ConvolutionOperation]]:
    """An operation for each algorithm that suits the layer."""
    found = []
    bottom = (1, channels, side, side)
    (top,) = layer.top_shapes(bottom)
    for algorithm in candidates(ConvolutionOperation(layer, [Value("data", bottom)], [Value("y", top)], False).problem):
        values = Value("data", bottom, algorithm.reads_blocked), Value("conv", top, algorithm.writes_blocked)
        operation = ConvolutionOperation(layer, [values[0]], [values[1]], training=False)
        operation.algorithm = algorithm
        found.append((algorithm, operation))
    return found


def _measured(operation: ConvolutionOperation, machine: Machine) -> float:
    """The seconds of processor time of one forward, without preparing the weights."""
    machine = replace(machine, derived=DerivedObjects())
    x, y = (aligned(each.floats).reshape(each.memory_shape) for each in (operation.inputs[0], operation.outputs[0]))
    x[...] = np.random.default_rng(0).normal(size=x.shape)
    set_up = operation.set_up(machine)
    step = ForwardStep(set_up.work, aligned(set_up.scratch), aligned(set_up.kept))
    return seconds(lambda: operation.forward([x], [y], step, machine), repeats=10)


if __name__ == "__main__":
    sys.exit(run_command(main))

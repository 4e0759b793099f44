"""The algorithms of convolution on the layers of VGG-16, on one thread: `python -m benchmarks.algorithms`.

For each layer and each algorithm that suits it: the multiplications and additions in matrix products, with those that
only fill a block; the bytes of the prepared weights; the processor time in ms, as predicted by the cost model and as
measured. The first convolution of each shape in VGG-16 counts, for a picture of 224×224, and fc6 over 13×13 pixels.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

from dataclasses import replace

import numpy as np

import fcnlite
from benchmarks import machine as machines
from benchmarks.single_thread import seconds
from fcnlite.compiler.arena import aligned
from fcnlite.compiler.convolution.algorithms import Algorithm, candidates
from fcnlite.compiler.convolution.operation import ConvolutionOperation
from fcnlite.compiler.ir import ForwardStep, Value
from fcnlite.compiler.machine import Machine
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


def main() -> None:
    fcnlite.set_num_threads(1)
    print(f"{machines.line(machines.describe())}\n")
    print("| layer | algorithm | products, million | prepared weights, MB | predicted, ms | measured, ms |")
    print("|---|---|---:|---:|---:|---:|")
    for name, channels, outputs, size, side in LAYERS:
        net, machine = _convolution(channels, outputs, size, side)
        (layer,) = (each for each in net.layers if isinstance(each, Convolution))
        for algorithm, operation in _operations(layer, channels, side):
            cost = operation.algorithm.cost(operation.problem)
            prepared = 4e-6 * operation.algorithm.prepared_floats(operation.problem)
            predicted, measured = operation.cost(1).seconds(1), _measured(operation, machine)
            print(
                f"| {name} | {algorithm.name(operation.problem)} | {cost.products / 2e6:,.0f} | {prepared:,.1f} | "
                f"{1e3 * predicted:.2f} | {1e3 * measured:.2f} |",
                flush=True,
            )


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
    machine = replace(machine, derived={})
    x, y = (aligned(each.floats).reshape(each.memory_shape) for each in (operation.inputs[0], operation.outputs[0]))
    x[...] = np.random.default_rng(0).normal(size=x.shape)
    set_up = operation.set_up(machine)
    step = ForwardStep(set_up.work, aligned(set_up.scratch), aligned(set_up.kept))
    return seconds(lambda: operation.forward([x], [y], step, machine), repeats=10)


if __name__ == "__main__":
    main()

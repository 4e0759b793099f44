"""A net's first forward pass, for one picture: filters are prepared in portions, used at once, and not kept.

Memory that is new to the process takes the system longer to give than the filters take to prepare: those of FCN-8s are
1.0 GB. So the first pass prepares the filters of a large layer for some outputs, computes these outputs, and prepares
the next filters in the same place. The second pass prepares all filters and keeps them. A program that computes one
picture never needs them twice. Each output has the same sum in both, so the results are equal to the last bit.
"""

from __future__ import annotations

from typing import Any

from fcnlite.arrays import Array
from fcnlite.compiler.convolution.algorithms import Algorithm
from fcnlite.compiler.convolution.direct import PatchesWork
from fcnlite.compiler.convolution.problem import GROUP, PreparedWeights, Problem
from fcnlite.compiler.convolution.winograd import WinogradWork
from fcnlite.compiler.ir import BLOCK, blocks
from fcnlite.compiler.machine import Machine
from fcnlite.files import release

LEAST_BYTES = 16 << 20
"""Bytes of prepared filters above which they are prepared in portions."""
PORTION_BYTES = 32 << 20
"""Bytes of filters that are prepared at a time, unless that is less than a group of outputs for each thread. For each
portion the tiles are transformed again, so that small portions take longer."""


def suits(algorithm: Algorithm, p: Problem, work: Any) -> bool:
    """Whether a convolution can be computed portion by portion, and its prepared filters are large."""
    large = 4 * algorithm.prepared_floats(p) > LEAST_BYTES
    return large and p.batch == 1 and not p.training and isinstance(work, (WinogradWork, PatchesWork))


def forward(
    algorithm: Algorithm,
    x: Array,
    y: Array,
    weight: Array,
    biases: PreparedWeights,
    p: Problem,
    work: Any,
    scratch: Array,
    machine: Machine,
) -> None:
    """Write y, as `Algorithm.forward` does, from the layer's `weight`, O×C×KH×KW, and the biases in `biases`."""
    of_output = algorithm.prepared_floats(p) // p.padded_outputs
    step = GROUP * max(machine.threads, PORTION_BYTES // (4 * GROUP * of_output))
    memory = machine.buffer((min(step, p.padded_outputs) * of_output,))
    for first in range(0, p.outputs, step):
        part = weight[first : first + step]
        padded = -(-len(part) // GROUP) * GROUP
        filters = algorithm.prepare(part, p, machine, into=memory[: padded * of_output])
        release(part)
        at = slice(first, first + padded)
        some = PreparedWeights(filters, biases.bias[:, at], biases.slopes[:, at])
        tops = y[:, first // BLOCK : first // BLOCK + blocks(len(part))]
        algorithm.forward(x, tops, some, p, work, scratch, machine)

"""Predict training on many ranks from measurements here: `mpiexec -n 2 python -m benchmarks.scaling [NET ...]`.

Measures how long a step computes, when each gradient is complete, and what sums between the ranks cost; fits the model
of docs/scaling.md; prints the fit and the predictions for 2 … 1024 ranks as Markdown tables. All times are processor
times of one thread, except those of transfers, which are the best of several, so that a busy machine changes little.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import fcnlite
from benchmarks import machine
from fcnlite.engine.gradient_sum import BUCKET
from fcnlite.engine.parameter import Parameter
from fcnlite.ranks.communicator import Communicator
from fcnlite.ranks.launcher import world
from fcnlite.ranks.team import Team
from fcnlite.solver import Solver


@dataclass(frozen=True)
class Workload:
    """A net of the zoo with 21 classes, and the height and width of a picture."""

    name: str
    model: str
    width: float
    size: tuple[int, int]


WORKLOADS = (
    Workload("FCN-8s", "voc-fcn8s", 1.0, (500, 500)),
    Workload("lite-fcn8s", "lite-fcn8s", 1.0, (360, 480)),
    Workload("lite-fcn8s at a quarter", "lite-fcn8s", 0.25, (360, 480)),
)
RANKS = (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


@dataclass(frozen=True)
class Computation:
    """The times of one thread, in seconds."""

    picture: float
    """Forward and backward of one picture."""
    backward: float
    """The part of it in backward."""
    fixed: float
    """What an iteration takes for any number of pictures: the update, and the weights that are derived after it."""
    complete: tuple[float, ...]
    """For each bucket of gradients, the share of backward after which it is complete."""
    numbers: int
    """The numbers to sum."""
    sums: int
    """The small sums of an iteration: BatchNorm's, the loss's, and what the ranks tell each other."""


@dataclass(frozen=True)
class Network:
    """The cost of messages."""

    name: str
    latency: float
    """Seconds of a message of no length."""
    bandwidth: float
    """Bytes a second that a rank sends while it receives as many."""


NETWORKS = (("10 Gbit/s Ethernet", 30e-6, 1.1e9), ("100 Gbit/s, RDMA", 3e-6, 11e9))
"""Networks that were not measured: usual figures of their latency and of their bandwidth for one rank on each host."""


def iteration(computation: Computation, network: Network, copying: float, ranks: int, pictures: int) -> float:
    """The predicted seconds of an iteration in which each rank computes `pictures` pictures.

    `copying`: the processor seconds that a rank spends on each byte of gradients: on packing, transfers and sums.
    """
    c, n = computation, network
    begun = pictures * c.picture - c.backward  # the sums run beside the backward pass of the last picture
    free = 0.0
    for i, share in enumerate(c.complete):
        size = 4 * min(BUCKET, c.numbers - i * BUCKET)
        sent = 2 * (ranks - 1) * (n.latency + size / ranks / n.bandwidth)
        free = max(free, begun + share * c.backward) + sent + n.latency * math.log2(ranks)
    computed = pictures * c.picture + 4 * c.numbers * copying
    return max(computed, free) + c.sums * n.latency * math.log2(ranks) + c.fixed


def efficiency(computation: Computation, network: Network, copying: float, ranks: int, pictures: int) -> float:
    """The share of the time in which the ranks compute what one process would."""
    alone = pictures * computation.picture + computation.fixed
    return alone / iteration(computation, network, copying, ranks, pictures)


def fit_copying(found: dict[str, Computation], steps: dict[str, float]) -> float:
    """The processor seconds a byte of gradients by which the steps of the ranks exceed those of one process.

    Least squares over all workloads.
    """
    sizes = np.array([4.0 * each.numbers for each in found.values()])
    excess = np.array([steps[name] - each.picture - each.fixed for name, each in found.items()])
    return float(sizes @ excess / (sizes @ sizes))


def _solver(workload: Workload) -> tuple[Solver, dict[str, np.ndarray]]:
    """A solver of the net, and a batch of one picture."""
    net = fcnlite.models.build(workload.model, classes=21, phase="TRAIN", width=workload.width)
    rng = np.random.default_rng(0)
    data, label = rng.normal(size=(1, 3, *workload.size)), rng.integers(0, 21, (1, *workload.size))
    return fcnlite.SGD(net, base_lr=1e-10, momentum=0.9), {"data": data.astype(np.float32), "label": label}


def measure(workload: Workload, repeats: int) -> Computation:
    """The times of a workload on this machine, with one thread."""
    solver, batch = _solver(workload)
    net = solver.net
    solver.step(batch)  # makes the plan
    forward, backward = [], []
    finals: dict[int, float] = {}

    def final(parameter: Parameter) -> None:
        finals[id(parameter)] = time.process_time() - began

    for _ in range(repeats):
        began = time.process_time()
        net.forward(batch, keep=True)
        forward.append(time.process_time() - began)
        began = time.process_time()
        net.backward(final=final)
        backward.append(time.process_time() - began)
    of_backward, of_forward = min(backward), min(forward)
    step = _best(lambda: solver.step(batch), repeats, time.process_time)
    parameters = [each for _, each in net.learnable()][::-1]
    complete = [finals[id(each)] / of_backward for each in parameters]
    ends = np.cumsum([each.array.size for each in parameters])
    starts = range(0, int(ends[-1]), BUCKET)
    last = [int(np.searchsorted(ends, min(start + BUCKET, ends[-1]))) for start in starts]
    norms = sum(layer.updates_params for layer in net.layers)
    return Computation(
        of_forward + of_backward,
        of_backward,
        step - of_forward - of_backward,
        tuple(min(1.0, max(complete[: place + 1])) for place in last),
        int(ends[-1]),
        2 * norms + 5,
    )


def measure_network(ranks: Communicator, repeats: int) -> Network:
    """Latency and bandwidth between the ranks of this run."""
    latency = _best(lambda: ranks.stack(np.zeros(1)), 200) / math.log2(ranks.size)
    array = np.ones(BUCKET, np.float32)
    sent = 2 * array.nbytes * (ranks.size - 1) / ranks.size
    bandwidth = sent / _best(lambda: ranks.sum_in_place(array), 10 * repeats)
    return Network(f"{ranks.size} ranks of this machine", latency, bandwidth)


def measure_step(workload: Workload, ranks: Communicator, repeats: int) -> float:
    """The processor seconds of an iteration of these ranks, with one picture each, on the busiest rank."""
    solver, batch = _solver(workload)
    solver.join(Team(ranks))
    return float(ranks.stack(np.array(_best(lambda: solver.step(batch), repeats, time.process_time))).max())


def _best(call: Callable[[], Any], repeats: int, clock: Callable[[], float] = time.perf_counter) -> float:
    times = []
    for _ in range(repeats + 1):
        began = clock()
        call()
        times.append(clock() - began)
    return min(times[1:])


def fit_table(found: dict[str, Computation], network: Network, copying: float) -> str:
    """What was measured."""
    lines = ["| net | s/picture | of it backward | s/iteration besides | gradients | small sums |"]
    lines.append("|---|---:|---:|---:|---:|---:|")
    for name, each in found.items():
        share = each.backward / each.picture
        lines.append(
            f"| {name} | {each.picture:.3g} | {share:.0%} | {each.fixed:.3g} | {each.numbers * 4 / 1e6:.1f} MB | "
            f"{each.sums} |"
        )
    return "\n".join(lines) + (
        f"\n\n{network.name}: latency {network.latency * 1e6:.0f} µs, bandwidth {network.bandwidth / 1e9:.2f} GB/s, "
        f"processor time {copying * 1e9:.2f} ns a byte\n"
    )


def prediction_table(computation: Computation, networks: Sequence[Network], copying: float) -> str:
    """The efficiency for 2 … 1024 ranks, on several networks, with one and with four pictures on each rank."""
    columns = [(network, pictures) for network in networks for pictures in (1, 4)]
    titles = [f"{network.name}, {pictures} a rank" for network, pictures in columns]
    lines = [f"| ranks | {' | '.join(titles)} |", "|---:|" + "---:|" * len(columns)]
    for ranks in RANKS:
        shares = [f"{efficiency(computation, network, copying, ranks, pictures):.0%}" for network, pictures in columns]
        lines.append(f"| {ranks} | {' | '.join(shares)} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.scaling", description=__doc__, allow_abbrev=False)
    parser.add_argument("names", nargs="*", metavar="NET", help="words in the names of the nets (default: all)")
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="timed runs of each (default 5)")
    options = parser.parse_args(arguments)
    ranks = world()
    if ranks.size == 1:
        parser.error("start it with mpiexec -n 2 or more, so that transfers can be measured")
    network = measure_network(ranks, options.repeats)
    chosen = [each for each in WORKLOADS if not options.names or any(name in each.name for name in options.names)]
    fcnlite.set_num_threads(1)
    found = {
        each.name: measure(each, options.repeats) for each in chosen
    }  # by all ranks at once: they share the memory
    steps = {each.name: measure_step(each, ranks, options.repeats) for each in chosen}
    if ranks.first:
        _print(found, network, steps)
    return 0


def _print(found: dict[str, Computation], network: Network, steps: dict[str, float]) -> None:
    copying = fit_copying(found, steps)
    print(f"{machine.line(machine.describe())}\n\n{fit_table(found, network, copying)}")
    for name, c in found.items():
        predicted = c.picture + 4 * c.numbers * copying + c.fixed
        print(f"{name}: an iteration takes a rank {steps[name]:.3g} s of its processor, the model {predicted:.3g} s\n")
    assumed = [Network(name, latency, bandwidth) for name, latency, bandwidth in NETWORKS]
    for name, computation in found.items():
        print(f"{name}\n\n{prediction_table(computation, assumed, copying)}\n")


if __name__ == "__main__":
    sys.exit(main())

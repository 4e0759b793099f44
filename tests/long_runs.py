"""Long runs in one process: what they keep of memory, files, threads and caches. `make test-long`.

One small FCN is trained with `fcnlite.train` on pictures of changing sizes, and then segments pictures of changing
sizes. After every so many calls the process is measured.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

import fcnlite
from fcnlite._cli.running import run_command
from fcnlite.compiler.executor import KEPT_PLANS, FastPath
from fcnlite.net import KEPT_RUNS, Net
from fcnlite.segmentation.segmenter import Segmenter
from fcnlite.solver import Solver
from fcnlite.train.__main__ import main as train
from tests.small_nets import LOSS, convolution, inputs

NET = f"""
{inputs(1, 32, 32)}
{convolution("conv1", "data", 8, 3)}
layer {{ name: "norm1" type: "BatchNorm" bottom: "conv1" top: "conv1" }}
layer {{ name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }}
layer {{ name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param {{ pool: MAX kernel_size: 2 stride: 2 }} }}
{convolution("conv2", "pool1", 16, 3)}
layer {{ name: "relu2" type: "ReLU" bottom: "conv2" top: "conv2" }}
layer {{ name: "drop2" type: "Dropout" bottom: "conv2" top: "conv2" }}
{convolution("coarse", "conv2", 3)}
layer {{ name: "upscore" type: "Deconvolution" bottom: "coarse" top: "upscore"
  convolution_param {{ num_output: 3 kernel_size: 4 stride: 2 bias_term: false
                       weight_filler {{ type: "bilinear" }} }} }}
layer {{ name: "score" type: "Crop" bottom: "upscore" bottom: "data" top: "score"
  crop_param {{ axis: 2 offset: 1 }} }}
{LOSS}
"""
PICTURES = 60
"""More than a net keeps plans, so that plans are compiled and dropped again and again."""


class Measured(NamedTuple):
    """The process after so many calls."""

    calls: int
    resident: int
    """Bytes of memory in RAM."""
    objects: int
    """Python objects that the garbage collector tracks."""
    files: int
    threads: int


def measure(calls: int) -> Measured:
    """The state of this process."""
    gc.collect()
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    files, threads = (len([*Path(f"/proc/self/{each}").iterdir()]) for each in ("fd", "task"))
    return Measured(calls, resident, len(gc.get_objects()), files, threads)


@contextmanager
def watched(owner: Any, name: str, every: int) -> Iterator[list[Measured]]:
    """Measure the process after every so many calls of a method within the block."""
    method: Callable[..., Any] = getattr(owner, name)
    found: list[Measured] = []
    calls = 0

    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        result = method(*arguments, **options)
        calls += 1
        if calls % every == 0:
            found.append(measure(calls))
        return result

    setattr(owner, name, counted)
    try:
        yield found
    finally:
        setattr(owner, name, method)


def make_data(folder: Path, chance: np.random.Generator) -> None:
    """A data set of three classes, whose pictures all differ in size."""
    for i in range(PICTURES):
        height, width = 16 + i, int(chance.integers(16, 80))
        labels = chance.integers(0, 3, (height // 8 + 1, width // 8 + 1)).repeat(8, 0).repeat(8, 1)[:height, :width]
        pixels = labels[..., None] * (90, 60, 30) + chance.integers(0, 60, (height, width, 3))
        for kind, array in (("images", pixels), ("labels", labels)):
            (folder / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array.astype(np.uint8)).save(folder / kind / f"{i}.png")
    (folder / "classes.txt").write_text("flat\nlow\nhigh\n")
    (folder / "val.txt").write_text("0\n20\n40\n")
    (folder / "train.txt").write_text("\n".join(str(i) for i in range(PICTURES) if i % 20))


def trained(folder: Path, steps: int, every: int) -> list[Measured]:
    """Train for so many steps, with ten checkpoints; the weights are left in `folder`/run/last.h5."""
    (folder / "net.prototxt").write_text(NET)
    make_data(folder / "data", np.random.default_rng(0))
    options = ("--data", "folder", "--root", folder / "data", "--model", folder / "net.prototxt", "--base-lr", 1e-3)
    lengths = ("--batch-size", 1, "--iterations", steps, "--check-every", steps // 10, "--out", folder / "run")
    with watched(Solver, "step", every) as found:
        if run_command(train, [str(each) for each in (*options, *lengths)]):
            sys.exit("the training failed.")
    return found


def predicted(segmenter: Segmenter, predictions: int, every: int) -> list[Measured]:
    """Segment so many pictures of random sizes."""
    chance = np.random.default_rng(1)
    with watched(Net, "forward", every) as found:
        for _ in range(predictions):
            height, width = chance.integers(8, 160, 2)
            segmenter(chance.integers(0, 256, (height, width, 3), np.uint8))
    return found


def problems(net: Net, runs: Mapping[str, Sequence[Measured]]) -> list[str]:
    """What was kept too long, in words."""
    found = []
    assert isinstance(net.executor, FastPath)
    for what, count, most in (("plans", len(net.executor.plans), KEPT_PLANS), ("runs", len(net._prepared), KEPT_RUNS)):
        if count > most:
            found.append(f"{count} {what} are kept; at most {most} may be.")
    for name, run in runs.items():
        half, last = run[len(run) // 2], run[-1]
        for what in ("files", "threads"):
            if getattr(last, what) > getattr(half, what):
                found.append(f"{name}: {getattr(last, what)} {what}, after half of it {getattr(half, what)}.")
        if last.objects > half.objects * 1.01:
            found.append(f"{name}: {last.objects - half.objects} more Python objects than after half of it.")
        if last.resident > half.resident + (2 << 20):
            found.append(f"{name}: {(last.resident - half.resident) / 2**20:.1f} MiB more than after half of it.")
    return found


def left_open(folder: Path) -> list[str]:
    """The files of a folder that this process has open or mapped, and the threads of Python that it still runs."""
    gc.collect()
    links = [os.path.realpath(each) for each in Path("/proc/self/fd").iterdir()]
    files = [each for each in links if each.startswith(f"{folder.resolve()}/")]
    maps = [line for line in Path("/proc/self/maps").read_text().splitlines() if f"{folder.resolve()}/" in line]
    threads = [each.name for each in threading.enumerate() if each.name.startswith("fcnlite-loader")]
    return [*files, *maps, *threads]


def table(name: str, run: Sequence[Measured]) -> str:
    """A line for each eighth of a run."""
    lines = [f"{name:>12}  {'MiB':>7}  {'objects':>8}  {'files':>5}  {'threads':>7}"]
    for each in [run[0], *run[len(run) // 8 - 1 :: max(1, len(run) // 8)]]:
        mib = each.resident / 2**20
        lines.append(f"{each.calls:12,}  {mib:7.1f}  {each.objects:8,}  {each.files:5}  {each.threads:7}")
    return "\n".join(lines)


def draw(path: Path, training: Sequence[Measured], prediction: Sequence[Measured]) -> None:
    """The curves of memory."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 2.8), layout="constrained")
    for axes, words, run in zip(
        figure.subplots(1, 2, sharey=True), ("training steps", "predictions"), (training, prediction), strict=True
    ):
        axes.plot([each.calls for each in run], [each.resident / 2**20 for each in run], color="#1f5fa8")
        axes.set(xlabel=words, xlim=(0, run[-1].calls))
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].set(ylabel="memory in RAM, MiB", ylim=(0, None))
    figure.savefig(path, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser("python -m tests.long_runs", description=__doc__)
    parser.add_argument("--steps", type=int, default=10_000, help="training steps")
    parser.add_argument("--predictions", type=int, default=5_000)
    parser.add_argument("--chart", type=Path, help="draw the memory over time")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        training = trained(folder, options.steps, max(1, options.steps // 200))
        segmenter = Segmenter(fcnlite.load(folder / "run" / "best.h5"))
        prediction = predicted(segmenter, options.predictions, max(1, options.predictions // 200))
        found = problems(segmenter.net, {"training": training, "predictions": prediction})
        del segmenter
        found += [f"{each}: is left." for each in left_open(folder)]
    print(table("steps", training), table("predictions", prediction), sep="\n\n")
    if options.chart:
        draw(options.chart, training, prediction)
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()

"""Pictures a second of `predict` on a folder, beside a script with ONNX Runtime: `python -m benchmarks.throughput`.

Both read the same JPEG files and write the same palette PNGs, with all cores; the whole command is timed, from its
start to its end. Each runs with one picture in the net at a time and with one for each core, and its fastest run
counts. The runs of both alternate. In parentheses: the ratio of the processor time of these runs, which other programs
change less. The label maps are compared: a script that computes something else is an error.
ONNX Runtime's script is benchmarks/onnx_folder.py.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from benchmarks import machine
from benchmarks.engines import build_net
from benchmarks.workers import ROOT, EngineError
from benchmarks.workloads import MAIN
from fcnlite import data, interop, load
from fcnlite._cli.parser import positive
from fcnlite._cli.running import run_command
from fcnlite.segmentation.plots.colors import color_table
from fcnlite.segmentation.segmenter import Segmenter

AGREEING = 0.999
"""The least share of equal pixels: rounding decides between nearly equal scores."""


class Task(NamedTuple):
    """A net, and the pictures for it."""

    name: str
    weights: Path | None
    """None: FCN-8s with random weights."""
    size: tuple[int, int]
    """Height and width."""
    pictures: int


class Run(NamedTuple):
    """The time of a command."""

    seconds: float
    processor: float
    """The seconds of processor time, of all threads."""


TASKS = (
    Task("camvid-fcn8s, 360×480", ROOT / "weights" / "camvid-fcn8s.h5", (360, 480), 240),
    Task("FCN-8s, 500×500", None, (500, 500), 40),
)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.throughput", description=__doc__, allow_abbrev=False)
    parser.add_argument("names", nargs="*", metavar="NAME", help="words in the names of the nets (default: all)")
    parser.add_argument("--repeats", type=positive, default=3, metavar="N", help="runs of each way (default 3)")
    parser.add_argument("--pictures", type=positive, metavar="N", help="the number of pictures (default: by the net)")
    parser.add_argument("--overlay", action="store_true", help="let predict draw overlays, which the script does not")
    options = parser.parse_args(arguments)
    for package in ("onnxruntime", "onnx"):
        if not find_spec(package):
            print(f"not measured: {package} is not installed (pip install 'fcnlite[bench]')")
            return
    print(f"{machine.line(machine.describe())}\n\n{_HEADING}", flush=True)
    for task in TASKS:
        if not options.names or any(name in task.name.replace("×", "x") for name in options.names):
            print(_row(task, options.pictures or task.pictures, options.repeats, options.overlay), flush=True)


_HEADING = "| net | pictures | fcnlite, a second | ONNX Runtime, a second | ratio |\n|---|---:|---:|---:|---:|"


def _row(task: Task, count: int, repeats: int, overlay: bool) -> str:
    """Measure a task; returns its row of the table."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _prepare(task, count, folder)
        ours, theirs = _ours(folder, overlay), _theirs(folder)
        best = dict.fromkeys((*ours, *theirs), Run(float("inf"), 0.0))
        for _ in range(repeats):
            for pair in zip(ours.items(), theirs.items(), strict=True):
                for way, command in pair:
                    best[way] = min(best[way], _run(way, command, folder))
        _compare(task, folder, next(iter(ours)), next(iter(theirs)))
    fastest = [min((best[way], way) for way in ways) for ways in (ours, theirs)]
    shown = " | ".join(f"{count / run.seconds:.2f} ({way.partition(', ')[2]})" for run, way in fastest)
    (one, _), (other, _) = fastest
    ratios = f"{other.seconds / one.seconds:.2f} ({other.processor / one.processor:.2f})"
    return f"| {task.name} | {count} | {shown} | {ratios} |"


def _prepare(task: Task, count: int, folder: Path) -> None:
    """Write the net for both, and the pictures: generated scenes as JPEG files."""
    if task.weights is None:
        build_net(MAIN).save(folder / "net.h5")
    else:
        shutil.copy(task.weights, folder / "net.h5")
    net = load(folder / "net.h5")
    segmenter = Segmenter(net)
    interop.save_onnx(net, folder / "scores.onnx", outputs=["score"])
    _with_argmax(folder / "scores.onnx", folder / "net.onnx")
    settings = {"mean": net.info.preprocessing.mean, "palette": color_table(segmenter.colors).ravel().tolist()}
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "pictures").mkdir()
    height, width = task.size
    scenes = data.open("shapes", count=count, scene=True, size=height)
    for i in range(count):
        cut = Image.fromarray(scenes[i].image).resize((width, height))
        cut.save(folder / "pictures" / f"{i:04}.jpg", quality=90)


def _with_argmax(source: Path, target: Path) -> None:
    """Append ArgMax to a net, which ONNX Runtime computes faster than NumPy."""
    import onnx
    from onnx import helper

    model = onnx.load(source)
    node = helper.make_node("ArgMax", ["score"], ["labels"], axis=1, keepdims=0)
    model.graph.node.append(node)
    del model.graph.output[:]
    made = helper.make_tensor_value_info("labels", onnx.TensorProto.INT64, [1, "height", "width"])
    model.graph.output.append(made)
    onnx.save(model, target)


def _ours(folder: Path, overlay: bool) -> dict[str, list[str]]:
    command = [sys.executable, "-m", "fcnlite.predict", "net.h5", "pictures"] + ([] if overlay else ["--no-overlay"])
    return {
        f"fcnlite, {each} in the net": [*command, "-o", f"fcnlite, {each} in the net", "--workers", str(each)]
        for each in _together()
    }


def _theirs(folder: Path) -> dict[str, list[str]]:
    command = [sys.executable, "-m", "benchmarks.onnx_folder", "net.onnx", "settings.json", "pictures"]
    threads = str(machine.all_threads(None))
    return {
        f"ONNX Runtime, {each} in the net": [
            *command,
            f"ONNX Runtime, {each} in the net",
            *("--threads", threads, "--sessions", str(each)),
        ]
        for each in _together()
    }


def _together() -> list[int]:
    """The numbers of pictures in the net at the same time."""
    return sorted({1, machine.all_threads(None)})


def _run(way: str, command: list[str], folder: Path) -> Run:
    """Run a command that writes to a new folder."""
    shutil.rmtree(folder / way, ignore_errors=True)
    environment = {**machine.environment(machine.all_threads(None)), "PYTHONPATH": str(ROOT)}
    began, used = time.perf_counter(), os.times()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EngineError(f"{way}: ended with status {done.returncode}: {done.stderr.strip()[-300:]}")
    now = os.times()
    processor = now.children_user + now.children_system - used.children_user - used.children_system
    return Run(time.perf_counter() - began, processor)


def _compare(task: Task, folder: Path, ours: str, theirs: str) -> None:
    """Raise `EngineError` unless both have written the same label maps, but for rounding."""
    for path in sorted((folder / theirs).iterdir()):
        with Image.open(path) as one, Image.open(folder / ours / path.name) as other:
            same = one.mode == other.mode == "P" and one.getpalette() == other.getpalette()
            if not same or np.mean(np.array(one) == np.array(other)) < AGREEING:
                raise EngineError(f"{task.name}: the label maps of {path.stem} differ.")


if __name__ == "__main__":
    sys.exit(run_command(main))

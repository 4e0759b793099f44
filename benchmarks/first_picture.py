"""The first picture: the seconds from the start of a process to the labels of one picture.

`python -m benchmarks.first_picture [--repeats N] [--out FILE]`: FCN-8s with made-up weights, 500×500. Each engine has a
process of its own for each run, which imports the engine, reads the net from the engine's own file, computes the
picture once, and writes the labels. The files are in the page cache. The engines run in turn; the fastest run of each
counts. Their labels must agree on almost all pixels: a near tie may go either way. The status is 1 if fcnlite takes
more than `BAR` of the fastest peer. The figures go to FILE as JSON.

A process imports nothing of fcnlite and of the benchmarks but its engine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
BAR = 0.5
"""The largest accepted ratio of our time and the fastest peer's."""
AGREEMENT = 0.999
"""The least share of pixels with the same label."""


def ours(folder: Path, **how: Any) -> np.ndarray:
    import fcnlite

    net = fcnlite.load(folder / "net.h5", **how)
    return net.forward(data=_picture(folder), outputs=["score"])["score"]


def ours_in_low_memory(folder: Path) -> np.ndarray:
    return ours(folder, low_memory=True)


def onnxruntime_(folder: Path) -> np.ndarray:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _threads()
    session = onnxruntime.InferenceSession(folder / "net.onnx", options, providers=["CPUExecutionProvider"])
    return session.run(["score"], {"data": _picture(folder)})[0]


def openvino_(folder: Path) -> np.ndarray:
    import openvino

    core = openvino.Core()
    how = {"INFERENCE_NUM_THREADS": _threads(), "INFERENCE_PRECISION_HINT": "f32"}
    compiled = core.compile_model(core.read_model(folder / "net.xml"), "CPU", how)
    return next(iter(compiled.create_infer_request().infer({"data": _picture(folder)}).values()))


def opencv(folder: Path) -> np.ndarray:
    import cv2

    cv2.setNumThreads(_threads())
    net = cv2.dnn.readNetFromCaffe(str(folder / "net.prototxt"), str(folder / "net.caffemodel"))
    net.setInput(_picture(folder), "data")
    return net.forward("score")


@dataclass(frozen=True)
class Engine:
    """An engine, as a program that computes one picture."""

    scores: Callable[[Path], np.ndarray]
    """Computes the scores of the picture in a folder, from the net's file there."""
    needs: tuple[str, ...] = ()
    """The modules that it imports, except ours."""


ENGINES = {
    "fcnlite": Engine(ours),
    "fcnlite, low_memory": Engine(ours_in_low_memory),
    "ONNX Runtime": Engine(onnxruntime_, ("onnxruntime", "onnx")),
    "OpenVINO, f32": Engine(openvino_, ("openvino", "onnx")),
    "OpenCV": Engine(opencv, ("cv2",)),
}


def _picture(folder: Path) -> np.ndarray:
    return np.load(folder / "picture.npy")


def _threads() -> int:
    return int(os.environ["OMP_NUM_THREADS"])


def run_once(name: str, folder: Path) -> None:
    """Compute the labels of the picture, and write them into the folder."""
    labels = ENGINES[name].scores(folder)[0].argmax(axis=0).astype(np.uint8)
    np.save(folder / f"{name}.npy", labels)


def save(folder: Path) -> None:
    """Write the picture and the net, for each engine in its own format."""
    from benchmarks.engines import save_net
    from benchmarks.workloads import MAIN

    save_net(MAIN, folder)
    np.save(folder / "picture.npy", MAIN.inputs()["data"])
    if find_spec("openvino"):
        import openvino

        model = openvino.Core().read_model(folder / "net.onnx")
        model.reshape({"data": list(MAIN.shape)})
        openvino.save_model(model, folder / "net.xml", compress_to_fp16=False)


def measure(names: Sequence[str], folder: Path, repeats: int) -> dict[str, float]:
    """The seconds of the fastest of `repeats` processes of each engine, which run in turn.

    The first process of each brings its files into the page cache, and does not count. Raises `EngineError` if one
    fails, or if its labels differ from fcnlite's.
    """
    from benchmarks.machine import all_threads, environment
    from benchmarks.workers import EngineError

    seconds: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(1 + repeats):
        for name in names:
            command = [sys.executable, "-m", "benchmarks.first_picture", "--run", name, "--folder", str(folder)]
            began = time.perf_counter()
            done = subprocess.run(
                command, cwd=ROOT, env=environment(all_threads(None)), stderr=subprocess.PIPE, text=True
            )
            seconds[name].append(time.perf_counter() - began)
            if done.returncode:
                said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
                raise EngineError(f"{name}: ended with status {done.returncode}: {said}")
    labels = {name: np.load(folder / f"{name}.npy") for name in names}
    for name, found in labels.items():
        if (agree := float((found == labels[names[0]]).mean())) < AGREEMENT:
            raise EngineError(f"{name}: has the labels of {names[0]} on only {agree:.1%} of the pixels")
    return {name: min(each[1:]) for name, each in seconds.items()}


def ratio_of(seconds: Mapping[str, float]) -> float | None:
    """Our time divided by the fastest peer's; None without peers."""
    peers = [each for name, each in seconds.items() if ENGINES[name].needs]
    return seconds["fcnlite"] / min(peers) if peers else None


def show(seconds: Mapping[str, float]) -> str:
    """The table."""
    lines = ["| | seconds | fcnlite / it |", "|---|---:|---:|"]
    lines += [f"| {name} | {each:.2f} | {seconds['fcnlite'] / each:.2f} |" for name, each in seconds.items()]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.first_picture", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, metavar="N", help="processes of each engine (default 5)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures to this JSON file")
    parser.add_argument("--run", choices=ENGINES, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.run:
        run_once(options.run, options.folder)
        return
    from benchmarks import machine
    from benchmarks.workers import EngineError
    from fcnlite.files import atomic_write

    described = machine.describe()
    print(machine.line(described))
    names = [name for name, each in ENGINES.items() if all(map(find_spec, each.needs))]
    for name in ENGINES.keys() - set(names):
        print(f"{name}: is not installed; left out", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        save(Path(folder))
        seconds = measure(names, Path(folder), options.repeats)
    print(show(seconds))
    ratio = ratio_of(seconds)
    if options.out:
        with atomic_write(options.out) as temporary:
            temporary.write_text(
                json.dumps({"machine": described, "seconds": seconds, "ratio": ratio}, indent=1) + "\n"
            )
    if ratio is not None and ratio > BAR:
        raise EngineError(f"the first picture takes {ratio:.2f} of the fastest peer's time; at most {BAR} is accepted")


if __name__ == "__main__":
    if "--run" in sys.argv:
        main()
    else:
        from fcnlite._cli.running import run_command

        sys.exit(run_command(main))

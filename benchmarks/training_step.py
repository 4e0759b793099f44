"""One training step of FCN-8s (forward, backward, SGD update), ours against PyTorch's, on this machine's CPU.

    make bench                                   (installs PyTorch into .venv-bench, beside our own .venv)
    python benchmarks/training_step.py --peer .venv-bench/bin/python [--size 500] [--width 1] [--repeats 3]

Each engine has a process of its own, both start from the same weights and the steps alternate, so that the machine's
moods meet all alike. Printed: the best time of each and their ratio, after a check that the losses agree. PyTorch runs
in both memory layouts; the faster one counts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

CLASSES = 21
RATES = {"base_lr": 1e-10, "momentum": 0.99, "weight_decay": 0.0005}


def batch(size: int) -> tuple[Any, Any]:
    """One picture of noise and its label."""
    rng = np.random.default_rng(0)
    data = rng.normal(0, 60, (1, 3, size, size)).astype(np.float32)
    label = rng.integers(0, CLASSES, (1, 1, size, size))
    label[:, :, : size // 10] = 255
    return data, label


def ours(size: int, width: float, folder: Path) -> Callable[[], float]:
    """A step of our engine; writes the initial parameters to `folder` for the peers."""
    from fcnlite import models
    from fcnlite.solver import SGD

    net = models.build("voc-fcn8s", classes=CLASSES, width=width, phase="TRAIN", path="plain")
    rng = np.random.default_rng(1)
    for name, parameters in net.params.items():
        if name.startswith("score"):
            parameters[0].data = rng.normal(0, 1e-4, parameters[0].shape)
    for layer in net.spec.layers:
        for i, parameter in enumerate(net.params.get(layer.name, ())):
            np.save(folder / f"{layer.name}.{i}.npy", parameter.array)
    # Dropout off: the engines draw different masks, and then the losses could not be compared.
    solver = SGD(_without_dropout(net), **RATES)
    data, label = batch(size)
    return lambda: solver.step(data=data, label=label)


def _without_dropout(net: Any) -> Any:
    from dataclasses import replace

    from fcnlite.net import Net

    layers = tuple(layer for layer in net.spec.layers if layer.type != "Dropout")
    return Net(replace(net.spec, layers=layers), phase="TRAIN", path="plain", shared=net.params)


def pytorch(size: int, folder: Path, channels_last: bool) -> Callable[[], float]:
    """The same step in PyTorch."""
    import torch
    import torch.nn.functional as F  # noqa: N812

    layout = torch.channels_last if channels_last else torch.contiguous_format
    params = {}
    for file in folder.glob("*.npy"):
        tensor = torch.from_numpy(np.load(file))
        if tensor.ndim == 4:
            tensor = tensor.contiguous(memory_format=layout)
        params[file.stem] = tensor.requires_grad_(not file.stem.startswith("up"))
    weights = [p for name, p in params.items() if p.requires_grad and name.endswith(".0")]
    biases = [p for name, p in params.items() if name.endswith(".1")]
    optimizer = torch.optim.SGD(
        [
            {"params": weights, "lr": RATES["base_lr"], "weight_decay": RATES["weight_decay"]},
            {"params": biases, "lr": 2 * RATES["base_lr"]},
        ],
        lr=RATES["base_lr"],
        momentum=RATES["momentum"],
    )
    data, label = batch(size)
    data = torch.from_numpy(data).contiguous(memory_format=layout)
    label = torch.from_numpy(label[:, 0])

    def convolution(x: Any, name: str, pad: int = 0) -> Any:
        return F.conv2d(x, params[f"{name}.0"], params[f"{name}.1"], padding=pad)

    def cropped(x: Any, offset: int, like: Any) -> Any:
        return x[:, :, offset : offset + like.shape[2], offset : offset + like.shape[3]]

    def forward(x: Any) -> Any:
        pools = {}
        for stage, count in enumerate((2, 2, 3, 3, 3), start=1):
            for i in range(1, count + 1):
                x = F.relu(convolution(x, f"conv{stage}_{i}", 100 if stage == i == 1 else 1), inplace=True)
            x = pools[stage] = F.max_pool2d(x, 2, 2, ceil_mode=True)
        x = F.relu(convolution(x, "fc6"), inplace=True)
        x = F.relu(convolution(x, "fc7"), inplace=True)
        x = F.conv_transpose2d(convolution(x, "score_fr"), params["upscore2.0"], stride=2)
        x = x + cropped(convolution(pools[4], "score_pool4"), 5, x)
        x = F.conv_transpose2d(x, params["upscore_pool4.0"], stride=2)
        x = x + cropped(convolution(pools[3], "score_pool3"), 9, x)
        return cropped(F.conv_transpose2d(x, params["upscore8.0"], stride=8), 31, data)

    def step() -> float:
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(forward(data), label, ignore_index=255, reduction="sum")
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def work(engine: str, size: int, width: float, folder: Path) -> None:
    """A worker: prepare, then one step for every line that comes in, its loss and seconds for a line out."""
    if engine == "fcnlite":
        step = ours(size, width, folder)
    else:
        step = pytorch(size, folder, channels_last=engine.endswith("channels_last"))
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        began = time.perf_counter()
        loss = step()
        print(json.dumps({"loss": loss, "seconds": time.perf_counter() - began}), flush=True)


class Worker:
    """A worker process of one engine."""

    def __init__(self, python: str, engine: str, size: int, width: float, folder: Path) -> None:
        self.engine = engine
        arguments = [python, __file__, "--worker", engine, "--size", str(size), "--width", str(width)]
        self._process = subprocess.Popen(
            [*arguments, "--folder", str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._answer()

    def step(self) -> dict[str, float]:
        assert self._process.stdin is not None
        self._process.stdin.write("step\n")
        self._process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _answer(self) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"error: the worker of {self.engine} ended with status {self._process.wait()}.")
        return json.loads(line)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", default=sys.executable, help="the Python that has PyTorch")
    parser.add_argument("--size", type=int, default=500, help="height and width of the picture")
    parser.add_argument("--width", type=float, default=1.0, help="factor on the channel counts")
    parser.add_argument("--repeats", type=int, default=3, help="timed steps of each engine, after one to warm up")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker, options.size, options.width, options.folder)
        return
    best: dict[str, float] = {}
    losses: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        engines = [(sys.executable, "fcnlite")]
        engines += [(options.peer, f"PyTorch {layout}") for layout in ("channels_last", "NCHW")]
        workers = [Worker(python, engine, options.size, options.width, Path(name)) for python, engine in engines]
        for repeat in range(options.repeats + 1):
            for worker in workers:
                answer = worker.step()
                if repeat == 0:
                    losses[worker.engine] = answer["loss"]
                else:
                    best[worker.engine] = min(best.get(worker.engine, np.inf), answer["seconds"])
        for worker in workers:
            worker.close()
    reference = losses["fcnlite"]
    for engine, loss in losses.items():
        if abs(loss - reference) > 1e-4 * abs(reference):
            raise SystemExit(f"error: the first loss of {engine} is {loss}, ours {reference}; they must agree.")
    peer = min(seconds for engine, seconds in best.items() if engine != "fcnlite")
    width = f"{options.width:g} × the channels of " if options.width != 1 else ""
    shape = f"1×3×{options.size}×{options.size}"
    print(f"training step, {width}FCN-8s, {shape}, {os.cpu_count()} cores, best of {options.repeats}")
    for engine, seconds in best.items():
        print(f"  {engine:22} {seconds:7.3f} s   loss {losses[engine]:.6g}")
    print(f"  ratio, ours / the faster PyTorch: {best['fcnlite'] / peer:.2f}")


if __name__ == "__main__":
    main()

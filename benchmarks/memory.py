"""Memory and the first forwards: the memory and time of the first inferences in a new process.

`python -m benchmarks.memory WAY FOLDER` is such a process; it prints a line of JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from benchmarks.engines import build_net, save_net
from benchmarks.machine import all_threads, environment, peak_memory
from benchmarks.workers import ROOT, EngineError
from benchmarks.workloads import MAIN

if TYPE_CHECKING:
    from fcnlite.net import Net

REPEATS = 3
"""Forwards after the second; the fastest counts."""


def from_file(folder: Path) -> Callable[[], Any]:
    """Our engine with a memory-mapped weight file."""
    import fcnlite

    return _ours(fcnlite.load(folder / "net.h5"))


def low_memory(folder: Path) -> Callable[[], Any]:
    """The same with low_memory: prepared weights near their own size, rather than fast."""
    import fcnlite

    return _ours(fcnlite.load(folder / "net.h5", low_memory=True))


def built(folder: Path) -> Callable[[], Any]:
    """Our engine with a net built in memory from its fillers."""
    return _ours(build_net(MAIN))


def _ours(net: Net) -> Callable[[], Any]:
    blobs = MAIN.inputs()
    return lambda: net.forward(blobs, outputs=MAIN.outputs)


def torch_channels_last(folder: Path) -> Callable[[], Any]:
    """PyTorch with its own weight file."""
    return _torch(folder, channels_last=True)


def torch_nchw(folder: Path) -> Callable[[], Any]:
    return _torch(folder, channels_last=False)


def _torch(folder: Path, channels_last: bool) -> Callable[[], Any]:
    import torch

    from benchmarks.in_torch import run_layers

    layout = torch.channels_last if channels_last else torch.contiguous_format
    layers: list[Any] = [SimpleNamespace(**each) for each in json.loads((folder / "layers.json").read_text())]
    params = torch.load(folder / "net.pt")
    for tensors in params.values():
        tensors[:] = [each.contiguous(memory_format=layout) if each.ndim == 4 else each for each in tensors]
    blobs = MAIN.inputs()

    def run() -> Any:
        with torch.inference_mode():
            data = torch.from_numpy(blobs["data"]).contiguous(memory_format=layout)
            return run_layers(layers, params, MAIN.outputs, {"data": data})[0]

    return run


WAYS = {
    "fcnlite, from a file": from_file,
    "fcnlite, from a file, low_memory": low_memory,
    "fcnlite, built in memory": built,
    "PyTorch, channels last": torch_channels_last,
    "PyTorch, NCHW": torch_nchw,
}


def measure() -> dict[str, Any]:
    """The peak memory in bytes after the first and the second forward, and the seconds of these and of later ones.

    Raises `EngineError` if ours fails.
    """
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_net(MAIN, folder)
        if find_spec("torch"):
            _save_for_torch(folder)
        for way in WAYS:
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.memory", way, name],
                cwd=ROOT,
                env=environment(all_threads(None)),
                capture_output=True,
                text=True,
            )
            if done.returncode == 0:
                found[way] = json.loads(done.stdout.splitlines()[-1])
                continue
            said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            if way.startswith("fcnlite"):
                raise EngineError(f"{way}: ended with status {done.returncode}: {said}")
            print(f"  {way}: {said}; left out", file=sys.stderr)
    return found


def _save_for_torch(folder: Path) -> None:
    """Write the layers and a weight file of PyTorch, so that the process does not import fcnlite."""
    import torch

    import fcnlite

    net = fcnlite.load(folder / "net.h5")
    kept = ("name", "type", "bottom", "top", "options")
    layers = [{each: getattr(layer, each) for each in kept} for layer in net.spec.for_phase("TEST")]
    (folder / "layers.json").write_text(json.dumps([each for each in layers if each["type"] != "Input"]))
    tensors = {name: [torch.tensor(each.array) for each in params] for name, params in net.params.items()}
    torch.save(tensors, folder / "net.pt")


def show(found: dict[str, Any]) -> str:
    lines = [
        "| | peak memory, GB: first forward | second | seconds: first | second | later |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for way, each in found.items():
        peaks = ["–" if peak is None else f"{peak / 1e9:.2f}" for peak in each["peaks"]]
        seconds = [f"{each[name]:.2f}" for name in ("first", "second", "later")]
        lines.append(f"| {' | '.join([way, *peaks, *seconds])} |")
    return "\n".join(lines)


def main(way: str, folder: str) -> None:
    run = WAYS[way](Path(folder))
    seconds, peaks = [], []
    for _ in range(2 + REPEATS):
        began = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - began)
        peaks.append(peak_memory())
    first, second, *later = seconds
    print(json.dumps({"peaks": peaks[:2], "first": first, "second": second, "later": min(later)}))


if __name__ == "__main__":
    main(*sys.argv[1:])

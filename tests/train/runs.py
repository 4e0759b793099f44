"""Small runs, and how two of them are compared."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fcnlite import storage
from fcnlite.train.run_folder import RESULTS

TINY = ("--width", 0.02, "--data-option", "size=32", "--data-option", "count=6", "--batch-size", 2)
NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 32 dim: 32 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 1 dim: 1 dim: 32 dim: 32 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 8 kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }
layer { name: "norm" type: "BatchNorm" bottom: "conv" top: "conv" }
layer { name: "drop" type: "Dropout" bottom: "conv" top: "conv" }
layer { name: "score" type: "Convolution" bottom: "conv" top: "score"
        convolution_param { num_output: 6 kernel_size: 1 weight_filler { type: "msra" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss"
        loss_param { ignore_label: 255 } }
"""
"""Small, but with running sums and with randomness of its own."""
COMPARED = ("last.h5", "best.h5", "log.csv", "log.jsonl")


def arrays(path: Path) -> dict[str, np.ndarray]:
    """Everything numeric in a weight file."""
    content = storage.load(path)
    params = {f"{name}[{i}]": each for name, group in content.params.items() for i, each in enumerate(group)}
    return params | content.state


def assert_same_run(a: Path, b: Path) -> None:
    """The same arrays, which name themselves where they differ, and then the same bytes."""
    for name in ("last.h5", "best.h5"):
        left, right = arrays(a / name), arrays(b / name)
        assert left.keys() == right.keys()
        for key, value in left.items():
            np.testing.assert_array_equal(value, right[key], err_msg=f"{name}: {key}")
    for name in COMPARED:
        assert (a / name).read_bytes() == (b / name).read_bytes(), name


def assert_readable(folder: Path) -> None:
    """Check that every file with the name of a weight file is complete."""
    for name in ("last.h5", "best.h5"):
        if (folder / name).exists():
            storage.load(folder / name)


def leftovers(folder: Path) -> set[str]:
    """The files that are neither results nor the lock."""
    return {each.name for each in folder.iterdir()} - set(RESULTS) - {".lock"}

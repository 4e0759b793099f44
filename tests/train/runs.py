"""Small runs, and how two of them are compared."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from fcnlite import storage
from fcnlite.train import report, results
from fcnlite.train.run_folder import RESULTS
from tests.small_nets import LOSS, convolution, inputs

TINY = ("--width", 0.02, "--data-option", "size=32", "--data-option", "count=6", "--batch-size", 2)
NET = f"""
{inputs(1, 32, 32)}
{convolution("conv", "data", 8, 3)}
layer {{ name: "norm" type: "BatchNorm" bottom: "conv" top: "conv" }}
layer {{ name: "drop" type: "Dropout" bottom: "conv" top: "conv" }}
{convolution("score", "conv", 6)}
{LOSS}
"""
"""Small, but with running sums and with randomness of its own."""
COMPARED = ("last.h5", "best.h5", "log.csv", "log.jsonl")


def leave_out_pictures(patch: pytest.MonkeyPatch) -> None:
    """Let runs draw no report and no pictures, which take most of the time of a short run."""
    patch.setattr(report, "write", lambda run, check: None)
    patch.setattr(results, "draw", lambda folder, dataset, ranks: None)
    patch.setattr(results, "figures", lambda dataset, matrix: "")


@contextmanager
def without_pictures() -> Iterator[None]:
    """`leave_out_pictures`, for the runs in the block."""
    with pytest.MonkeyPatch.context() as patch:
        leave_out_pictures(patch)
        yield


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

"""Cases computed by BVLC Caffe: their place and their comparison.

`cases/` holds a small selection; all are in the folder of the fixture `shared`, under `reference/`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fcnlite.arrays import Array
from fcnlite.net import Net
from tests.conftest import shared_folder

HERE = Path(__file__).parent / "cases"


def case_folder(kind: str, name: str) -> Path:
    """The path of the case `name`, beside the tests or in the shared folder; without it the test is skipped."""
    if (HERE / f"{name}.npz").exists():
        return HERE
    shared = shared_folder()
    if not shared.is_dir():
        pytest.skip(f"no shared test material at {shared} (set FCNLITE_SHARED)")
    return shared / "reference" / kind


def read_case(path: Path) -> dict[str, Array]:
    with np.load(path, allow_pickle=False) as case:
        return dict(case)


def part(case: dict[str, Array], prefix: str) -> dict[str, Array]:
    """The arrays whose names begin with `prefix`, by the rest of their names."""
    return {name.removeprefix(prefix): array for name, array in case.items() if name.startswith(prefix)}


def layer_and_index(name: str) -> tuple[str, int]:
    layer, index = name.rsplit(".", 1)
    return layer, int(index)


def set_param(net: Net, layer: str, index: int, values: Array) -> None:
    parameter = net.params[layer][index]
    parameter.data = values.reshape(parameter.shape)


def assert_close(found: Array, reference: Array, bar: float, what: str) -> None:
    """Equal within `bar` of the reference's largest magnitude, which must tell something."""
    largest = np.abs(reference).max()
    assert np.isfinite(reference).all() and largest > 0, f"{what}: the reference says nothing"
    assert found.size == reference.size, f"{what}: {found.shape}, the reference has {reference.shape}"
    difference = np.abs(found.reshape(reference.shape).astype(np.float64) - reference).max()
    assert difference <= bar * largest, f"{what}: off by {difference / largest:.2g} of the largest value"

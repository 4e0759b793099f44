"""A small checkpoint, for the tests of weight files."""

from __future__ import annotations

import numpy as np

from fcnlite.description.model_info import ModelInfo, Preprocessing
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.formats.storage import WeightFile


def net(*names: str) -> NetSpec:
    return NetSpec("net", tuple(LayerSpec(name, "Convolution", ("data",), (name,)) for name in names))


def example() -> WeightFile:
    """A small checkpoint with something in every field."""
    rng = np.random.default_rng(1)
    return WeightFile(
        spec=net("conv1", "conv2"),
        params={
            "conv1": [rng.normal(size=(4, 3, 3, 3)).astype("f4"), rng.normal(size=4).astype("f4")],
            "conv2": [rng.normal(size=(2, 4, 1, 1)).astype("f4")],
        },
        info=ModelInfo(
            Preprocessing("RGB", (1.0, 2.0, 3.0), 0.5),
            classes=("sky", "road"),
            colors=((1, 2, 3), (4, 5, 6)),
            record={"mean_iu": 0.5},
        ),
        state={"momentum conv1 0": rng.normal(size=(4, 3, 3, 3)), "steps": np.array([7])},
        progress={"iteration": 7, "best": None},
    )


def assert_same_arrays(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    assert found.tobytes() == expected.tobytes()

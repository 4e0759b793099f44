"""One pass of the shipped net weights/shapes-fcn8s.h5 over a generated scene: what several figures show."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import fcnlite
from fcnlite.data.transforms import to_blob

ROOT = Path(__file__).parents[2]


@cache
def scene(index: int = 3) -> tuple[Any, np.ndarray, np.ndarray]:
    """The net, the picture (H×W×3) and its labels (H×W) after a forward pass that kept its blobs."""
    net = fcnlite.load(ROOT / "weights" / "shapes-fcn8s.h5", path="plain")
    sample = fcnlite.data.open("shapes", split="test")[index]
    net.forward(data=to_blob(sample.image, net.info.preprocessing)[None], keep=True)
    return net, sample.image, sample.label


def colored(labels: np.ndarray, net: Any) -> np.ndarray:
    """A label map in the net's colours."""
    return np.array(net.info.colors, np.uint8)[labels]


def diverging(values: np.ndarray, largest: float) -> np.ndarray:
    """Values as colours: orange below 0, grey at 0, blue above."""
    t = np.clip(values / largest, -1, 1)[..., None]
    middle, low, high = (np.array(each, float) for each in ((128, 128, 128), (255, 130, 40), (50, 150, 255)))
    return (middle + np.abs(t) * (np.where(t < 0, low, high) - middle)).astype(np.uint8)

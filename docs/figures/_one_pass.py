"""The forward and backward pass that part 2 of the book reads: the shipped net on one generated picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from book import drawing

import fcnlite
from fcnlite.data.dataset import Dataset
from fcnlite.data.sample import Sample
from fcnlite.data.shapes import Shapes
from fcnlite.data.transforms import label_to_blob, to_blob
from fcnlite.net import Net

VOID = "#808080"
"""The colour of void, which is the same on light and dark pages."""
WEIGHTS = Path(__file__).parents[2] / "weights" / "shapes-fcn8s.h5"
PICTURE = 6
"""The number of the picture in the test split."""
SCORES = ("score_fr", "upscore2", "score_pool4", "fuse_pool4", "upscore_pool4", "score_pool3", "fuse_pool3", "score")
FEATURES = ("conv6", "pool5", "pool4", "pool3", "pool2", "pool1", "data")


@dataclass
class OnePass:
    """A net after forward and backward, with what went in and what came out."""

    dataset: Dataset
    sample: Sample
    net: Net
    x: np.ndarray
    y: np.ndarray
    blobs: dict[str, np.ndarray]
    grads: dict[str, np.ndarray]


@cache
def one_pass() -> OnePass:
    dataset = Shapes("test")
    sample = dataset[PICTURE]
    net = fcnlite.load(WEIGHTS, path="plain")
    x = to_blob(sample.image, net.info.preprocessing)[None]
    y = label_to_blob(sample.label)[None]
    net.forward(data=x, label=y, keep=True)
    net.backward(wrt=[*SCORES, *FEATURES])
    return OnePass(dataset, sample, net, x, y, dict(net.blobs), dict(net.grads))


def colored(label: np.ndarray, dataset: Dataset) -> np.ndarray:
    """A label map as RGB, in colours that are the same on light and dark pages; void is gray."""
    palette = np.array([[236, 236, 232], [213, 95, 0], [0, 158, 116], [0, 115, 178], [204, 122, 167], [230, 160, 0]])
    picture = np.full((*label.shape, 3), 128, np.uint8)
    for number in range(len(dataset.labels["label"].classes)):
        picture[label == number] = palette[number]
    return picture


def panel(axes: Any, values: np.ndarray, title: str, **options: Any) -> Any:
    """Show a map or a picture without ticks, under a title."""
    shown = axes.imshow(values, interpolation="none", **options)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, fontsize=9, color=drawing.INK)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return shown


def signed(axes: Any, values: np.ndarray, title: str) -> Any:
    """Show a map of positive (red) and negative (blue) values; white is 0."""
    most = float(np.abs(values).max()) or 1.0
    return panel(axes, values, title, cmap="RdBu_r", vmin=-most, vmax=most)


def shape(array: np.ndarray) -> str:
    """The shape of one picture of a blob: C×H×W."""
    return "×".join(map(str, array.shape[1:]))

"""Made-up RGB-D pictures: generated shapes with the depth map of a sensor.

Each shape is flat on a sloping ground or is a plate above it. A flat and a raised disc are two classes of one
appearance, and so are a flat and a raised star: only depth tells them apart. The classes of the other shapes do not
depend on depth. The sensor is noisy, and has holes: at the edges of plates, and in spots anywhere.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from fcnlite import data
from fcnlite.analysis.paper.tools.datasets import Derived
from fcnlite.arrays import Array
from fcnlite.data import VOID, Dataset
from fcnlite.data.palette import voc_colors
from fcnlite.data.sample import Sample
from fcnlite.data.seeding import generator
from fcnlite.description.model_info import Labels, Preprocessing

CLASSES = ("background", "flat disc", "square", "triangle", "flat star", "cross", "raised disc", "raised star")
RAISED = {1: 6, 4: 7}
"""The class of a raised shape, where it differs from that of a flat one."""
MEAN_LOG_DEPTH = 7.8
"""The mean of the natural logarithm of the depth in millimetres; NYUDv2's is 7.844."""
NOISE = 20.0
"""The standard deviation of the sensor's noise, in millimetres."""
_HEIGHTS = (200.0, 500.0)
"""The least and the greatest height of a plate, in millimetres."""


def with_depth(label: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """H×W uint16 depth in millimetres, 0 where nothing was measured, and the classes of flat and raised shapes.

    Each connected region of a class in the H×W `label` is a shape. The void border of a shape has the depth of the
    ground.
    """
    height, width = label.shape
    rows, columns = np.mgrid[:height, :width]
    slopes = rng.uniform(-600, 600, 2)
    depth = rng.uniform(2200, 2800) + slopes[0] * (rows / height - 0.5) + slopes[1] * (columns / width - 0.5)
    raised = np.zeros(label.shape, bool)
    found = label.copy()
    for number in np.unique(label[(label != 0) & (label != VOID)]).tolist():
        regions, count = ndimage.label(label == number)
        for region in range(1, count + 1):
            lifted = rng.random() < 0.5
            above = rng.uniform(*_HEIGHTS)
            if lifted:
                inside = regions == region
                depth[inside] -= above
                raised |= inside
                found[inside] = RAISED.get(number, number)
    depth += NOISE * rng.standard_normal(label.shape)
    edges = ndimage.binary_dilation(raised) & ~ndimage.binary_erosion(raised)
    spots = ndimage.gaussian_filter(rng.standard_normal(label.shape), 1.5) * 5 > 2
    depth[(edges & (rng.random(label.shape) < 0.5)) | spots] = 0
    return np.rint(depth).astype(np.uint16), found


def rgbd_shapes(split: str, size: int, count: int, seed: int = 0) -> Dataset:
    """`count` pictures of `size`×`size` pixels with the pictures `color` and `depth`, as NYUDv2 has them."""
    shapes = data.open("shapes", split=split, size=size, count=count, seed=seed)

    def change(sample: Sample, index: int) -> Sample:
        depth, label = with_depth(sample.label, generator(f"depth {split}", seed, index))
        return Sample({"color": sample.image, "depth": depth}, {"label": label}, sample.name)

    return Derived(
        shapes,
        change,
        labels={"label": Labels(CLASSES, voc_colors(len(CLASSES)))},
        pictures=("color", "depth"),
        preprocessing=Preprocessing(
            others={"depth": Preprocessing(color="DEPTH", mean=(MEAN_LOG_DEPTH,), bits=16)},
        ),
        hold=True,
    )

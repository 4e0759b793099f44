"""A net of filters is a filter: a shift of the picture shifts the output (section 3).

A general deep net computes a general nonlinear function. A net whose layers all have the paper's form computes a
nonlinear filter: if the picture shifts by the stride, the output shifts by one position.
"""

from __future__ import annotations

import numpy as np

from fcnlite import models, surgery
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.tools.datasets import scene
from fcnlite.analysis.paper.tools.nets import fill_scores
from fcnlite.analysis.translation import Shift, shift, vector_change
from fcnlite.arrays import Array
from fcnlite.net import Net

_WIDTH = 1 / 16


def convolutional(name: str, width: float, seed: int) -> Net:
    """A classifier of the zoo as a fully convolutional net with the same weights."""
    classifier = models.build(name, width=width, seed=seed)
    weights = {layer: [each.data for each in parameters] for layer, parameters in classifier.params.items()}
    net, _ = surgery.convolutional_classifier(classifier.spec, weights, None, "the classifier")
    return net


def upsampling(seed: int) -> Net:
    """lite-fcn8s with scores that are not zero."""
    return fill_scores(models.build("lite-fcn8s", width=_WIDTH, classes=3, seed=seed))


def run(settings: Settings, page: Page) -> None:
    """Fill the page with shifts of filters and of a classifier's fully connected layer."""
    _, large = scene(576, 3, settings.seed)
    _, middle = scene(355, 3, settings.seed)
    _, small = scene(60, 1, settings.seed)
    lenet = models.build("lenet", seed=settings.seed)
    fcn = upsampling(settings.seed)
    rows: list[tuple[str, str, Shift]] = []
    cases: list[tuple[str, Net, str, Array, int | None]] = [
        ("lenet", lenet, "pool2", small, None),
        ("lenet, convolutional", convolutional("lenet", 1, settings.seed), "ip2", small, None),
        ("alexnet", models.build("alexnet", width=_WIDTH, seed=settings.seed), "pool5", middle, None),
        ("lite-fcn8s", fcn, "score_fr", large, None),
        ("lite-fcn8s", fcn, "score", large, 32),
        ("lite-fcn8s", fcn, "score", large, 1),
    ]
    for name, net, blob, picture, pixels in cases:
        rows.append((name, blob, shift(net, blob, picture, pixels)))
    change = vector_change(lenet, "ip1", np.ascontiguousarray(small[:, :, :32, :32]), 4)
    filters = [found.inside for _, _, found in rows[:-1]]
    page.compare("filters: largest relative difference from the shifted output", 0, f"{max(filters):.1e}", "rounding")
    page.compare(
        "a fully connected layer: change that no shift of the vector explains",
        "general function",
        f"{100 * change:.0f} %",
        "relative to the vector's norm",
    )
    page.text(
        "A net with random weights reads two crops of one generated picture that are a few pixels apart. If the shift "
        "is the stride, the outputs are equal, shifted by one position, wherever the receptive field is inside both "
        "crops (difference inside). Where a field reaches into a pad they differ (with the border), because the zeros "
        "of the pad do not move with the picture. Differences are relative to the largest output."
    )
    page.table(
        ("net", "blob", "shift in pixels", "in positions", "difference inside", "with the border"),
        [
            (name, blob, found.pixels, found.positions, f"{found.inside:.1e}", f"{found.everywhere:.1e}")
            for name, blob, found in rows
        ],
    )
    page.text(
        "The last two rows are scores of every pixel. Upsampling gives them a stride of 1, but if the picture shifts "
        "by 1 pixel, they do not: the coarse maps below have strides of up to 32, and only a shift by 32 pixels is a "
        "whole number of positions in all of them."
    )
    page.text(
        "LeNet's fully connected ip1 reads all positions of pool2 and gives one vector, which has no positions to "
        "shift: its values change when the picture shifts. As a convolution with the same weights it is a filter "
        "(row 2)."
    )

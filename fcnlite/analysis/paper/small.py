"""The small FCN of the experiments that train many nets: the first three stages of the lite nets, scored at two scales.

Its features have a stride of 8 and a receptive field of 60 pixels, about a whole picture of the generated shapes. The
stages start from those of the shipped classifier. The scores start without features, but with biases for which every
pixel gets the shares of the classes in the training pictures: a short training need not spend itself on learning that
most pixels are background.
"""

from __future__ import annotations

import numpy as np

from fcnlite import models
from fcnlite.analysis.paper.augmentation import shares
from fcnlite.analysis.paper.training import WIDTH, begin
from fcnlite.arrays import Array
from fcnlite.data import Dataset
from fcnlite.description.spec import NetSpec
from fcnlite.models import fcn, lite
from fcnlite.models.builder import Builder
from fcnlite.net import Net
from fcnlite.surgery import Weights

STAGES = (3, 2)
"""The stages that are scored, from coarse to fine."""
COARSEST = "score_pool3"
"""The layer of the coarsest scores."""
_RAREST = 1e-4
"""The least share of a class that a bias stands for."""


def add_features(net: Builder, picture: str, suffix: str = "") -> dict[int, str]:
    """Add the features of the blob `picture`; returns blobs by stage. `suffix` is appended to all names."""
    return lite.add_features(net, picture, WIDTH, stages=STAGES, suffix=suffix)


def small_fcn(classes: int) -> NetSpec:
    """The net for one picture and one label map."""
    net = Builder("small-fcn")
    data = net.input("data", 1, 3, 224, 224)
    label = net.input("label", 1, 1, 224, 224)
    score = lite.add_scores(net, add_features(net, data), classes, data)
    fcn.pixel_loss(net, score, label, "VALID")
    return net.spec()


def fcn_32s(classes: int) -> NetSpec:
    """The net of the FCN reference that takes the place of `small_fcn` if weights are given."""
    return models.describe("voc-fcn32s", classes=classes)


def log_shares(dataset: Dataset) -> Array:
    """The biases of a softmax that give each class its share in the pixels of the first label map."""
    found: Array = np.log(np.maximum(shares(dataset), _RAREST)).astype(np.float32)
    return found


def logit_shares(dataset: Dataset) -> Array:
    """The biases of sigmoids that give each class its share in the pixels of the first label map."""
    found = np.clip(shares(dataset), _RAREST, 1 - _RAREST)
    logits: Array = np.log(found / (1 - found)).astype(np.float32)
    return logits


def begin_small(spec: NetSpec, dataset: Dataset, trunk: Weights, biases: dict[str, Array], seed: int) -> Net:
    """`training.begin` from the weights in `trunk`, with these `biases` of the scores by layer."""
    net = begin(spec, dataset, trunk, seed)
    for layer, values in biases.items():
        net.params[layer][1].data = values
    return net

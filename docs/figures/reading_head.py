"""The scores of the paper's FCN-8s, from its layers to the operations of the plan."""

from __future__ import annotations

from _listings import stages

from fcnlite import models, surgery

VALUES = {
    "score_fr",
    "upscore2",
    "score_pool4",
    "score_pool4c",
    "fuse_pool4",
    "upscore_pool4",
    "score_pool3",
    "score_pool3c",
    "fuse_pool3",
    "upscore8",
    "score",
}


def draw() -> str:
    net = models.build("voc-fcn8s", width=1 / 16)
    surgery.interp(net)
    return stages(net.listings({"data": (1, 3, 96, 96)}), VALUES)

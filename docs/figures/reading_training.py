"""Stage 1 of the shipped net in a plan for training."""

from __future__ import annotations

from _listings import stages
from _one_pass import WEIGHTS

import fcnlite


def draw() -> str:
    net = fcnlite.load(WEIGHTS, phase="TRAIN")
    listings = net.listings({"data": (1, 3, 96, 96), "label": (1, 1, 96, 96)}, keep=True)
    return stages(listings, {"conv1_1", "conv1_2", "pool1"})

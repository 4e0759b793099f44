"""Stage 1 of the shipped net, from its nine layers to one operation."""

from __future__ import annotations

from _listings import stages
from _one_pass import WEIGHTS

import fcnlite


def draw() -> str:
    return stages(fcnlite.load(WEIGHTS).listings({"data": (1, 3, 96, 96)}), {"conv1_1", "conv1_2", "pool1"})

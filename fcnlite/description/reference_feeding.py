"""How the FCN reference feeds the pictures of the data sets whose means it took itself (its siftflow_layers.py and
nyud_layers.py). Its other nets take ImageNet's mean, the default of `Preprocessing`.
"""

from __future__ import annotations

from fcnlite.description.model_info import Preprocessing

SIFTFLOW = Preprocessing(mean=(114.578, 115.294, 108.353))
NYUD = {
    "color": Preprocessing(mean=(116.190, 97.203, 92.318)),
    "hha": Preprocessing(color="RGB", mean=(132.431, 94.076, 118.477)),
    "depth": Preprocessing(color="DEPTH", mean=(7.844,), bits=16),
}
"""By type of picture. The mean of depth is that of its logarithm."""

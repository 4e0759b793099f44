"""Net surgery: parameters copied by name, reshaped, expanded and filled; classifiers made fully convolutional."""

from fcnlite.surgery.convolutional import fully_convolutional
from fcnlite.surgery.filling import fill, interp, warn_of_zero_upsampling, zero_upsampling
from fcnlite.surgery.fitting import fit
from fcnlite.surgery.transplanting import Transfer, Weights, add_depth, expand_score, transplant

__all__ = [
    "Transfer",
    "Weights",
    "add_depth",
    "expand_score",
    "fill",
    "fit",
    "fully_convolutional",
    "interp",
    "transplant",
    "warn_of_zero_upsampling",
    "zero_upsampling",
]

"""Net surgery: parameters copied by name, reshaped, expanded and filled; classifiers made fully convolutional."""

from fcnlite.surgery.checking import check_counts
from fcnlite.surgery.converting import convolutional_classifier, renamed, start_from
from fcnlite.surgery.convolutional import fully_convolutional
from fcnlite.surgery.expanding import add_depth, expand_score
from fcnlite.surgery.filling import fill, interp, unfilled_features, warn_of_zero_upsampling, zero_upsampling
from fcnlite.surgery.fitting import fit
from fcnlite.surgery.transplanting import Transfer, Weights, transplant

__all__ = [
    "Transfer",
    "Weights",
    "add_depth",
    "check_counts",
    "convolutional_classifier",
    "expand_score",
    "fill",
    "fit",
    "fully_convolutional",
    "interp",
    "renamed",
    "start_from",
    "transplant",
    "unfilled_features",
    "warn_of_zero_upsampling",
    "zero_upsampling",
]

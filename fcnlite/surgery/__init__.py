"""Net surgery: weights copied into nets of another kind.

`transplanting` copies by layer name, `expanding` adds channels, `filling` gives the remaining parameters their initial
values, `checking` refuses weights that hold too much. `convolutional` rewrites a classifier as a fully convolutional
net, `fitting` adapts a description to the channel counts of weights, `reordering` permutes classes. `converting`
combines these into whole nets, and `outcomes` shows what became of each parameter.
"""

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

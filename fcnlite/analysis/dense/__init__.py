"""Dense prediction: scores for every pixel from nets that subsample (paper, sections 3.2 and 3.4).

`shift_and_stitch` runs a net on shifted pictures and interlaces the outputs. `rarefy` makes a net without strides whose
filters are dilated instead; it computes the same. `unpadded` says where a rarefied net's outputs depend on no padding.
`sample_loss` is the paper's patchwise training.
"""

from fcnlite.analysis.dense.part import Region, unpadded
from fcnlite.analysis.dense.rarefaction import rarefy
from fcnlite.analysis.dense.sampling import sample_loss
from fcnlite.analysis.dense.stitching import shift_and_stitch

__all__ = ["Region", "rarefy", "sample_loss", "shift_and_stitch", "unpadded"]

"""Shift-and-stitch: dense scores from a net that subsamples, without changing it (paper, section 3.2)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fcnlite.analysis.dense.part import DensePart
from fcnlite.arrays import Array
from fcnlite.description.shapes import show
from fcnlite.errors import ShapeError
from fcnlite.net import Net


def shift_and_stitch(net: Net, x: npt.ArrayLike, *, output: str | None = None) -> Array:
    """The blob `output` for every pixel of the pictures `x`, N×C×H×W: an array of N×channels×H×W.

    An output of stride f has the scores of every f-th pixel. The net runs on f² shifts of the picture, and the outputs
    are interlaced, so that the scores at a pixel are those of the receptive field centred there: with a field of k
    pixels, the pixels −⌊(k − 1)/2⌋ to ⌊k/2⌋ around it. Beyond the picture the field contains zeros. These zeros are
    wide enough to keep the paddings inside the net out of all fields, so the result equals, to rounding, the net
    without its paddings, applied to each pixel's field alone.

    `output`: by default the net's only output without labels. The net must consist of convolution, pooling and
    elementwise layers up to `output`; `SpecError` names another layer. Raises `ShapeError` unless `x` is N×C×H×W.
    """
    net = net if net.phase == "TEST" else net.share()
    part = DensePart.of(net, output)
    pictures = np.asarray(x, net.dtype)
    if pictures.ndim != 4 or 0 in pictures.shape:
        raise ShapeError(f"pictures have shape {show(pictures.shape)}; expected N×C×H×W.")
    sizes = pictures.shape[2:]
    # Along each axis, output number `skipped` of the shift r is the first without padding; its field begins at pixel r.
    skipped, lengths, margins, counts = [], [], [], []
    for axis, size in enumerate(sizes):
        stride, read = part.stride[axis], part.read
        counts.append(-(-size // stride))
        skipped.append(-(read.first[axis] // stride))
        front = stride * skipped[-1] + read.first[axis] + part.before(axis)
        lengths.append(stride * (skipped[-1] + counts[-1] - 1) + read.last[axis] + 1)
        margins.append((front, max(0, lengths[-1] + stride - 1 - front - size)))
    wide = np.pad(pictures, ((0, 0), (0, 0), *margins))
    rows, columns = part.stride
    stitched: Array | None = None
    for row in range(rows):
        for column in range(columns):
            shifted = wide[:, :, row : row + lengths[0], column : column + lengths[1]]
            scores = net.forward({part.input: shifted}, outputs=[part.output])[part.output]
            scores = scores[:, :, skipped[0] : skipped[0] + counts[0], skipped[1] : skipped[1] + counts[1]]
            if stitched is None:
                stitched = np.empty((*scores.shape[:2], rows * counts[0], columns * counts[1]), scores.dtype)
            stitched[:, :, row::rows, column::columns] = scores
    assert stitched is not None
    return np.ascontiguousarray(stitched[:, :, : sizes[0], : sizes[1]])

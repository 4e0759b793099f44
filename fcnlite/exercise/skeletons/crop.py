"""Exercise 5: crop offsets."""

from fractions import Fraction

Layer = tuple[str, int, int, int]
"""("conv", "pool" or "deconv", kernel_size, stride, pad)"""


def placement(layers: list[Layer]) -> tuple[Fraction, Fraction]:
    """Where the outputs of a chain of layers are in the picture: (stride, offset).

    The receptive field of output y has its centre at stride · y + offset, in pixels of the picture. The picture
    itself has (1, 0). `layers` begins with the layer that reads the picture.
    """
    raise NotImplementedError("write placement")


def crop_offset(layers: list[Layer]) -> int | None:
    """How many pixels to cut off the beginning of the last layer's output, so that it is aligned with the picture.

    None if no crop aligns them: the stride is not 1, or the number would be negative or no whole number.
    """
    raise NotImplementedError("write crop_offset")

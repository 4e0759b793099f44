"""Exercise 5: crop offsets."""

from fractions import Fraction

Layer = tuple[str, int, int, int]


def placement(layers: list[Layer]) -> tuple[Fraction, Fraction]:
    stride, offset = Fraction(1), Fraction(0)
    for kind, kernel_size, step, pad in layers:
        middle = Fraction(kernel_size - 1, 2) - pad
        if kind == "deconv":
            offset -= stride * middle / step
            stride /= step
        else:
            offset += stride * middle
            stride *= step
    return stride, offset


def crop_offset(layers: list[Layer]) -> int | None:
    stride, offset = placement(layers)
    crop = -offset / stride
    if stride != 1 or crop < 0 or crop.denominator != 1:
        return None
    return int(crop)

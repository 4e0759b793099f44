"""Max unpooling (Upsample of SegNet: alexgkendall/caffe-segnet).

    y[mask[i]] = x[i] within each plane, else 0        dx[i] = dy[mask[i]]

bottoms: x, N×C×H×W, and the mask, of the same shape, which is the second top of a max pooling; it has no gradient. top
N×C×H'×W'. If overlapping windows of the pooling gave one place to several values, the last value counts, and as in
SegNet each gets the gradient. Options: upsample_h and upsample_w, H' and W'; or scale 2, or scale_h and scale_w, with
which H' = scale_h · H − 1 if pad_out_h is true (default false), else scale_h · H, and so for W'.
"""

from __future__ import annotations

from dataclasses import dataclass

from fcnlite.arrays import Array, Shape
from fcnlite.errors import SpecError
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer, four_axes
from fcnlite.layers.forks.places import check_mask, put, read_places, take
from fcnlite.layers.options import LARGEST
from fcnlite.layers.registry import register


@dataclass(frozen=True)
class UpsampleOptions:
    scale: int | None = None
    scale_h: int | None = None
    scale_w: int | None = None
    upsample_h: int | None = None
    upsample_w: int | None = None
    pad_out_h: bool = False
    pad_out_w: bool = False


@register
class Upsample(Layer):
    type = "Upsample"
    messages = ("upsample_param",)
    Options = UpsampleOptions
    bottoms = (2, 2)
    no_gradient = frozenset({1})

    def check(self) -> None:
        o = self.options
        self.size = (o.upsample_h, o.upsample_w)
        sides = (o.scale_h, o.scale_w)
        if (o.upsample_h is None) != (o.upsample_w is None) or (o.scale_h is None) != (o.scale_w is None):
            raise SpecError(
                "one of two sides is missing; write both upsample_h and upsample_w, or scale_h and scale_w."
            )
        if o.scale is not None and o.scale_h is not None:
            raise SpecError("both scale and scale_h/scale_w are given; write one of them.")
        self.scales = (2 if o.scale is None else o.scale,) * 2 if o.scale_h is None else sides
        for name, value in (("scale", each) for each in self.scales if o.upsample_h is None):
            if not 2 <= value <= LARGEST:
                raise SpecError(f"{name} is {value}; expected 2 to {LARGEST}.")
        for name, value in zip(("upsample_h", "upsample_w"), self.size, strict=True):
            if value is not None and not 2 <= value <= LARGEST:
                raise SpecError(f"{name} is {value}; expected 2 to {LARGEST}.")
        for side, padded, scale in zip("hw", (o.pad_out_h, o.pad_out_w), self.scales, strict=True):
            if padded and scale != 2 and o.upsample_h is None:
                raise SpecError(f"pad_out_{side} needs a scale of 2, found {scale}; write upsample_h and upsample_w.")

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        (n, channels, *sides), o = four_axes(bottom[0]), self.options
        check_mask(*bottom)
        if o.upsample_h is None:
            padded = (o.pad_out_h, o.pad_out_w)
            return [(n, channels, *(s * side - p for s, side, p in zip(self.scales, sides, padded, strict=True)))]
        return [(n, channels, o.upsample_h, o.upsample_w)]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        x, mask = bottom
        (shape,) = self.top_shapes(x.shape, mask.shape)
        run.saved = read_places(mask, shape)
        return [put(x, run.saved, shape)]

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        return [take(dtop[0], run.saved, run.bottom_shapes[0]), None]

    def placement(self) -> None:
        return None

"""Writing nets in Python: layer by layer, in Caffe's names, with crop offsets computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fcnlite.errors import SpecError
from fcnlite.layers import links
from fcnlite.shapes import crop_offset, placements
from fcnlite.spec import LayerSpec, NetSpec, ParamSpec

LEARNED = (ParamSpec(lr_mult=1, decay_mult=1), ParamSpec(lr_mult=2, decay_mult=0))
"""Weight and bias as the FCN reference trains them: biases at twice the rate, without decay."""
FIXED = (ParamSpec(lr_mult=0),)
"""Weights that stay: the bilinear upsampling."""


class Builder:
    """Collects layers. Every method adds one and returns the name of its top."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.layers: list[LayerSpec] = []

    def add(
        self,
        name: str,
        kind: str,
        bottom: str | Sequence[str] = (),
        *,
        top: str | None = None,
        param: tuple[ParamSpec, ...] = (),
        **options: Any,
    ) -> str:
        """A layer of type `kind`; its top is called as the layer unless named."""
        bottoms = (bottom,) if isinstance(bottom, str) else tuple(bottom)
        self.layers.append(LayerSpec(name, kind, bottoms, (top or name,), options, param))
        return top or name

    def input(self, name: str, *shape: int) -> str:
        return self.add(name, "Input", shape=[{"dim": list(shape)}])

    def convolution(
        self, name: str, bottom: str, num_output: int, kernel_size: int, *, pad: int = 0, stride: int | None = 1
    ) -> str:
        """A convolution with bias. `stride=None` leaves the stride unwritten."""
        options: dict[str, Any] = {"num_output": num_output, "pad": [pad], "kernel_size": [kernel_size]}
        if stride is not None:
            options["stride"] = [stride]
        return self.add(name, "Convolution", bottom, param=LEARNED, **options)

    def relu(self, name: str, blob: str) -> str:
        return self.add(name, "ReLU", blob, top=blob)

    def dropout(self, name: str, blob: str) -> str:
        return self.add(name, "Dropout", blob, top=blob, dropout_ratio=0.5)

    def max_pool(self, name: str, bottom: str) -> str:
        """2×2 windows, stride 2."""
        return self.add(name, "Pooling", bottom, pool="MAX", kernel_size=2, stride=2)

    def score(self, name: str, bottom: str, classes: int) -> str:
        """The 1×1 convolution that turns features into class scores (paper, section 4.1)."""
        return self.convolution(name, bottom, classes, 1, stride=None)

    def upsample(self, name: str, bottom: str, classes: int, factor: int) -> str:
        """Fixed upsampling by `factor`: a deconvolution that `surgery.interp` makes bilinear."""
        return self.add(
            name,
            "Deconvolution",
            bottom,
            param=FIXED,
            num_output=classes,
            bias_term=False,
            kernel_size=[2 * factor],
            stride=[factor],
        )

    def crop(self, name: str, blob: str, reference: str) -> str:
        """Crop `blob` to lie over `reference`; the offset follows from the layers so far."""
        offset = self._offset(blob, reference)
        return self.add(name, "Crop", (blob, reference), axis=2, offset=[offset])

    def fuse(self, name: str, *bottoms: str) -> str:
        """The sum that fuses a skip connection (paper, section 4.2)."""
        return self.add(name, "Eltwise", bottoms, operation="SUM")

    def loss(self, bottom: str, label: str, normalization: str | None) -> str:
        """Softmax loss over all pixels but the void ones, 255; un-normalised as in the reference unless named."""
        how: dict[str, Any] = {"normalization": normalization} if normalization else {"normalize": False}
        return self.add("loss", "SoftmaxWithLoss", (bottom, label), ignore_label=255, **how)

    def spec(self) -> NetSpec:
        return NetSpec(self.name, tuple(self.layers))

    def _offset(self, blob: str, reference: str) -> int:
        rows, columns = (crop_offset(placements(links(self.layers, axis)), blob, reference) for axis in (0, 1))
        if rows != columns:
            raise SpecError(f"{blob!r} needs offsets {rows} and {columns} over {reference!r}; expected one.")
        return rows

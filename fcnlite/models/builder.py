"""Writes nets in Python: layer by layer, with Caffe's names and computed crop offsets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from fcnlite.description.shapes import crop_offset, placements
from fcnlite.description.spec import LayerSpec, NetSpec, ParamSpec, StateRule
from fcnlite.errors import SpecError
from fcnlite.layers import links

LEARNED = (ParamSpec(lr_mult=1, decay_mult=1), ParamSpec(lr_mult=2, decay_mult=0))
"""Multipliers of weight and bias in most published nets: biases learn at twice the rate, without decay."""
FIXED = (ParamSpec(lr_mult=0),)
"""The multiplier of fixed weights, as in bilinear upsampling."""


def channels(count: int, width: float) -> int:
    """A channel count at this width; at least 1."""
    return max(1, round(count * width))


class Builder:
    """Collects layers. Every method that adds a layer returns the name of its top."""

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
        loss_weight: tuple[float, ...] = (),
        **options: Any,
    ) -> str:
        """Add a layer of type `kind`; by default its top has the name of the layer."""
        bottoms = (bottom,) if isinstance(bottom, str) else tuple(bottom)
        self.layers.append(LayerSpec(name, kind, bottoms, (top or name,), options, param, loss_weight))
        return top or name

    @contextmanager
    def only(self, phase: str) -> Iterator[None]:
        """Restrict the layers added inside the block to one phase."""
        start = len(self.layers)
        yield
        self.layers[start:] = [replace(each, include=(StateRule(phase),)) for each in self.layers[start:]]

    def input(self, name: str, *shape: int) -> str:
        return self.add(name, "Input", shape=[{"dim": list(shape)}])

    def convolution(
        self,
        name: str,
        bottom: str,
        num_output: int,
        kernel_size: int,
        *,
        pad: int | None = None,
        stride: int | None = None,
        param: tuple[ParamSpec, ...] = LEARNED,
        **options: Any,
    ) -> str:
        """Add a convolution with bias. `pad` and `stride` are not written if they are None."""
        window = {"kernel_size": kernel_size, "pad": pad, "stride": stride}
        options.update({key: [value] for key, value in window.items() if value is not None})
        return self.add(name, "Convolution", bottom, param=param, num_output=num_output, **options)

    def inner_product(
        self, name: str, bottom: str, num_output: int, *, param: tuple[ParamSpec, ...] = LEARNED, **options: Any
    ) -> str:
        return self.add(name, "InnerProduct", bottom, param=param, num_output=num_output, **options)

    def relu(self, name: str, blob: str) -> str:
        return self.add(name, "ReLU", blob, top=blob)

    def dropout(self, name: str, blob: str, ratio: float = 0.5) -> str:
        return self.add(name, "Dropout", blob, top=blob, dropout_ratio=ratio)

    def pool(self, name: str, bottom: str, kernel_size: int, stride: int, *, pool: str = "MAX", **options: Any) -> str:
        return self.add(name, "Pooling", bottom, pool=pool, kernel_size=kernel_size, stride=stride, **options)

    def lrn(self, name: str, bottom: str) -> str:
        """Add a local response normalisation over 5 channels with the constants of the published nets."""
        return self.add(name, "LRN", bottom, local_size=5, alpha=0.0001, beta=0.75)

    def score(self, name: str, bottom: str, classes: int) -> str:
        """Add the 1×1 convolution from features to class scores (paper, section 4.1)."""
        return self.convolution(name, bottom, classes, 1, pad=0)

    def upsample(self, name: str, bottom: str, classes: int, factor: int, kernel_size: int | None = None) -> str:
        """Add fixed upsampling by `factor`: a deconvolution that `surgery.interp` makes bilinear.

        The default `kernel_size` is 2·factor.
        """
        return self.add(
            name,
            "Deconvolution",
            bottom,
            param=FIXED,
            num_output=classes,
            bias_term=False,
            kernel_size=[kernel_size or 2 * factor],
            stride=[factor],
        )

    def crop(self, name: str, blob: str, reference: str) -> str:
        """Crop `blob` to align with `reference`; the offset is computed from the layers so far."""
        offset = self._offset(blob, reference)
        return self.add(name, "Crop", (blob, reference), axis=2, offset=[offset])

    def fuse(self, name: str, *bottoms: str, **options: Any) -> str:
        """Add the sum that fuses a skip (paper, section 4.2) or two nets."""
        return self.add(name, "Eltwise", bottoms, operation="SUM", **options)

    def loss(
        self,
        name: str,
        score: str,
        label: str,
        normalization: str | None,
        *,
        normalize: bool | None = None,
        top: str | None = None,
        loss_weight: tuple[float, ...] = (),
        **options: Any,
    ) -> str:
        """Add a softmax loss. If given, `normalization` replaces `normalize`, Caffe's older option."""
        if normalization is not None:
            options["normalization"] = normalization
        elif normalize is not None:
            options["normalize"] = normalize
        return self.add(name, "SoftmaxWithLoss", (score, label), top=top, loss_weight=loss_weight, **options)

    def spec(self) -> NetSpec:
        return NetSpec(self.name, tuple(self.layers))

    def _offset(self, blob: str, reference: str) -> int:
        rows, columns = (crop_offset(placements(links(self.layers, axis)), blob, reference) for axis in (0, 1))
        if rows != columns:
            raise SpecError(f"{blob!r} needs offsets {rows} and {columns} over {reference!r}; expected one.")
        return rows

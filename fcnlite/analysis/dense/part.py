"""The part of a net that computes one blob from a picture, as a filter that moves over the picture.

Everything is measured at stride 1. A blob of stride s holds every s-th pixel of a dense blob, and a layer with window k
and pad p over it reads the dense pixels s·k − s·p (paper, section 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import cast

from fcnlite.description.shapes import Window
from fcnlite.errors import ShapeError, SpecError, nearest
from fcnlite.graph.schedule import Schedule
from fcnlite.graph.sizing import image_inputs
from fcnlite.layers.base import Layer
from fcnlite.layers.convolution import Convolution
from fcnlite.layers.pooling import Pooling
from fcnlite.net import Net

Pair = tuple[int, int]
"""A number for rows and one for columns."""
Slices = tuple[slice, slice]

_ELEMENTWISE = frozenset(
    {"AbsVal", "BatchNorm", "Bias", "Concat", "Dropout", "ELU", "Eltwise", "Exp", "LRN", "Log", "PReLU", "Power"}
    | {"ReLU", "Scale", "Sigmoid", "Softmax", "Split", "TanH"}
)
"""The types whose outputs at a pixel depend on their bottoms at this pixel alone, apart from unusual options."""


@dataclass(frozen=True)
class Read:
    """What one pixel of the output reads of one blob: dense pixels `first` to `last`, relative to its own place."""

    first: Pair
    last: Pair


@dataclass(frozen=True)
class Region:
    """Pixels whose receptive fields contain neither padding nor a clipped window."""

    picture: Slices
    """Their rows and columns in the picture, and so in the result of `shift_and_stitch`."""
    rarefied: Slices
    """Their rows and columns in the output of the rarefied net."""


@dataclass(frozen=True)
class DensePart:
    """The layers that compute the blob `output` from the blob `input`, in order."""

    input: str
    output: str
    layers: tuple[Layer, ...]

    @staticmethod
    def of(net: Net, output: str | None = None) -> DensePart:
        """The part of `net` that computes `output`, by default the net's one output without labels.

        Raises `SpecError`, which names the layer, for layers other than convolution, pooling and elementwise ones.
        """
        inputs = image_inputs(net.layers)
        if output is None:
            found = list(Schedule.make(net.layers, frozenset(inputs), None, keep=False).outputs)
            if len(found) != 1:
                raise SpecError(f"the net has the outputs {', '.join(found)}; choose one with output=.")
            output = found[0]
        known = [top for layer in net.layers for top in layer.spec.top]
        if output not in known:
            raise SpecError(f"the net has no blob {output!r}; {nearest(output, known)}")
        wanted, layers = {output}, []
        for layer in reversed(net.layers):
            if layer.spec.bottom and wanted.intersection(layer.spec.top):
                wanted = wanted.difference(layer.spec.top).union(layer.spec.bottom)
                layers.append(layer)
        if len(wanted) != 1:
            raise SpecError(f"{output!r} depends on the inputs {', '.join(sorted(wanted))}; expected one picture.")
        part = DensePart(wanted.pop(), output, tuple(reversed(layers)))
        _ = part.strides  # checks the layers
        return part

    @property
    def strides(self) -> dict[str, Pair]:
        """The stride of each blob in pixels of the input."""
        return self._walked[0]

    @property
    def below(self) -> tuple[Pair, ...]:
        """The stride of each layer's bottoms."""
        return self._walked[1]

    @cached_property
    def _walked(self) -> tuple[dict[str, Pair], tuple[Pair, ...]]:
        """`strides` and `below`. Raises `SpecError` for layers that are not moving filters."""
        known: dict[str, Pair] = {self.input: (1, 1)}
        found = []
        for layer in self.layers:
            windows = windows_of(layer)
            strides = sorted({known[name] for name in layer.spec.bottom})
            if len(strides) > 1:
                raise SpecError(
                    f"layer {layer.spec.name!r} ({layer.type}): its bottoms have different strides, "
                    f"{' and '.join(f'{rows}×{columns}' for rows, columns in strides)} pixels; expected one stride."
                )
            rows, columns = strides[0]
            found.append(strides[0])
            known.update(dict.fromkeys(layer.spec.top, (rows * windows[0].stride, columns * windows[1].stride)))
        return known, tuple(found)

    @property
    def stride(self) -> Pair:
        """The stride of the output."""
        return self.strides[self.output]

    @cached_property
    def read(self) -> Read:
        """What an output pixel reads of the input. Pads only widen it, so inner blobs are read no further out."""
        wanted = {self.output: Read((0, 0), (0, 0))}
        for layer, stride in zip(reversed(self.layers), reversed(self.below), strict=True):
            tops = [wanted.pop(name) for name in layer.spec.top if name in wanted]
            first, last = [], []
            for axis, window in enumerate(windows_of(layer)):
                start = -window.pad * stride[axis]
                first.append(min(top.first[axis] for top in tops) + start)
                last.append(max(top.last[axis] for top in tops) + start + (window.extent - 1) * stride[axis])
            read = Read((first[0], first[1]), (last[0], last[1]))
            for name in layer.spec.bottom:
                wanted[name] = _union(wanted.get(name, read), read)
        return wanted[self.input]

    @property
    def field(self) -> Pair:
        """The size of the receptive field in the input."""
        read = self.read
        return read.last[0] - read.first[0] + 1, read.last[1] - read.first[1] + 1

    def before(self, axis: int) -> int:
        """The pixels of the receptive field before its centre; an even field has one more after it."""
        return (self.field[axis] - 1) // 2


def windows_of(layer: Layer) -> tuple[Window, Window]:
    """The windows of a layer for rows and columns; 1×1 for elementwise layers.

    Raises `SpecError` for other layers, and for options that mix the pixels of a picture.
    """
    if layer.type == "Convolution":
        geometry = cast(Convolution, layer).geometry
        return geometry.rows, geometry.columns
    if layer.type == "Pooling":
        if layer.options.global_pooling:
            raise _refusal(layer, "pools the whole picture")
        if len(layer.spec.top) > 1:
            raise _refusal(layer, "also returns the places of the maxima, which depend on the size of the picture")
        rows, columns = cast(Pooling, layer).windows
        return rows, columns
    if layer.type not in _ELEMENTWISE:
        raise _refusal(layer, "is none of convolution, pooling and elementwise layers")
    o = layer.options
    if (
        layer.placement() is None
        or (layer.type == "LRN" and o.norm_region != "ACROSS_CHANNELS")
        or (layer.type == "Softmax" and o.axis not in (1, -3))
        or (layer.type in ("Scale", "Bias") and (o.axis not in (1, -3) or o.num_axes not in (0, 1)))
        or (layer.type == "BatchNorm" and o.use_global_stats is False)
    ):
        raise _refusal(layer, "has options that mix or distinguish the pixels of a picture")
    if layer.type in ("Scale", "Bias") and len(layer.spec.bottom) > 1:
        raise _refusal(layer, "takes its factors from another blob")
    return Window(1), Window(1)


def _refusal(layer: Layer, reason: str) -> SpecError:
    return SpecError(
        f"layer {layer.spec.name!r} ({layer.type}): {reason}, so it has no dense form; choose an earlier blob with "
        "output=, or make the net fully convolutional first (fcnlite.surgery)."
    )


def _union(one: Read, other: Read) -> Read:
    return Read(
        (min(one.first[0], other.first[0]), min(one.first[1], other.first[1])),
        (max(one.last[0], other.last[0]), max(one.last[1], other.last[1])),
    )


def unpadded(net: Net, height: int, width: int, output: str | None = None) -> Region:
    """Where the rarefied net's output on a picture of this size depends on no padding.

    There, the rarefied net, `shift_and_stitch` and the net on the pixel's receptive field alone give the same values to
    rounding. Elsewhere the rarefied net sees the zeros with which its layers pad their bottoms, and `shift_and_stitch`
    a picture that goes on in zeros. Pixels whose fields reach beyond the picture do not count, although a pad of the
    first layer alone, such as the FCN reference's 100, gives the same zeros. Raises `ShapeError` if there is no pixel.
    """
    part = DensePart.of(net, output)
    pictures, rarefied = [], []
    for axis, size in enumerate((height, width)):
        inside = part.read
        # A field inside the picture needs no inner padding: all that it reads of inner blobs exists.
        first = -inside.first[axis]
        stop = size - inside.last[axis]
        if first >= stop:
            raise ShapeError(
                f"{part.output!r} has a receptive field of {part.field[0]}×{part.field[1]} pixels, and a picture of "
                f"{height}×{width} has no pixel whose field is free of padding; expected a larger picture."
            )
        shift = inside.first[axis] + part.before(axis)
        rarefied.append(slice(first, stop))
        pictures.append(slice(first + shift, stop + shift))
    return Region((pictures[0], pictures[1]), (rarefied[0], rarefied[1]))

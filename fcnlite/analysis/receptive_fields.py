"""Receptive fields: predicted from the windows of the layers, and measured by gradients (paper, section 3).

The paper's rule: a layer with kernel k and stride s on top of one with kernel k' and stride s' is one filter,

    f_ks ∘ g_k's' = (f ∘ g) with kernel k' + (k − 1)·s' and stride s·s'.

`composed` is the rule, `place` applies it to a blob of a net. `predicted` follows one position of a blob down to the
picture, layer by layer, and clips to the blobs on the way. `measured` gives the pixels with a gradient other than 0: in
`filters_only`, a net with positive weights, without rectifiers and with averages for maxima, they are exactly the
predicted ones; in the net itself they are a subset.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.description.shapes import Placement, Window, placements
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import ShapeError, SpecError, UnknownNameError, nearest
from fcnlite.layers import Layer, links
from fcnlite.layers.convolution import Convolution
from fcnlite.layers.deconvolution import Deconvolution
from fcnlite.net import Net

_POINTWISE = (
    *("ReLU", "PReLU", "ELU", "Sigmoid", "TanH", "AbsVal", "Exp", "Log", "Power"),
    *("LRN", "BatchNorm", "Scale", "Bias", "Dropout", "Softmax"),
)
"""Layers that treat each position by itself; `filters_only` replaces them by the identity."""
_WHOLE_PICTURE = ("MVN",)
"""Layers that compute with the whole picture although their tops have a placement."""


def composed(upper: tuple[int, int], lower: tuple[int, int]) -> tuple[int, int]:
    """Kernel and stride of the filter `upper` after the filter `lower`: (k' + (k − 1)·s', s·s').

    Each filter is (kernel, stride).
    """
    (kernel, stride), (lower_kernel, lower_stride) = upper, lower
    return lower_kernel + (kernel - 1) * lower_stride, stride * lower_stride


@dataclass(frozen=True)
class Place:
    """Where the positions of a blob are over the picture, for rows and for columns."""

    origin: str
    """The input."""
    rows: Placement
    columns: Placement

    def whole_stride(self, blob: str) -> tuple[int, int]:
        """The strides in pixels. Raises `ShapeError`, which names `blob`, if one is not whole."""
        for each in (self.rows, self.columns):
            if each.stride.denominator != 1:
                raise ShapeError(
                    f"blob {blob!r} has a stride of {each.stride} pixels over {self.origin!r}; expected a whole one; "
                    "choose a blob below the upsampling."
                )
        return int(self.rows.stride), int(self.columns.stride)


def place(spec: NetSpec, blob: str) -> Place:
    """The stride, offset and receptive field of a blob (phase TEST).

    Raises `UnknownNameError` for a blob that the net does not have, `ShapeError` for one without a place over the
    input, such as a score of an InnerProduct.
    """
    spec = spec.for_phase("TEST")
    known = {top for layer in spec for top in layer.top}
    if blob not in known:
        raise UnknownNameError(f"no blob is called {blob!r}; {nearest(blob, known)}")
    along = [placements(links(spec, axis)).get(blob) for axis in (0, 1)]
    rows, columns = along
    if rows is None or columns is None:
        placed = [top for top in placements(links(spec, 0)) if top != blob]
        raise ShapeError(
            f"blob {blob!r} has no place over the input, because a layer on the way to it reads the whole picture at "
            f"once; the last blob with a place is {placed[-1]!r}."
        )
    return Place(rows[0], rows[1], columns[1])


def pruned(spec: NetSpec, blob: str) -> NetSpec:
    """The layers of phase TEST that `blob` needs. Inputs take any size."""
    kept: list[LayerSpec] = []
    needed = {blob}
    for layer in reversed(spec.for_phase("TEST").layers):
        if needed.intersection(layer.top):
            needed.update(layer.bottom)
            kept.append(replace(layer, options={}) if layer.type == "Input" else layer)
    return replace(spec, layers=tuple(reversed(kept)))


def filters_only(spec: NetSpec, blob: str) -> Net:
    """The net up to `blob` as a positive linear filter, in float64: what its windows reach is what it computes with.

    Weights become positive, layers that treat each position by itself the identity, maxima averages, and products and
    maxima of blobs sums.
    """
    layers = tuple(map(_filter, pruned(spec, blob)))
    return Net(replace(spec, layers=layers), path="plain", dtype="float64")


def _filter(layer: LayerSpec) -> LayerSpec:
    if layer.type in _POINTWISE:
        if len(layer.bottom) > 1:
            return replace(layer, type="Eltwise", options={}, param=())
        return replace(layer, type="Power", options={}, param=())
    if layer.type == "Pooling":
        return replace(layer, top=layer.top[:1], options={**layer.options, "pool": "AVE"})
    if layer.type == "Eltwise":
        return replace(layer, options={})
    return layer


def blob_shape(net: Net, blob: str, shape: Shape) -> Shape:
    """The shape of `blob` for a picture of this shape. Raises as `place` does."""
    origin = place(net.spec, blob).origin
    if blob == origin:
        return shape
    steps = Net(pruned(net.spec, blob)).shapes({origin: shape})
    found: Shape = next(
        top
        for layer, _, tops in reversed(steps)
        for name, top in zip(layer.spec.top, tops, strict=True)
        if name == blob
    )
    return found


def predicted(net: Net, blob: str, position: tuple[int, int], shape: Shape) -> Array:
    """H×W booleans: the pixels of the picture that the position (row, column) of `blob` depends on.

    `shape` is that of the picture, N×C×H×W. In reverse order, each layer passes the set of its top's positions to its
    bottoms: M_bottom = Rᵀ·M_top·C, where R[y, x] says whether row y of the top reads row x of the bottom, and C is
    the same for columns. Positions in a pad do not exist. Raises as `place` does, and `ShapeError` for a position
    outside the blob.
    """
    origin = place(net.spec, blob).origin
    steps = [] if blob == origin else Net(pruned(net.spec, blob)).shapes({origin: shape})
    size = blob_shape(net, blob, shape)
    _check_position(blob, position, size)
    start = np.zeros(size[2:], bool)
    start[position] = True
    reached = {blob: start}
    for layer, bottoms, tops in reversed(steps):
        if layer.type in _WHOLE_PICTURE:
            raise SpecError(
                f"layer {layer.spec.name!r} ({layer.type}) computes with the whole picture at once, so blob {blob!r} "
                "has no receptive field; remove the layer."
            )
        above = [reached.pop(name) for name in layer.spec.top if name in reached]
        if not above:
            continue
        mask = np.logical_or.reduce(above)
        for i, (name, bottom) in enumerate(zip(layer.spec.bottom, bottoms, strict=True)):
            if i in layer.no_gradient and len(layer.spec.bottom) > 1:
                continue
            rows, columns = (_reads(layer, axis, tops[0][2 + axis], bottom[2 + axis]) for axis in (0, 1))
            below = (rows.T.astype(np.float32) @ mask @ columns.astype(np.float32)) > 0
            reached[name] = reached[name] | below if name in reached else below
    return reached.get(origin, np.zeros(shape[2:], bool))


def _check_position(blob: str, position: tuple[int, int], shape: Sequence[int]) -> None:
    if not all(0 <= at < size for at, size in zip(position, shape[2:], strict=True)):
        raise ShapeError(
            f"position {position} is outside blob {blob!r} of {shape[2]}×{shape[3]} positions; the first one is (0, 0)."
        )


def _reads(layer: Layer, axis: int, top: int, bottom: int) -> Array:
    """top×bottom booleans: whether a position of the top reads one of the bottom, along one axis."""
    y, x = np.arange(top)[:, None], np.arange(bottom)
    if isinstance(layer, Deconvolution):
        return _taps(_window(layer, axis), x, y)
    if isinstance(layer, Convolution):
        return _taps(_window(layer, axis), y, x)
    places = layer.placement()
    assert places is not None
    each = places[axis]
    # Twice the distances are whole numbers for windows of whole strides.
    centre = y * float(each.stride) + float(each.offset)
    found: Array = np.abs(x - centre) <= float((each.field - 1) / 2)
    return found


def _window(layer: Convolution, axis: int) -> Window:
    return layer.geometry.columns if axis else layer.geometry.rows


def _taps(window: Window, coarse: Array, fine: Array) -> Array:
    """Whether the window of a `coarse` position covers a `fine` position: fine = s·coarse − pad + dilation·i."""
    distance = fine - coarse * window.stride + window.pad
    found: Array = (distance >= 0) & (distance < window.extent) & (distance % window.dilation == 0)
    return found


def measured(net: Net, blob: str, position: tuple[int, int], picture: Array) -> Array:
    """H×W: the size of the gradient of one position of `blob`, summed over its channels, for each pixel of `picture`.

    `picture` is 1×C×H×W. The size is the sum of the absolute values over its channels. Computed on the reference path:
    the rounding of the fast path's Winograd convolutions leaves small values outside the field. Raises as `place` does.
    """
    origin = place(net.spec, blob).origin
    if net.sized:
        # Layers that do not lead to the blob need not fit the picture.
        layers = pruned(net.spec, blob)
        net = Net(layers, path="plain", dtype=net.dtype.name, shared=net.params)
    out = net.forward({origin: picture}, keep=[blob, origin], outputs=[blob])[blob]
    _check_position(blob, position, out.shape)
    seed = np.zeros_like(out)
    seed[:, :, position[0], position[1]] = 1
    net.backward({blob: seed}, wrt=[origin])
    found: Array = np.abs(net.grads[origin]).sum(axis=(0, 1), dtype=np.float64)
    return found


def measured_filter(spec: NetSpec, blob: str, position: tuple[int, int], shape: Shape) -> Array:
    """H×W booleans: the pixels with a gradient that is not zero in `filters_only`, for a picture of this shape."""
    net = filters_only(spec, blob)
    origin = place(net.spec, blob).origin
    net.forward({origin: np.zeros(shape)}, outputs=[blob])  # makes the parameters
    for parameters in net.params.values():
        for parameter in parameters:
            parameter.data[...] = 1 / max(1, parameter.data[0].size)
    return measured(net, blob, position, np.zeros(shape)) > 0


def bounds(mask: Array) -> tuple[int, int, int, int]:
    """First and last row, first and last column of the True values of `mask`. Raises `ShapeError` if there are none."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        raise ShapeError("the receptive field is empty: the position sees only padding; choose one nearer the middle.")
    return int(rows[0]), int(rows[-1]), int(columns[0]), int(columns[-1])


def window_of(placement: Placement, position: int) -> tuple[Fraction, Fraction]:
    """The first and the last pixel of a position's receptive field along one axis, not clipped to the picture."""
    centre, half = placement.stride * position + placement.offset, (placement.field - 1) / 2
    return centre - half, centre + half


def interior(placement: Placement, positions: int, size: int) -> list[int]:
    """The positions whose receptive field is inside a picture of `size` pixels: no pad takes part in them."""
    return [
        each
        for each in range(positions)
        if window_of(placement, each)[0] >= 0 and window_of(placement, each)[1] <= size - 1
    ]


def layer_filters(spec: NetSpec, blob: str) -> Iterable[tuple[str, int, int, int, int]]:
    """For each convolution and pooling on the way to `blob`: its top, kernel, stride, and those of the composition."""
    total = (1, 1)
    for layer in pruned(spec, blob):
        found = links([layer], 0)[0][2]
        if not layer.bottom or found is None or (found.field == 1 and found.stride == 1):
            continue
        here = int(found.field), int(found.stride)
        total = composed(here, total)
        yield (layer.top[0], *here, *total)


def period(spec: NetSpec, blob: str) -> tuple[int, int]:
    """The coarsest strides on the way to `blob`, for rows and columns: shifts by them keep the net's grids in place."""
    layers = pruned(spec, blob)
    found = []
    for axis in (0, 1):
        strides = [each.stride for _, each in placements(links(layers, axis)).values()]
        found.append(int(max(strides)))
    return found[0], found[1]

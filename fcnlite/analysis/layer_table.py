"""A net layer by layer: shapes, parameters, multiply-accumulates, strides and receptive fields, without its weights."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from fcnlite.arrays import Shape
from fcnlite.description.model_info import ModelInfo
from fcnlite.description.shapes import Placement, placements, show
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import ShapeError, SpecError
from fcnlite.graph.sizing import image_inputs
from fcnlite.layers import Layer, create, links
from fcnlite.net import Net
from fcnlite.text import columns

_BYTES = 4
"""The size of a float32."""


@dataclass(frozen=True)
class LayerRow:
    """One layer of the table."""

    name: str
    type: str
    shape: Shape
    """The shape of the first top."""
    parameters: int
    """The number of parameters, without those shared with a layer before it."""
    macs: int
    activations: int
    """The number of elements in the tops; 0 for tops written in place."""
    stride: str
    """The stride of the first top in pixels of the input."""
    field: str
    """The receptive field of the first top in pixels of the input."""


def input_shapes(spec: NetSpec, info: ModelInfo, size: tuple[int, int] | None, batch: int | None) -> dict[str, Shape]:
    """The shapes to feed: those that the description gives, with another height, width or batch size where given.

    Raises `ShapeError` for an input without a shape if there is no `size`, `SpecError` for a net without inputs.
    """
    fed: dict[str, Shape] = {}
    for name, shape in image_inputs([create(each, "TEST") for each in spec.for_phase("TEST")]).items():
        if shape is None and size is None:
            raise ShapeError(f"the description gives no shape for input {name!r}; give one with --size HxW.")
        # The preprocessing says how many channels an input without a shape takes.
        count, channels, *sides = (1, len(info.preprocessing.of(name).mean), 0, 0) if shape is None else shape
        if len(sides) != 2:
            raise ShapeError(f"input {name!r} has shape {show(shape or ())}; expected N×C×H×W.")
        fed[name] = (batch or count, channels, *(size or sides))
    if not fed:
        raise SpecError("no layer of the net computes with an input; add a layer of type Input.")
    return fed


def layer_rows(spec: NetSpec, fed: dict[str, Shape]) -> list[LayerRow]:
    """The layers that run on inputs of these shapes, inputs first. Infers shapes only and makes no weights.

    Raises `SpecError` and `ShapeError` as `Net` does.
    """
    net = Net(_without_input_shapes(spec))
    steps = net.shapes(fed)
    specs = [layer.spec for layer in net.layers]
    known = [placements(links(specs, axis)) for axis in (0, 1)]
    rows = [
        LayerRow(name, "Input", shape, 0, 0, math.prod(shape), *_place([each.get(name) for each in known]))
        for name, shape in fed.items()
    ]
    shared: set[str] = set()
    for layer, bottoms, tops in steps:
        made = [top for name, top in zip(layer.spec.top, tops, strict=True) if name not in layer.spec.bottom]
        first = layer.spec.top[0] if layer.spec.top else ""
        rows.append(
            LayerRow(
                layer.spec.name,
                layer.type,
                tops[0] if tops else (),
                _count_parameters(layer, bottoms, shared),
                layer.macs(bottoms, tops),
                sum(map(math.prod, made)),
                *_place([each.get(first) for each in known]),
            )
        )
    return rows


def sized(spec: NetSpec, fed: dict[str, Shape]) -> Net:
    """A net of `spec` whose parameters have sizes.

    Where the description gives no shape for an input, the net consists of the layers that run on inputs of the shapes
    `fed`.
    """
    net = Net(spec)
    if net.sized:
        return net
    inputs = (
        LayerSpec(name, "Input", top=(name,), options={"shape": [{"dim": list(shape)}]}) for name, shape in fed.items()
    )
    layers = (*inputs, *(layer.spec for layer, _, _ in net.shapes(fed)))
    return Net(dataclasses.replace(spec, layers=layers))


def table(rows: Sequence[LayerRow]) -> str:
    """The rows in columns under a heading."""
    cells = [("layer", "type", "top", "parameters", "MACs", "stride", "field")]
    for row in rows:
        work = scaled(row.macs) if row.macs else ""
        parameters = f"{row.parameters:,}" if row.parameters else ""
        cells.append((row.name, row.type, show(row.shape), parameters, work, row.stride, row.field))
    return columns(cells, "<<<>>>>")


def totals(rows: Sequence[LayerRow]) -> str:
    """The sums over all rows."""
    parameters = sum(row.parameters for row in rows)
    activations = _BYTES * sum(row.activations for row in rows)
    return (
        f"parameters   {parameters:,} ({scaled(_BYTES * parameters, 'B')})"
        f"\nMACs         {scaled(sum(row.macs for row in rows))}"
        f"\nactivations  {scaled(activations, 'B')} (all blobs at once, as training keeps them)"
    )


def _without_input_shapes(spec: NetSpec) -> NetSpec:
    """`spec` with inputs of any shape; its net makes no parameters before the first forward."""
    layers = (dataclasses.replace(each, options={}) if each.type == "Input" else each for each in spec)
    return dataclasses.replace(spec, layers=tuple(layers))


def _count_parameters(layer: Layer, bottoms: Sequence[Shape], shared: set[str]) -> int:
    """The number of the layer's parameters whose name is not in `shared`; adds their names to it."""
    count = 0
    for i, wanted in enumerate(layer.params(*bottoms)):
        name = layer.spec.param[i].name if i < len(layer.spec.param) else ""
        if name not in shared:
            count += math.prod(wanted.shape)
        if name:
            shared.add(name)
    return count


def _place(along: Sequence[tuple[str, Placement] | None]) -> tuple[str, str]:
    """Stride and receptive field, rows×columns where they differ."""
    places = [each[1] for each in along if each is not None]
    if len(places) < len(along):
        return "–", "–"
    return _both([place.stride for place in places]), _both([place.field for place in places])


def _both(values: Iterable[Fraction]) -> str:
    return "×".join(dict.fromkeys(map(str, values)))


def scaled(value: float, unit: str = "") -> str:
    """A number with a decimal prefix: 15.47 G."""
    if value < 1000:
        return f"{value:.0f} {unit}".rstrip()
    prefixes = iter("kMGTPE")
    prefix = ""
    while value >= 999.995:
        value /= 1000
        prefix = next(prefixes)
    return f"{value:.2f} {prefix}{unit}"

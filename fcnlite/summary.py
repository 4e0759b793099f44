"""`python -m fcnlite.summary`: a net layer by layer."""

from __future__ import annotations

import argparse
import dataclasses
import math
import re
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from fcnlite import models, surgery
from fcnlite._cli import parser as _cli
from fcnlite.arrays import Shape
from fcnlite.compiler import report
from fcnlite.description.shapes import Placement, placements, show
from fcnlite.description.spec import ModelInfo, NetSpec
from fcnlite.errors import FileError, ShapeError, SpecError, nearest
from fcnlite.graph.sizing import image_inputs
from fcnlite.layers import Layer, create, links
from fcnlite.loading import read_weights
from fcnlite.net import Net
from fcnlite.text import columns

_DESCRIPTION = """\
Show a net layer by layer, as it runs in the TEST phase: the shape of the first top, parameters,
multiply-accumulates (MACs), and the stride and receptive field of the first top in pixels of the input. With --plan
show how the fast path computes it: what each pass of the compiler did, and the time of each step on this machine;
GFLOP/s count the products that are done, those that only fill a block too; Winograd's way has fewer than the MACs."""

_EXAMPLES = """\
  python -m fcnlite.summary voc-fcn8s
  python -m fcnlite.summary lite-fcn8s --classes 11 --width 0.25 --size 360x480
  python -m fcnlite.summary net.prototxt weights.caffemodel
  python -m fcnlite.summary camvid.h5 --size 720x960 --batch 4
  python -m fcnlite.summary voc-fcn8s --size 500x500 --plan"""

BYTES = 4
"""Of a float32."""


@dataclass(frozen=True)
class Row:
    """One layer."""

    name: str
    type: str
    shape: Shape
    """Of the first top."""
    parameters: int
    """Those that no layer before it shares."""
    macs: int
    activations: int
    """Elements of the tops; 0 for what is written in place."""
    stride: str
    field: str


def summarize(spec: NetSpec, fed: dict[str, Shape]) -> list[Row]:
    """The layers that run on inputs of these shapes, inputs first. Computes shapes only and makes no weights.

    Raises `SpecError` and `ShapeError` as `Net` does.
    """
    net = Net(_without_input_shapes(spec))
    steps = net.shapes(fed)
    specs = [layer.spec for layer in net.layers]
    known = [placements(links(specs, axis)) for axis in (0, 1)]
    rows = [
        Row(name, "Input", shape, 0, 0, math.prod(shape), *_place([each.get(name) for each in known]))
        for name, shape in fed.items()
    ]
    shared: set[str] = set()
    for layer, bottoms, tops in steps:
        made = [top for name, top in zip(layer.spec.top, tops, strict=True) if name not in layer.spec.bottom]
        first = layer.spec.top[0] if layer.spec.top else ""
        rows.append(
            Row(
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


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_intermixed_args(arguments)
    _cli.check_environment()
    spec, info = _describe(options)
    fed = _input_shapes(spec, info, options.size, options.batch)
    if options.plan:
        print(_plan(spec, options.weights or options.net, fed))
        return
    rows = summarize(spec, fed)
    print(_table(rows))
    print(_totals(rows))
    for name in fed:
        print(f"{name:12} fed as {info.preprocessing.of(name)}")
    if options.weights is not None:
        print(_check_weights(spec, options.weights))


def _parser() -> argparse.ArgumentParser:
    parser = _cli.parser("summary", _DESCRIPTION, _EXAMPLES)
    words = f"a prototxt, a weight file (.h5) or a model: {', '.join(models.names())}"
    parser.add_argument("net", metavar="NET", help=words)
    words = "a .caffemodel or .h5, to see whether it fits the net"
    parser.add_argument("weights", metavar="WEIGHTS", nargs="?", help=words)
    parser.add_argument("--classes", type=_cli.positive, metavar="N", help="classes, for a model by name")
    words = "factor on the channel counts, for a model by name"
    parser.add_argument("--width", type=float, metavar="FACTOR", help=words)
    words = "height and width of the input (default: as described)"
    parser.add_argument("--size", type=_size, metavar="HxW", help=words)
    words = "pictures at a time (default: as described)"
    parser.add_argument("--batch", type=_cli.positive, metavar="N", help=words)
    words = "how the fast path computes the net, step by step, with predicted and measured times"
    parser.add_argument("--plan", action="store_true", help=words)
    return parser


def _plan(spec: NetSpec, weights: str, fed: dict[str, Shape]) -> str:
    """What the compiler made of the net, and how long each step takes, on a picture of noise."""
    net = Net(spec)
    surgery.interp(net)  # as in every trained net; the plan looks at these weights
    if Path(weights).suffix in (".h5", ".hdf5", ".caffemodel"):
        surgery.transplant(net, read_weights(weights))
    rng = np.random.default_rng(0)
    feeds = {name: rng.normal(0, 50, shape).astype(np.float32) for name, shape in fed.items()}
    began = time.perf_counter()
    net.forward(feeds)
    first = time.perf_counter() - began
    plan = net.plan(fed)
    seconds = report.measure(plan, feeds)
    ready = f"first pass, in which weights are prepared: {first:.2f} s; later ones: {sum(seconds):.3f} s"
    return f"{report.passes(plan)}\n\n{report.steps(plan, seconds)}\n{ready}"


def _size(text: str) -> tuple[int, int]:
    """Height and width, for argparse."""
    match = re.fullmatch(r"([1-9]\d{0,5})[x×]([1-9]\d{0,5})", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no height and width; expected HxW, such as 360x480")
    return int(match[1]), int(match[2])


def _describe(options: argparse.Namespace) -> tuple[NetSpec, ModelInfo]:
    """The net that is asked for: a model by name, a weight file's or a prototxt's."""
    from fcnlite.formats import caffe, storage

    if options.net in models.names():
        width = 1.0 if options.width is None else options.width
        return models.describe(options.net, classes=options.classes, width=width), ModelInfo()
    path = Path(options.net)
    if not path.suffix and not path.exists():
        raise FileError(f"{path}: is neither a file nor a model; {nearest(options.net, models.names())}")
    if options.classes is not None or options.width is not None:
        raise SpecError(f"{path}: --classes and --width are for models by name; a file has its own.")
    if path.suffix in (".h5", ".hdf5") or storage.is_weight_file(path):
        content = storage.load(path)
        return content.spec, content.info
    weights = {} if options.weights is None else read_weights(options.weights)
    spec = caffe.with_scales(caffe.read_net(path), weights)
    return spec, ModelInfo(preprocessing=caffe.feeding(spec, path, weights).preprocessing)


def _input_shapes(spec: NetSpec, info: ModelInfo, size: tuple[int, int] | None, batch: int | None) -> dict[str, Shape]:
    """The shapes to feed: the described ones, pictures with another size and batch where asked."""
    fed: dict[str, Shape] = {}
    for name, shape in image_inputs([create(each, "TEST") for each in spec.for_phase("TEST")]).items():
        if shape is None and size is None:
            raise ShapeError(f"the description gives no shape for input {name!r}; give one with --size HxW.")
        # Where nothing is described, a picture as the preprocessing makes it.
        count, channels, *sides = (1, len(info.preprocessing.of(name).mean), 0, 0) if shape is None else shape
        if len(sides) != 2:
            raise ShapeError(f"input {name!r} has shape {show(shape or ())}; expected N×C×H×W.")
        fed[name] = (batch or count, channels, *(size or sides))
    if not fed:
        raise SpecError("the net has no input that a layer computes with; add a layer of type Input.")
    return fed


def _without_input_shapes(spec: NetSpec) -> NetSpec:
    """`spec` with inputs of any shape: a net of it makes no parameters before its first forward."""
    layers = (dataclasses.replace(each, options={}) if each.type == "Input" else each for each in spec)
    return dataclasses.replace(spec, layers=tuple(layers))


def _count_parameters(layer: Layer, bottoms: Sequence[Shape], shared: set[str]) -> int:
    """The layer's parameters without those whose name is in `shared`; adds its own names there."""
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


def _table(rows: Sequence[Row]) -> str:
    """The rows under a heading, in columns; numbers to the right."""
    cells = [("layer", "type", "top", "parameters", "MACs", "stride", "field")]
    for row in rows:
        work = _scaled(row.macs) if row.macs else ""
        parameters = f"{row.parameters:,}" if row.parameters else ""
        cells.append((row.name, row.type, show(row.shape), parameters, work, row.stride, row.field))
    return columns(cells, "<<<>>>>")


def _totals(rows: Sequence[Row]) -> str:
    parameters = sum(row.parameters for row in rows)
    activations = BYTES * sum(row.activations for row in rows)
    return (
        f"\nparameters   {parameters:,} ({_scaled(BYTES * parameters, 'B')})"
        f"\nMACs         {_scaled(sum(row.macs for row in rows))}"
        f"\nactivations  {_scaled(activations, 'B')} (all blobs at once, as training keeps them)"
    )


def _scaled(value: float, unit: str = "") -> str:
    """A number with a decimal prefix: 15.47 G."""
    if value < 1000:
        return f"{value:.0f} {unit}".rstrip()
    prefixes = iter("kMGTPE")
    prefix = ""
    while value >= 999.995:
        value /= 1000
        prefix = next(prefixes)
    return f"{value:.2f} {prefix}{unit}"


def _check_weights(spec: NetSpec, weights: str) -> str:
    """Which parameters the file has for the net and which not. Raises `ShapeError` if one does not fit."""
    transfers = surgery.transplant(Net(spec), read_weights(weights))
    wrong = [each for each in transfers if each.outcome == "shape differs"]
    if wrong:
        raise ShapeError(f"{weights}: {len(wrong)} parameters do not fit the net, the first is {wrong[0]}.")
    taken = sum(each.outcome in ("taken", "coerced") for each in transfers)
    lines = [f"\nweights      {taken} parameters of {weights} fit the net"]
    lines += [f"  {each}" for each in transfers if each.outcome not in ("taken", "coerced")]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(_cli.run(main))

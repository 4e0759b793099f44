"""`python -m fcnlite.summary`: a net layer by layer."""

from __future__ import annotations

import argparse
import dataclasses
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fcnlite import models, surgery
from fcnlite._cli.json_output import add_json, check_target, write_json
from fcnlite._cli.parser import command_parser, positive
from fcnlite._cli.running import check_environment, run_command
from fcnlite.analysis import layer_table, model_card
from fcnlite.arrays import Shape
from fcnlite.compiler import report
from fcnlite.data.annotations.json_files import read_json
from fcnlite.description.model_info import ModelInfo
from fcnlite.description.spec import NetSpec
from fcnlite.errors import FileError, ShapeError, SpecError, nearest
from fcnlite.formats import caffe, storage
from fcnlite.loading import read_weights

_DESCRIPTION = """\
Show a net layer by layer, as it runs in phase TEST: the shape of the first top, the parameters, the
multiply-accumulates (MACs), and the stride and receptive field of the first top in pixels of the input.

--plan shows instead how the fast path computes the net: what each pass of the compiler did, and the time
of each step on this machine. GFLOP/s count the products that a step computes, including those that only
fill up a block; Winograd convolutions compute fewer products than the layer has MACs."""

_EXAMPLES = """\
  python -m fcnlite.summary voc-fcn8s
  python -m fcnlite.summary lite-fcn8s --classes 11 --width 0.25 --size 360x480
  python -m fcnlite.summary net.prototxt weights.caffemodel
  python -m fcnlite.summary camvid.h5 --size 720x960 --batch 4
  python -m fcnlite.summary voc-fcn8s --size 500x500 --plan
  python -m fcnlite.summary camvid.h5 --card --results camvid.json"""


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_intermixed_args(arguments)
    check_environment()
    _check(options)
    spec, info = _describe(options)
    fed = layer_table.input_shapes(spec, info, options.size, options.batch)
    if options.plan:
        print(_plan(spec, options.weights or options.net, fed))
        return
    rows = layer_table.layer_rows(spec, fed)
    if options.card:
        print(_card(options, info, fed, rows), end="")
        return
    fit = _fit(spec, fed, options.weights) if options.weights is not None else []
    write_json(options.json, "summary/1", {"net": options.net, **_values(info, fed, rows)})
    if options.json == "-":
        return
    print(layer_table.table(rows))
    print()
    print(layer_table.totals(rows))
    for name in fed:
        print(f"{name:12} fed as {info.preprocessing.of(name)}")
    for line in fit:
        print(line)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("summary", _DESCRIPTION, _EXAMPLES)
    words = f"a prototxt, a weight file (.h5) or a model: {', '.join(models.names())}"
    parser.add_argument("net", metavar="NET", help=words)
    words = "a .caffemodel or .h5: check whether its parameters fit the net"
    parser.add_argument("weights", metavar="WEIGHTS", nargs="?", help=words)
    parser.add_argument("--classes", type=positive, metavar="N", help="number of classes, for a model by name")
    words = "factor on the channel counts, for a model by name"
    parser.add_argument("--width", type=float, metavar="FACTOR", help=words)
    words = "height and width of the input (default: as described)"
    parser.add_argument("--size", type=_size, metavar="HxW", help=words)
    words = "number of pictures in a batch (default: as described)"
    parser.add_argument("--batch", type=positive, metavar="N", help=words)
    words = "show how the fast path computes the net, step by step, with predicted and measured times"
    parser.add_argument("--plan", action="store_true", help=words)
    words = "print a model card in Markdown: what the weight file is, how it was trained and measured"
    parser.add_argument("--card", action="store_true", help=words)
    words = "with --card: files of `evaluate --json`, whose figures the card shows"
    parser.add_argument("--results", metavar="FILE.json", nargs="+", default=[], help=words)
    add_json(parser, "the layers and the totals")
    return parser


def _check(options: argparse.Namespace) -> None:
    """Refuse options that contradict each other."""
    check_target(options.json)
    if options.results and not options.card:
        raise SpecError("--results goes with --card, which shows them; add that.")
    if options.plan and options.json:
        raise SpecError("--json has the layers, and --plan shows the steps of the fast path; leave one out.")
    for other in ("plan", "json", "weights"):
        if options.card and getattr(options, other):
            raise SpecError(
                f"--card prints a page of its own; leave out {'WEIGHTS' if other == 'weights' else f'--{other}'}."
            )


def _values(info: ModelInfo, fed: dict[str, Shape], rows: Sequence[layer_table.LayerRow]) -> dict[str, Any]:
    """The layers and the totals as JSON values."""
    return {
        "inputs": {
            name: {"shape": list(shape), "fed_as": str(info.preprocessing.of(name))} for name, shape in fed.items()
        },
        "classes": list(info.classes or ()),
        "parameters": sum(row.parameters for row in rows),
        "macs": sum(row.macs for row in rows),
        "layers": [dataclasses.asdict(row) for row in rows],
    }


def _card(
    options: argparse.Namespace, info: ModelInfo, fed: dict[str, Shape], rows: Sequence[layer_table.LayerRow]
) -> str:
    """The model card of a weight file. Raises `FileError` and `DataError`, which name the file, for bad results."""
    if not storage.is_weight_file(options.net):
        raise FileError(f"{options.net}: is not a weight file of fcnlite (.h5), which --card describes.")
    judged = [read_json(Path(each)) for each in options.results]
    return model_card.card(Path(options.net), info, fed, rows, dict(zip(options.results, judged, strict=True)))


def _size(text: str) -> tuple[int, int]:
    """An argument type: height and width."""
    match = re.fullmatch(r"([1-9]\d{0,5})[x×]([1-9]\d{0,5})", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a height and width; expected HxW, such as 360x480")
    return int(match[1]), int(match[2])


def _describe(options: argparse.Namespace) -> tuple[NetSpec, ModelInfo]:
    """The description of a model by name, of a weight file or of a prototxt."""
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
    spec = caffe.with_bn_variants(caffe.with_scales(caffe.read_net(path), weights), weights)
    return spec, ModelInfo(preprocessing=caffe.feeding(spec, path, weights).preprocessing)


def _plan(spec: NetSpec, weights: str, fed: dict[str, Shape]) -> str:
    """The compiler's plan of the net with the time of each step, measured on noise."""
    net = layer_table.sized(spec, fed)
    surgery.interp(net, surgery.zero_upsampling(net))  # as in every trained net: some passes look at these weights
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


def _fit(spec: NetSpec, fed: dict[str, Shape], weights: str) -> list[str]:
    """The number of parameters of the file that fit the net, and the others. Raises `ShapeError` for another shape."""
    transfers = surgery.transplant(layer_table.sized(spec, fed), read_weights(weights))
    wrong = [each for each in transfers if each.outcome == "shape differs"]
    if wrong:
        raise ShapeError(f"{weights}: {len(wrong)} parameters do not fit the net, the first is {wrong[0]}.")
    taken = sum(each.outcome in ("taken", "coerced") for each in transfers)
    lines = [f"\nweights      {taken} parameters of {weights} fit the net"]
    return lines + [f"  {each}" for each in transfers if each.outcome not in ("taken", "coerced")]


if __name__ == "__main__":
    sys.exit(run_command(main))

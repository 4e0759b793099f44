"""`python -m fcnlite.convert`: classifiers into FCNs, coarse FCNs into finer ones, by layer name."""

from __future__ import annotations

import argparse
import re
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fcnlite import models, surgery
from fcnlite._cli import parser as _cli
from fcnlite.data.palette import voc_colors
from fcnlite.description.fillers import Filler
from fcnlite.description.model_info import ModelInfo
from fcnlite.description.shapes import Shape, show
from fcnlite.description.spec import NetSpec
from fcnlite.errors import FileError, ShapeError, SpecError
from fcnlite.formats import caffe
from fcnlite.loading import load, read_weights, refuse_too_many, set_preprocessing
from fcnlite.net import Net
from fcnlite.segmentation.heads import default_classes
from fcnlite.surgery import Transfer

_DESCRIPTION = """\
Make a net of another kind from weights: a fully convolutional net from a classifier's, a finer FCN
from a coarser one's. Parameters are copied by layer name and the channel counts are those of the
weights; inner products become convolutions; scores that the weights do not have start at zero,
upsampling is bilinear. What became of each layer is printed.

WEIGHTS may be Caffe's (.caffemodel, .caffemodel.h5), ours (.h5), or VGG-16 from Keras (.h5, channels
last) or torchvision (.safetensors). nyud-fcn32s-color-hha takes two files, for color and for HHA;
one alone starts both trunks. voc-fcn-alexnet pools before it normalises, as CaffeNet does; AlexNet's
weights fit it too, but were trained the other way round."""

_EXAMPLES = """\
  python -m fcnlite.convert VGG_ILSVRC_16_layers.caffemodel -o fcn32s.h5 --to voc-fcn32s
  python -m fcnlite.convert fcn32s.h5 -o fcn16s.h5 --to voc-fcn16s
  python -m fcnlite.convert fcn8s.h5 -o fcn8s-60.h5 --to pascalcontext-fcn8s --classes 60
  python -m fcnlite.convert vgg16.safetensors -o heat.h5 --to vgg16 --keep-classifier
  python -m fcnlite.convert mine.caffemodel -o heat.h5 --net deploy.prototxt
  python -m fcnlite.convert color.h5 hha.h5 -o both.h5 --to nyud-fcn32s-color-hha"""

_CLASSIFIERS = ("lenet", "alexnet", "caffenet", "vgg16", "googlenet")
_OTHER_TRUNKS = {"voc-fcn-alexnet": "caffenet", "voc-fcn-googlenet": "googlenet"}
"""FCNs by the classifiers that their trunks come from, where that is not VGG-16."""
_LATE_FUSION = "nyud-fcn32s-color-hha"
_SUFFIXES = ("color", "hha")
"""Of the layers of late fusion's two trunks."""
_FIRST_WITH_DEPTH = "conv1_1_bgrd"
"""The layer that conv1_1 becomes where the net takes depth as a fourth channel."""
_PICKLES = (".pth", ".pt", ".bin", ".pkl")

_OUTCOMES = {"unused": "dropped"}
"""Words of the table where `Transfer` has others."""


@dataclass(frozen=True)
class Source:
    """What a file brings."""

    weights: dict[str, list[np.ndarray]]
    info: ModelInfo | None = None
    """None where the file does not tell: Caffe's."""
    note: str = ""
    """What to know of the weights, in a sentence."""


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    _cli.check_environment()
    _check(options)
    sources = [_read(path) for path in options.weights]
    origin = " and ".join(options.weights)
    if options.net is not None:
        with warnings.catch_warnings():
            # Where such a layer matters, an error says so.
            warnings.filterwarnings("ignore", message=".*unknown type")
            described = load(options.net)
        source = sources[0]
        if source.info is None:
            preprocessing = caffe.feeding(described.spec, options.net, source.weights).preprocessing
            source = replace(source, info=ModelInfo(preprocessing=preprocessing))
        with _naming(options.net, origin):
            net, transfers = dense(described.spec, source, origin)
    elif options.keep_classifier:
        classifier = _classifier_of(options.to)
        with _naming(origin):
            net, transfers = dense(_described(classifier, None, sources[0].weights), sources[0], origin)
    else:
        with _naming(origin):
            net, transfers = converted(options.to, options.classes, sources, origin)
    record = {**net.info.record, "converted from": [Path(path).name for path in options.weights]}
    preprocessing = set_preprocessing(net.info.preprocessing, **_cli.preprocessing_of(options))
    net.info = replace(net.info, record=record, preprocessing=preprocessing)
    net.save(options.out)
    print(_table(net, transfers))
    print(f"pictures are fed as {preprocessing}")
    for note in dict.fromkeys(source.note for source in sources if source.note):
        print(note)


@contextmanager
def _naming(*files: str) -> Iterator[None]:
    """Within the block errors of what does not fit begin with the names of the files, or of one of them."""
    try:
        yield
    except (ShapeError, SpecError) as error:
        if str(error).startswith(files):
            raise
        raise type(error)(f"{' with '.join(files)}: {error}") from error


def _parser() -> argparse.ArgumentParser:
    parser = _cli.parser("convert", _DESCRIPTION, _EXAMPLES)
    parser.add_argument("weights", metavar="WEIGHTS", nargs="+", help="the weights to start from")
    parser.add_argument("-o", "--out", metavar="FILE.h5", required=True, help="the weight file to write")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--to", metavar="MODEL", help=f"the net to make: {', '.join(models.names())}")
    words = "a classifier's description: makes it fully convolutional, with its classifier, other nets than ours too"
    target.add_argument("--net", metavar="PROTOTXT", help=words)
    words = (
        "classes to score, for two heads N,M (default: as the weights have them, else as published); more than the "
        "weights have: their scores are kept, those of the new classes start at zero"
    )
    parser.add_argument("--classes", type=_counts, metavar="N", help=words)
    words = "keep the classifier, fully convolutional: a map of its scores, no upsampling, pads as the classifier's"
    parser.add_argument("--keep-classifier", action="store_true", help=words)
    _cli.add_preprocessing(parser)
    return parser


def _counts(text: str) -> tuple[int, ...]:
    """One number of classes, or two, for argparse."""
    if not re.fullmatch(r"[1-9]\d{0,6}(,[1-9]\d{0,6})?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of classes; expected N, or N,M for two heads")
    return tuple(map(int, text.split(",")))


def _check(options: argparse.Namespace) -> None:
    """Refuse what does not go together before the long work."""
    if Path(options.out).suffix not in (".h5", ".hdf5"):
        raise FileError(f"{options.out}: weight files end in .h5; choose another name.")
    most = 2 if options.to == _LATE_FUSION else 1
    if len(options.weights) > most:
        raise SpecError(
            f"there are {len(options.weights)} files of weights; expected one, or two (color, then HHA) for "
            f"{_LATE_FUSION}."
        )
    if options.to is not None:
        models.describe(options.to)  # refuses an unknown name
    dense = options.net is not None or options.keep_classifier or options.to in _CLASSIFIERS
    if dense and options.classes is not None:
        raise SpecError("--classes is for the scores of an FCN; a classifier has its own.")


def _read(path: str) -> Source:
    """The parameters in a file of any kind that we know."""
    from fcnlite.formats import storage
    from fcnlite.formats.interop import keras, torchvision

    if Path(path).suffix in _PICKLES:
        raise FileError(
            f"{path}: looks like a pickle, which could run anything; "
            "save its state_dict with safetensors.torch.save_file and give that file."
        )
    if Path(path).suffix == ".safetensors":
        return Source(torchvision.read_weights(path), ModelInfo(), _TORCHVISION)
    if storage.is_weight_file(path):
        content = storage.load(path)
        return Source(content.params, content.info)
    if keras.is_weight_file(path):
        return Source(keras.read_weights(path), ModelInfo(), _KERAS)
    weights = {name: list(map(np.asarray, arrays)) for name, arrays in read_weights(path).items()}
    if not weights:
        raise FileError(f"{path}: its layers hold no parameters; it was saved without its weights, get the full file.")
    return Source(weights)


_TORCHVISION = """\
torchvision's preprocessing is folded into conv1_1: the net takes BGR minus Caffe's mean. Exact for all values that see
no zero padding; for the others, padding is Caffe's mean color instead of torchvision's, up to a level of 255 apart."""
_KERAS = """\
Keras' VGG-16 takes BGR minus a mean, as Caffe's does, so nothing is folded; the means are a level of 255 apart."""


def dense(spec: NetSpec, source: Source, origin: str) -> tuple[Net, list[Transfer]]:
    """The classifier `spec`, fully convolutional, with all its parameters from `source`."""
    spec, weights = surgery.fully_convolutional(caffe.with_scales(spec, source.weights), source.weights)
    net = Net(spec, info=source.info)
    refuse_too_many(net, weights, origin)
    transfers = _transplanted(net, weights, origin)
    missing = [each for each in transfers if each.outcome == "left"]
    if missing:
        which = "bias" if missing[0].index else "weight"
        raise ShapeError(f"{origin}: has no {which} for {missing[0].layer!r}, which the classifier needs.")
    # `fully_convolutional` has reshaped what the file holds otherwise.
    found = {(name, i): array.shape for name, arrays in source.weights.items() for i, array in enumerate(arrays)}
    return net, [_as_found(each, found.get((each.layer, each.index))) for each in transfers]


def _as_found(transfer: Transfer, found: Shape | None) -> Transfer:
    if found == transfer.found or found is None:
        return transfer
    return replace(transfer, found=found, outcome="coerced" if transfer.outcome == "taken" else transfer.outcome)


def converted(
    name: str, classes: tuple[int, ...] | None, sources: Sequence[Source], origin: str
) -> tuple[Net, list[Transfer]]:
    """The net that `models` calls `name`, with what the sources have for it."""
    weights = _renamed(name, [source.weights for source in sources])
    heads = _heads(models.describe(name))
    before = {count: _rows(layers, weights, origin) for count, layers in heads.items()}
    if name not in _CLASSIFIERS and classes is None:
        classes = tuple(rows or count for count, rows in before.items())
    for rows, count in zip(before.values(), classes or (), strict=False):
        if rows is not None and rows > count:
            raise ShapeError(
                f"{origin}: scores {rows} classes, of which --classes {count} would lose some; expected at least "
                f"{rows} (to learn other classes instead, train with --init)."
            )
    net = Net(_described(name, classes, weights), info=sources[0].info)
    if classes is not None:
        net.info = _relabelled(net.info, next(iter(before.values())), classes[0])
    transfers = _transplanted(net, weights, origin)
    if _FIRST_WITH_DEPTH in weights and "conv1_1" in sources[0].weights:
        transfers = [_with_depth(each, sources[0].weights["conv1_1"]) for each in transfers]
    return net, transfers


def _renamed(name: str, given: Sequence[Mapping[str, list[np.ndarray]]]) -> dict[str, list[np.ndarray]]:
    """The weights under the names that the net has for them: of late fusion's trunks, of a first layer with depth."""
    layers = {layer.name for layer in models.describe(name)}
    found: dict[str, list[np.ndarray]] = {}
    suffixes = _SUFFIXES if name == _LATE_FUSION else ("",)
    for i, suffix in enumerate(suffixes):
        for layer, arrays in given[min(i, len(given) - 1)].items():
            found.setdefault(layer + suffix if layer + suffix in layers else layer, arrays)
    if _FIRST_WITH_DEPTH in layers and _FIRST_WITH_DEPTH not in found and "conv1_1" in found:
        weight, *bias = found.pop("conv1_1")
        found[_FIRST_WITH_DEPTH] = [surgery.add_depth(weight), *bias]
    return found


def _with_depth(transfer: Transfer, first: Sequence[np.ndarray]) -> Transfer:
    """For the first layer's weight, what the file has: three channels, to which depth was added."""
    if (transfer.layer, transfer.index) != (_FIRST_WITH_DEPTH, 0):
        return transfer
    return replace(transfer, found=first[0].shape, outcome="expanded")


def _classifier_of(name: str) -> str:
    """The classifier whose layers the net `name` has."""
    if name in _CLASSIFIERS:
        return name
    if "fc6" not in {layer.name for layer in models.describe(name)} and name not in _OTHER_TRUNKS:
        raise SpecError(f"{name} comes from no classifier that --keep-classifier could keep; give --to vgg16.")
    return _OTHER_TRUNKS.get(name, "vgg16")


def _described(name: str, classes: tuple[int, ...] | None, weights: surgery.Weights) -> NetSpec:
    """The description at the width of the weights."""
    width = 1.0
    for layer in models.describe(name):
        if layer.type == "Convolution" and layer.name in weights and weights[layer.name]:
            width = np.shape(weights[layer.name][0])[0] / layer.options["num_output"]
            break
    return surgery.fit(models.describe(name, classes=classes, width=width), weights)


def _heads(spec: NetSpec) -> dict[int, list[str]]:
    """The score layers of each head, by the number of classes that it scores."""
    heads: dict[int, list[str]] = {}
    for layer in spec:
        if layer.type == "Convolution" and layer.name.startswith("score"):
            heads.setdefault(layer.options["num_output"], []).append(layer.name)
    return heads


def _rows(layers: Sequence[str], weights: surgery.Weights, origin: str) -> int | None:
    """The classes that these score layers have in the weights; None if they are not there."""
    rows = {len(weights[layer][0]) for layer in layers if layer in weights}
    if len(rows) > 1:
        raise ShapeError(f"{origin}: the score layers have {sorted(rows)} classes; expected as many in all of them.")
    return next(iter(rows), None)


def _relabelled(info: ModelInfo, before: int | None, count: int) -> ModelInfo:
    """`info` for `count` classes: names and colors of the classes that were scored before come first."""
    classes = info.classes if len(info.classes) == before else ()
    colors = info.colors if len(info.colors) == before else ()
    classes = classes and classes + default_classes(count)[len(classes) :]
    return replace(info, classes=classes, colors=colors and colors + voc_colors(count)[len(colors) :])


def _transplanted(net: Net, weights: surgery.Weights, origin: str) -> list[Transfer]:
    """Put the weights into the net, expand scores and fill the rest. Raises `ShapeError` for what contradicts."""
    transfers = surgery.transplant(net, weights)
    if not any(each.outcome in ("taken", "coerced") for each in transfers):
        raise ShapeError(
            f"{origin}: none of its {len(weights)} layers ({', '.join([*weights][:3])}, ...) fits a layer of "
            f"{net.spec.name!r}; check that these weights are of this kind of net."
        )
    types = {layer.spec.name: layer.type for layer in net.layers}
    differing = {each.layer: each for each in transfers if each.outcome == "shape differs"}
    scores = [name for name in differing if name.startswith("score") and types[name] == "Convolution"]
    expanded = {(each.layer, each.index): each for each in surgery.expand_score(net, weights, scores)}
    transfers = [expanded.get((each.layer, each.index), each) for each in transfers]
    # Upsampling has nothing to keep: it is bilinear, for however many classes.
    transfers = [
        replace(each, outcome="left") if each.layer in differing and types[each.layer] == "Deconvolution" else each
        for each in transfers
    ]
    for each in transfers:
        if each.outcome == "shape differs":
            raise ShapeError(f"{origin}: does not fit {net.spec.name!r}: {each}; check that they belong together.")
    left = [each.layer for each in transfers if each.outcome == "left" and each.index == 0]
    surgery.interp(net, [name for name in left if types[name] == "Deconvolution"])
    surgery.fill(net, [name for name in left if _starts_by_msra(net, name)], Filler("msra"))
    return transfers


def _starts_by_msra(net: Net, name: str) -> bool:
    """Whether a layer computes features and its description does not say how it starts, as in `models.build`."""
    layer = net.spec.layer(name)
    return (
        layer.type in ("Convolution", "InnerProduct")
        and "weight_filler" not in layer.options
        and not name.startswith(("score", "fc8"))
    )


def _table(net: Net, transfers: Sequence[Transfer]) -> str:
    """One line for each layer and one that counts."""
    types = {layer.spec.name: layer.type for layer in net.layers}
    by_layer: dict[str, list[Transfer]] = {}
    for each in transfers:
        by_layer.setdefault(each.layer, []).append(each)
    cells = [("layer", "type", "shapes", "outcome")]
    for name, parts in by_layer.items():
        outcomes = dict.fromkeys(_outcome(net, each, types) for each in parts)
        cells.append((name, types.get(name, "–"), _shapes(parts), ", ".join(outcomes)))
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(f"{cell:{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    counts = Counter(_OUTCOMES.get(each.outcome, each.outcome) for each in transfers)
    counted = [f"{counts[word]} {word}" for word in ("taken", "coerced", "expanded", "dropped")]
    lines.append(f"\n{len(transfers)} parameters: {', '.join(counted)}, {counts['left']} left at their fillers")
    return "\n".join(lines)


def _outcome(net: Net, transfer: Transfer, types: Mapping[str, str]) -> str:
    if transfer.outcome != "left":
        return _OUTCOMES.get(transfer.outcome, transfer.outcome)
    options: Mapping[str, Any] = net.spec.layer(transfer.layer).options
    filler = options.get("bias_filler" if transfer.index else "weight_filler", {}).get("type")
    if types[transfer.layer] == "Deconvolution":
        filler = "bilinear"
    elif not net.params[transfer.layer][transfer.index].array.any():
        filler = "zero"
    return f"left: {filler or 'msra'}"


def _shapes(parts: Sequence[Transfer]) -> str:
    """Of weight and bias in the file, and in the net where they differ."""
    found = ", ".join(show(each.found) for each in parts if each.found is not None)
    wanted = ", ".join(show(each.wanted) for each in parts if each.wanted is not None)
    return " → ".join(dict.fromkeys(each for each in (found, wanted) if each))


if __name__ == "__main__":
    sys.exit(_cli.run(main))

"""`python -m fcnlite.convert`: classifiers into FCNs, coarse FCNs into finer ones, by layer name."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from fcnlite import models
from fcnlite._cli.json_output import add_json, check_target, write_json
from fcnlite._cli.net_options import add_preprocessing, preprocessing_settings
from fcnlite._cli.parser import command_parser
from fcnlite._cli.running import check_environment, run_command
from fcnlite.errors import FileError, ShapeError, SpecError
from fcnlite.formats import storage
from fcnlite.formats.sources import WeightSource, read_source
from fcnlite.loading import load, set_preprocessing
from fcnlite.models import conversion
from fcnlite.net import Net
from fcnlite.surgery import Transfer, outcomes

_DESCRIPTION = """\
Make a net from the weights of another one: a fully convolutional net from a classifier, or a finer FCN
from a coarser one. Parameters are copied by layer name, and the net gets the channel counts of the
weights. Inner products become convolutions, score layers that the weights lack start at zero, and
upsampling is bilinear. A table shows what became of each layer.

--store float16 halves the size of the weight file; alone, without --to and --net, it keeps the net.

WEIGHTS may be a file of Caffe (.caffemodel, .caffemodel.h5), of fcnlite (.h5), or VGG-16 from Keras
(.h5, channels last) or torchvision (.safetensors). nyud-fcn32s-color-hha takes two files, for color and
for HHA; a single file serves both trunks. voc-fcn-alexnet pools before it normalises, as CaffeNet does;
AlexNet's weights fit it too, but were trained in the other order."""

_EXAMPLES = """\
  python -m fcnlite.convert VGG_ILSVRC_16_layers.caffemodel -o fcn32s.h5 --to voc-fcn32s
  python -m fcnlite.convert fcn32s.h5 -o fcn16s.h5 --to voc-fcn16s
  python -m fcnlite.convert fcn8s.h5 -o fcn8s-60.h5 --to pascalcontext-fcn8s --classes 60
  python -m fcnlite.convert vgg16.safetensors -o heat.h5 --to vgg16 --keep-classifier
  python -m fcnlite.convert mine.caffemodel -o heat.h5 --net deploy.prototxt
  python -m fcnlite.convert color.h5 hha.h5 -o both.h5 --to nyud-fcn32s-color-hha
  python -m fcnlite.convert runs/camvid/best.h5 -o small.h5 --store float16"""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = _parser()
    options = parser.parse_args(arguments)
    check_environment()
    check_target(options.json)
    if options.to is options.net is options.store is None:
        parser.error("one of the arguments --to, --net and --store is required")
    _check(options)
    sources = [read_source(path) for path in options.weights]
    net, transfers = _converted(options, sources)
    record = {**net.info.record, "converted from": [Path(path).name for path in options.weights]}
    if options.store is not None:
        record["stored as"] = options.store
    preprocessing = set_preprocessing(net.info.preprocessing, **preprocessing_settings(options))
    net.info = replace(net.info, record=record, preprocessing=preprocessing)
    with _naming(options.out):
        net.save(options.out, dtype=options.store)
    notes = [*dict.fromkeys(source.note for source in sources if source.note)]
    values = {
        "out": options.out,
        "parameters": [asdict(each) for each in transfers],
        "fed_as": str(preprocessing),
        "notes": notes,
    }
    write_json(options.json, "convert/1", values)
    if options.json == "-":
        return
    if transfers:
        print(outcomes.table(net, transfers))
    print(f"pictures are fed as {preprocessing}")
    for note in notes:
        print(note)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("convert", _DESCRIPTION, _EXAMPLES)
    parser.add_argument("weights", metavar="WEIGHTS", nargs="+", help="the weights to start from")
    parser.add_argument("-o", "--out", metavar="FILE.h5", required=True, help="the weight file to write")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--to", metavar="MODEL", help=f"the net to make: {', '.join(models.names())}")
    words = "the description of any classifier: make it fully convolutional and keep its scores"
    target.add_argument("--net", metavar="PROTOTXT", help=words)
    words = (
        "classes to score, N,M for two heads (default: as many as the weights have, else as published); with more "
        "classes than in the weights, the old scores are kept and those of the new classes start at zero"
    )
    parser.add_argument("--classes", type=_counts, metavar="N", help=words)
    words = (
        "keep the classifier and make it fully convolutional: its output is a map of its scores, without upsampling, "
        "with the classifier's padding"
    )
    parser.add_argument("--keep-classifier", action="store_true", help=words)
    words = "store the weights as float16, rounded by at most 1/2048; they are computed with as float32"
    parser.add_argument("--store", choices=("float16",), help=words)
    add_json(parser, "what became of each parameter")
    add_preprocessing(parser)
    return parser


def _counts(text: str) -> tuple[int, ...]:
    """An argument type: one number of classes, or two."""
    if not re.fullmatch(r"[1-9]\d{0,6}(,[1-9]\d{0,6})?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of classes; expected N, or N,M for two heads")
    return tuple(map(int, text.split(",")))


def _check(options: argparse.Namespace) -> None:
    """Refuse options that contradict each other before any file is read."""
    if Path(options.out).suffix not in (".h5", ".hdf5"):
        raise FileError(f"{options.out}: weight files end in .h5; choose another name.")
    if len(options.weights) > (2 if options.to == conversion.LATE_FUSION else 1):
        raise SpecError(
            f"there are {len(options.weights)} files of weights; expected one, or two (color, then HHA) for "
            f"{conversion.LATE_FUSION}."
        )
    if options.to is options.net is None:
        for name in ("classes", "keep_classifier"):
            if getattr(options, name):
                raise SpecError(f"--{name.replace('_', '-')} goes with --to, which names the net to make; add that.")
        if not storage.is_weight_file(options.weights[0]):
            raise FileError(f"{options.weights[0]}: holds weights without their net; name the net with --to or --net.")
    if options.to is not None:
        models.describe(options.to)  # refuses an unknown name
    dense = options.net is not None or options.keep_classifier or options.to in conversion.CLASSIFIERS
    if dense and options.classes is not None:
        raise SpecError("--classes is for the scores of an FCN; a classifier keeps its own.")


def _converted(options: argparse.Namespace, sources: Sequence[WeightSource]) -> tuple[Net, list[Transfer]]:
    """The net that the options ask for, and what became of each parameter."""
    if options.to is options.net is None:
        return load(options.weights[0]), []
    origin = " and ".join(options.weights)
    if options.net is None:
        with _naming(origin):
            if options.keep_classifier:
                return conversion.keep_classifier(options.to, sources[0], origin)
            return conversion.convert(options.to, sources, origin, options.classes)
    with _naming(options.net, origin):
        return conversion.described_classifier(options.net, sources[0], origin)


@contextmanager
def _naming(*files: str) -> Iterator[None]:
    """Put the names of the files in front of errors that do not begin with one of them."""
    try:
        yield
    except (ShapeError, SpecError) as error:
        if str(error).startswith(files):
            raise
        raise type(error)(f"{' with '.join(files)}: {error}") from error


if __name__ == "__main__":
    sys.exit(run_command(main))

"""`python -m fcnlite.doctor`: why a net fails, and how to repair it."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fcnlite import doctor, loading
from fcnlite._cli.data_options import add_data_options, open_data
from fcnlite._cli.json_output import add_json, check_target, write_json
from fcnlite._cli.net_options import add_preprocessing, preprocessing_settings
from fcnlite._cli.parser import add_threads, command_parser, positive
from fcnlite._cli.running import apply_threads, run_command
from fcnlite.description.model_info import Preprocessing
from fcnlite.doctor import padding, plateau, rates
from fcnlite.doctor.finding import SEVERITIES, Finding
from fcnlite.errors import FileError, ShapeError, SpecError
from fcnlite.formats import caffe
from fcnlite.net import Net

_DESCRIPTION = """\
Find out why a net fails: upsampling that is zero or learned, a trunk without its weights, misaligned crops,
wrong colours or mean, labels that cannot be learned, learning rates that do not fit the loss, dead layers.
The net runs on a few pictures of the data, or on random noise.

The exit status is 1 if an error is among the findings, else 0."""

_EXAMPLES = """\
  python -m fcnlite.doctor net.prototxt weights.caffemodel
  python -m fcnlite.doctor camvid.h5 --data camvid --root data/camvid
  python -m fcnlite.doctor train.prototxt vgg16.caffemodel --solver solver.prototxt --data shapes --iterations 50
  python -m fcnlite.doctor runs/first --data shapes"""


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_intermixed_args(arguments)
    apply_threads(options.threads)
    if options.iterations and (options.solver is None or options.data is None):
        raise SpecError("--iterations trains the net, which needs --solver and --data; add them.")
    check_target(options.json)
    findings = _examine(options)
    write_json(options.json, "doctor/1", {"net": options.net, "findings": [asdict(each) for each in findings]})
    for finding in findings if options.json != "-" else ():
        print(finding)
    counts = Counter(each.severity for each in findings)
    summary = [f"{counts[each]} {each}" + ("" if counts[each] == 1 else "s") for each in SEVERITIES if counts[each]]
    if options.json != "-":
        print(", ".join(summary) or "nothing found", flush=True)
    if counts["error"]:
        raise SystemExit(1)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("doctor", _DESCRIPTION, _EXAMPLES)
    words = "a prototxt, a weight file (.h5), or the folder of a run, whose last.h5 and log.csv are examined"
    parser.add_argument("net", metavar="NET", help=words)
    parser.add_argument("weights", metavar="WEIGHTS", nargs="?", help="a .caffemodel or .h5 for the prototxt")
    add_preprocessing(parser)
    add_data_options(parser)
    parser.add_argument("--split", default="train", metavar="NAME", help="the split to examine (default: train)")
    parser.add_argument("--solver", metavar="PROTOTXT", help="a solver, whose rate is compared with the net's loss")
    words = "train for N iterations with --solver and --data and examine the loss; writes no files"
    parser.add_argument("--iterations", type=positive, metavar="N", default=0, help=words)
    add_json(parser, "the findings")
    add_threads(parser)
    return parser


def _examine(options: argparse.Namespace) -> list[Finding]:
    source = Path(options.net)
    is_run = source.is_dir()
    _tell("loading")
    try:
        net = _load(source / "last.h5" if is_run else source, options.weights, preprocessing_settings(options))
    except ShapeError:
        # A net whose layers do not fit the described size cannot be built, but its description can be examined.
        findings = [] if source.suffix != ".prototxt" else _check_description(source)
        if not findings:
            raise
        return findings
    losses = plateau.read_log(source / "log.csv", net) if is_run else []
    dataset = open_data(options, options.split) if options.data is not None else None
    solver = rates.read(options.solver, net) if options.solver is not None else None
    return doctor.examine(net, dataset, solver, losses=losses, iterations=options.iterations, tell=_tell)


def _load(source: Path, weights: str | None, settings: dict[str, Any]) -> Net:
    if source.suffix == ".caffemodel":
        raise FileError(f"{source}: holds weights only; give the net's prototxt first.")
    with warnings.catch_warnings():
        # The findings report it.
        warnings.filterwarnings("ignore", message=".*starts at zero")
        net = loading.load(source, *([weights] if weights is not None else []), phase="TRAIN", **settings)
    if not any(layer.spec.bottom for layer in net.layers):
        raise SpecError(
            f"{source}: describes no layers that compute in phase TRAIN; expected a net (give a solver with --solver)."
        )
    return net


def _check_description(source: Path) -> list[Finding]:
    return padding.check(caffe.read_net(source), "TRAIN", Preprocessing())


def _tell(text: str) -> None:
    print(f"{text} ...", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(run_command(main))

"""`python -m fcnlite.paper`: the claims, tables and figures of the FCN papers, run here."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from fcnlite._cli.data_options import add_data_options, add_split_options, training_data, validation_data
from fcnlite._cli.json_output import add_json, check_target, write_json
from fcnlite._cli.parser import add_threads, command_parser, positive
from fcnlite._cli.running import apply_threads, run_command
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import check_folder
from fcnlite.analysis.paper.table import EXPERIMENTS, named
from fcnlite.errors import SpecError

_DESCRIPTION = """\
Run a claim, table or figure of the FCN papers and write a page, OUT/NAME/index.html, with the paper's
figures beside those found here. Without options an experiment needs no files and takes at most a few
minutes; --data, --model and --init take your own data and weights."""

_EXAMPLES = """\
  python -m fcnlite.paper --list
  python -m fcnlite.paper upper-bounds
  python -m fcnlite.paper upper-bounds --data voc --root VOC2012"""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = _parser()
    options = parser.parse_args(arguments)
    apply_threads(options.threads)
    if options.list:
        for each in EXPERIMENTS:
            print(f"{each.name:19} section {each.section}: {each.claim}")
        return
    if options.name is None:
        raise SpecError("no experiment is named; `python -m fcnlite.paper --list` lists them.")
    check_target(options.json)
    experiment = named(options.name)
    experiment.check({name: getattr(options, name) for name in ("data", "model", "blob", "init", "iterations")})
    _check_data(options)
    folder = Path(options.out) / experiment.name
    check_folder(folder)
    settings = Settings(
        train_set=None if options.data is None or "iterations" not in experiment.takes else training_data(options),
        val_set=None if options.data is None else validation_data(options),
        model=options.model,
        blob=options.blob,
        init=options.init,
        iterations=options.iterations,
        seed=options.seed,
    )
    page = experiment.run(settings)
    for comparison in page.comparisons if options.json != "-" else ():
        paper = f"paper {comparison.paper}, " if comparison.paper else ""
        note = f" ({comparison.note})" if comparison.note else ""
        print(f"{comparison.what}: {paper}here {comparison.ours}{note}")
    page.command = shlex.join(["python", "-m", "fcnlite.paper", *(sys.argv[1:] if arguments is None else arguments)])
    written = page.write(folder)
    values = {"name": experiment.name, "page": str(written), "comparisons": [asdict(each) for each in page.comparisons]}
    write_json(options.json, "paper/1", values)
    if options.json != "-":
        print(written)


def _check_data(options: argparse.Namespace) -> None:
    """Raise `SpecError` for an option about data without --data."""
    given = [name for name in ("root", "skip_bad", "data_option", "train_split", "val_split") if getattr(options, name)]
    if given and options.data is None:
        raise SpecError(f"--{given[0].replace('_', '-')} has no effect without --data; name the data set with --data.")


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("paper", _DESCRIPTION, _EXAMPLES)
    parser.add_argument("name", nargs="?", metavar="NAME", help="the experiment")
    parser.add_argument("--list", action="store_true", help="list the experiments, one a line")
    parser.add_argument("--out", metavar="DIR", default="paper", help="the folder of the pages (default: paper)")
    parser.add_argument("--model", metavar="NAME", help="a model by name, a prototxt or a weight file")
    words = "the blob of the model whose receptive field is measured (default: the last one that has one)"
    parser.add_argument("--blob", metavar="NAME", help=words)
    parser.add_argument("--init", metavar="FILE", help="weights to start from, such as a caffemodel")
    parser.add_argument("--iterations", type=positive, metavar="N", help="training iterations")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="seeds all random numbers (default: 0)")
    add_json(parser, "the figures of the paper beside those found here")
    add_threads(parser)
    add_data_options(parser)
    add_split_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(run_command(main))

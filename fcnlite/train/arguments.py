"""The command line of `python -m fcnlite.train`: its options, what they mean together, and the values they give."""

from __future__ import annotations

import argparse
from dataclasses import fields
from typing import Any

from fcnlite._cli.data_options import add_data_options, add_split_options
from fcnlite._cli.json_output import add_json
from fcnlite._cli.parser import add_threads, command_parser
from fcnlite.errors import TrainingError
from fcnlite.train.augment_options import add_augmentation, augment_edits
from fcnlite.train.options import DATA_FIELDS, MismatchPolicy, TrainOptions
from fcnlite.train.recipes import RECIPES

_DESCRIPTION = """\
Train a net on a data set. OUT receives best.h5 (the weights with the best score on the validation split), last.h5
(a checkpoint to resume from), report.html (curves, IU of each class, sample predictions; rewritten at every
validation, opens from disk), log.csv, log.jsonl, speed.jsonl (iterations per second, share of time waiting for data),
curves.png, samples.png, overlay.png and confusion.png, and run.toml (the options, which --config reads)."""

_EXAMPLES = """\
  python -m fcnlite.train --out runs/first
  python -m fcnlite.train --data folder --root photos --augment crop=240:320 scale=0.75:1.5 --out runs/photos
  python -m fcnlite.train --data folder --root photos --epochs 20 --init runs/first/best.h5 --out runs/more
  python -m fcnlite.train --recipe lite --root data/camvid --out runs/lite
  python -m fcnlite.train --recipe voc-fcn8s --iterations 50000 --print-recipe
  python -m fcnlite.train --recipe voc-fcn8s-staged --init VGG_ILSVRC_16_layers.caffemodel --data folder \\
      --root photos --out runs/staged
  python -m fcnlite.train --data camvid --root data/camvid --init runs/photos/best.h5 --out runs/camvid
  python -m fcnlite.train --resume --out runs/camvid
  python -m fcnlite.train --recipe isbi-lite --root isbi --cross-validate fold=0,1,2,3,4 --out runs/folds
  python -m fcnlite.train --config runs/camvid/run.toml --seed 1 --out runs/again"""

_BY_TYPE: dict[Any, dict[str, Any]] = {
    "str": {"metavar": "NAME"},
    "str | None": {"metavar": "FILE"},
    "int": {"type": int, "metavar": "N"},
    "int | None": {"type": int, "metavar": "N"},
    "float": {"type": float, "metavar": "X"},
    "float | None": {"type": float, "metavar": "X"},
    "bool": {"action": argparse.BooleanOptionalAction},
    "tuple[str, ...]": {"nargs": "+", "metavar": "PATTERN"},
    "tuple[int, ...]": {"type": int, "nargs": "+", "metavar": "N"},
}
"""The arguments of argparse for a field of `TrainOptions`, by the type of the field."""


def parser() -> argparse.ArgumentParser:
    """The parser of the command, with an option for each field of `TrainOptions`."""
    made = command_parser("train", _DESCRIPTION, _EXAMPLES)
    made.add_argument("--out", metavar="DIR", help="folder of the run")
    made.add_argument("--resume", action="store_true", help="continue the run in --out with its options")
    words = (
        "train once for each value of an option of the data set that holds data out, each in a folder of its own below "
        "--out, and print the mean of the scores; the same command continues what was interrupted"
    )
    made.add_argument("--cross-validate", metavar="OPTION=VALUE,VALUE,...", help=words)
    made.add_argument("--overwrite", action="store_true", help="replace an earlier run in --out")
    words = "read options from a TOML file, such as run.toml of an earlier run; other options override them"
    made.add_argument("--config", metavar="FILE.toml", help=words)
    words = f"a named set of options, which other options override: {', '.join(RECIPES)}"
    made.add_argument("--recipe", metavar="NAME", help=words)
    words = "print all options of the run, and where each comes from, instead of training"
    made.add_argument("--print-recipe", action="store_true", help=words)
    words = "time each layer, forward and backward; print the times at the end and show them in the report"
    made.add_argument("--profile", action="store_true", help=words)
    words = "with --resume: continue although the data of the run have changed"
    made.add_argument("--accept-changed-data", action="store_true", help=words)
    words = "match the classes of weights and data by number (default: by name)"
    made.add_argument("--classes-by-number", action="store_true", help=words)
    words = "with --init: initialize the score layers and take all other layers from the file"
    made.add_argument("--new-scores", action="store_true", help=words)
    add_json(made, "the figures of the best weights")
    add_threads(made)
    add_data_options(made)
    add_split_options(made)
    group = made.add_argument_group("training")
    for each in fields(TrainOptions):
        if each.name not in (*DATA_FIELDS, "threads", "recipe", "imports", "solver_option", "augment"):
            flag, default, words = "--" + each.name.replace("_", "-"), each.default, each.metadata["help"]
            if default not in (None, (), False, True):
                shown = " ".join(map(str, default)) if isinstance(default, tuple) else default
                words += f" (default: {shown})"
            group.add_argument(flag, help=words, **_BY_TYPE[each.type])
    words = (
        "an option of the solver that this command has no option for, such as momentum2=0.99, or an option of a solver "
        "rule of your own; may be given several times"
    )
    group.add_argument("--solver-option", metavar="KEY=VALUE", action="append", help=words)
    add_augmentation(made)
    # Defaults must be absent, because a resumed run has values for the options that are not given.
    lists: dict[str, list[str]] = {"augment": [], "data_option": [], "imports": [], "solver_option": []}
    made.set_defaults(**{each.name: None for each in fields(TrainOptions)} | lists)
    return made


def options_of(given: argparse.Namespace) -> dict[str, Any]:
    """The fields of `TrainOptions` that the command line gives."""
    values: dict[str, Any] = {}
    found = {**vars(given), "augment": augment_edits(given)}
    for each in fields(TrainOptions):
        value = found[each.name]
        if value not in (None, []):
            values[each.name] = tuple(value) if isinstance(value, list) else value
    return values


def policy_of(given: argparse.Namespace) -> MismatchPolicy:
    """The mismatches of weights and data that the command line accepts."""
    return MismatchPolicy(given.classes_by_number, given.new_scores, given.accept_changed_data)


def check(given: argparse.Namespace, made: argparse.ArgumentParser) -> None:
    """Refuse options that contradict each other or have no effect.

    Exits with a usage error, or raises `TrainingError`.
    """
    if given.print_recipe and given.resume:
        made.error("--print-recipe shows a new run, and --resume continues an earlier one; give one of them")
    if given.cross_validate is not None and given.resume:
        made.error("--cross-validate continues what was interrupted by itself; leave out --resume")
    if given.cross_validate is not None and given.validation is False:
        made.error("--cross-validate judges by the data held out, and --no-validation by none; give one of them")
    if given.epochs is not None and given.iterations is not None:
        made.error("--epochs and --iterations both set the length of the training; give one of them")
    if given.print_recipe:
        return
    if given.out is None:
        made.error("--out DIR is missing: the folder that the run writes to")
    if given.resume:
        for option in ("config", "init", "overwrite", "recipe", "new_scores"):
            if getattr(given, option):
                raise TrainingError(
                    f"--resume continues the run in {given.out}, and --{option.replace('_', '-')} begins a new one; "
                    "give one of them."
                )
        return
    if given.accept_changed_data:
        raise TrainingError("--accept-changed-data goes with --resume; a new run takes the data as they are.")
    if given.new_scores and given.init is None:
        raise TrainingError("--new-scores goes with --init; without it all layers start new.")
    if given.new_scores and given.classes_by_number:
        raise TrainingError("--new-scores takes no scores from --init, and --classes-by-number does; give one of them.")

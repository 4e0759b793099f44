"""`python -m fcnlite.train`: learn to segment from labelled pictures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from fcnlite import _cli
from fcnlite._cli_data import add_data_options, add_split_options
from fcnlite.errors import TrainingError
from fcnlite.train import recipes, single, staged
from fcnlite.train.options import OF_DATA, TrainOptions
from fcnlite.train.run_folder import RunFolder

_DESCRIPTION = """\
Train a net on a data set. OUT gets best.h5 (the weights that did best on the validation split), last.h5
(a checkpoint to resume from), report.html (curves, IU of each class, sample predictions; made anew at every
validation, opens from disk), log.csv, log.jsonl, speed.jsonl (iterations a second, the share of waiting for data),
curves.png, samples.png, overlay.png and confusion.png."""

_EXAMPLES = """\
  python -m fcnlite.train --out runs/first
  python -m fcnlite.train --data folder --root photos --crop 240 320 --scale 0.75 1.5 --out runs/photos
  python -m fcnlite.train --recipe lite --root data/camvid --out runs/lite
  python -m fcnlite.train --recipe voc-fcn8s --iterations 50000 --print-recipe
  python -m fcnlite.train --recipe voc-fcn8s-staged --init VGG_ILSVRC_16_layers.caffemodel --data folder \\
      --root photos --out runs/staged
  python -m fcnlite.train --data camvid --root data/camvid --init runs/photos/best.h5 --out runs/camvid
  python -m fcnlite.train --resume --out runs/camvid"""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = _parser()
    given = parser.parse_args(arguments)
    _cli.check_environment(given.threads)
    if given.print_recipe and given.resume:
        parser.error("--print-recipe shows what would begin, and --resume goes on with what has; give one of them")
    if given.print_recipe:
        print(recipes.shown(given.recipe, _given(given)))
        return
    if given.out is None:
        parser.error("--out DIR is missing: the folder that the run writes to")
    folder = RunFolder(Path(given.out))
    with folder.claimed():
        if given.resume:
            _check_resume(given, folder)
            if folder.stages.exists():
                staged.resume(folder, _given(given), given.profile)
            else:
                single.resume(folder, _given(given), given.profile)
            return
        stages = recipes.stages(given.recipe, _given(given))
        _check_new(given, folder)
        if len(stages) > 1:
            for each in staged.folders(folder, stages):
                _check_new(given, each)
            staged.begin(folder, stages, given.profile)
        else:
            single.begin(single.prepare(folder, stages[0]), given.profile)


def _parser() -> argparse.ArgumentParser:
    parser = _cli.parser("train", _DESCRIPTION, _EXAMPLES)
    parser.add_argument("--out", metavar="DIR", help="the run's folder")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out, with its options")
    parser.add_argument("--overwrite", action="store_true", help="start anew where --out holds an earlier run")
    words = f"options by name, which those below override: {', '.join(recipes.RECIPES)}"
    parser.add_argument("--recipe", metavar="NAME", help=words)
    words = "show what would run: all options of --recipe, with what is overridden"
    parser.add_argument("--print-recipe", action="store_true", help=words)
    words = "time each layer, forward and backward; shown at the end and in the report"
    parser.add_argument("--profile", action="store_true", help=words)
    _cli.add_threads(parser)
    add_data_options(parser, required=False)
    add_split_options(parser)
    group = parser.add_argument_group("training")
    for each in fields(TrainOptions):
        if each.name not in (*OF_DATA, "threads", "recipe", "imports", "solver_option"):
            flag, default, words = "--" + each.name.replace("_", "-"), each.default, each.metadata["help"]
            if default not in (None, (), False, True):
                shown = " ".join(map(str, default)) if isinstance(default, tuple) else default
                words += f" (default: {shown})"
            group.add_argument(flag, help=words, **_ARGUMENTS[each.type])
    words = (
        "an option of the solver that has none here, such as momentum2=0.99, or one of a rule of your own; may be "
        "given several times"
    )
    group.add_argument("--solver-option", metavar="KEY=VALUE", action="append", help=words)
    # Only what is given counts: a resumed run has its own values for the rest.
    lists: dict[str, list[str]] = {"data_option": [], "imports": [], "solver_option": []}
    parser.set_defaults(**{each.name: None for each in fields(TrainOptions)} | lists)
    return parser


_ARGUMENTS: dict[Any, dict[str, Any]] = {
    "str": {"metavar": "NAME"},
    "str | None": {"metavar": "FILE"},
    "int": {"type": int, "metavar": "N"},
    "int | None": {"type": int, "metavar": "N"},
    "float": {"type": float, "metavar": "X"},
    "float | None": {"type": float, "metavar": "X"},
    "bool": {"action": argparse.BooleanOptionalAction},
    "tuple[float, float]": {"type": float, "nargs": 2, "metavar": ("LOW", "HIGH")},
    "tuple[int, ...]": {"type": int, "nargs": "+", "metavar": "N"},
    "tuple[int, int]": {"type": int, "nargs": 2, "metavar": ("HEIGHT", "WIDTH")},
}
"""How argparse reads each kind of field."""


def _given(arguments: argparse.Namespace) -> dict[str, Any]:
    """The options that the command line gives, by field."""
    values: dict[str, Any] = {}
    for each in fields(TrainOptions):
        value = getattr(arguments, each.name)
        if value not in (None, []):
            values[each.name] = tuple(value) if isinstance(value, list) else value
    return values


def _check_resume(given: argparse.Namespace, folder: RunFolder) -> None:
    """Refuse what does not go with --resume, and a folder that holds nothing to resume."""
    for option in ("init", "overwrite", "recipe"):
        if getattr(given, option):
            raise TrainingError(
                f"--resume goes on with the run in {folder.path}, and --{option} begins a new one; give one of them."
            )
    if folder.last.exists() or folder.stages.exists():
        return
    if folder.holds_run():
        raise TrainingError(
            f"{folder.path}: holds files of a run, but no checkpoint (last.h5) to resume; put it back, or start anew "
            "with --overwrite instead of --resume."
        )
    raise TrainingError(f"{folder.path}: holds no checkpoint (last.h5) to resume; start without --resume.")


def _check_new(given: argparse.Namespace, folder: RunFolder) -> None:
    """Refuse to begin where a run lies, unless it is to be replaced."""
    if folder.holds_run() and not given.overwrite:
        resume = "go on with it by --resume, " if folder.last.exists() or folder.stages.exists() else ""
        raise TrainingError(
            f"{folder.path}: holds an earlier run; {resume}replace it by --overwrite, or choose another --out."
        )


if __name__ == "__main__":
    sys.exit(_cli.run(main))

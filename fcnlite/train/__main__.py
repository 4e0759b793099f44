"""`python -m fcnlite.train`: learn to segment from labelled pictures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from fcnlite._cli.data_options import add_data_options, add_split_options
from fcnlite._cli.parser import add_threads, command_parser
from fcnlite._cli.running import check_environment, run_command
from fcnlite.errors import TrainingError
from fcnlite.train import recipes, single, staged, starting
from fcnlite.train.consent import Consent
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
  python -m fcnlite.train --data folder --root photos --epochs 20 --init runs/first/best.h5 --out runs/more
  python -m fcnlite.train --recipe lite --root data/camvid --out runs/lite
  python -m fcnlite.train --recipe voc-fcn8s --iterations 50000 --print-recipe
  python -m fcnlite.train --recipe voc-fcn8s-staged --init VGG_ILSVRC_16_layers.caffemodel --data folder \\
      --root photos --out runs/staged
  python -m fcnlite.train --data camvid --root data/camvid --init runs/photos/best.h5 --out runs/camvid
  python -m fcnlite.train --resume --out runs/camvid"""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = _parser()
    given = parser.parse_args(arguments)
    check_environment(given.threads)
    if given.print_recipe and given.resume:
        parser.error("--print-recipe shows what would begin, and --resume goes on with what has; give one of them")
    if given.epochs is not None and given.iterations is not None:
        parser.error("--epochs and --iterations both say how long to train; give one of them")
    if given.print_recipe:
        print(recipes.shown(given.recipe, _given(given), _of_init(given)))
        return
    if given.out is None:
        parser.error("--out DIR is missing: the folder that the run writes to")
    folder = RunFolder(Path(given.out))
    if not given.resume:
        _check_free(folder)
    consent = Consent(given.classes_by_number, given.new_scores, given.accept_changed_data)
    with folder.claimed():
        if given.resume:
            _check_resume(given, folder)
            resume = staged.resume if folder.stages.exists() else single.resume
            resume(folder, _given(given), given.profile, consent)
            return
        _check_consent(given)
        stages = recipes.stages(given.recipe, {**_of_init(given), **_given(given)})
        _check_new(given, folder)
        if len(stages) > 1:
            for each in staged.folders(folder, stages):
                _check_new(given, each)
            staged.begin(folder, stages, given.profile, consent)
        else:
            single.begin(single.prepare(folder, stages[0], consent), given.profile)


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("train", _DESCRIPTION, _EXAMPLES)
    parser.add_argument("--out", metavar="DIR", help="the run's folder")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out, with its options")
    parser.add_argument("--overwrite", action="store_true", help="start anew where --out holds an earlier run")
    words = f"options by name, which those below override: {', '.join(recipes.RECIPES)}"
    parser.add_argument("--recipe", metavar="NAME", help=words)
    words = "show what would run: all options of --recipe, with what is overridden"
    parser.add_argument("--print-recipe", action="store_true", help=words)
    words = "time each layer, forward and backward; shown at the end and in the report"
    parser.add_argument("--profile", action="store_true", help=words)
    words = "with --resume: go on although the data of the run have changed"
    parser.add_argument("--accept-changed-data", action="store_true", help=words)
    words = "classes are those of the same number, whatever they are called (default: --init matches them by name)"
    parser.add_argument("--classes-by-number", action="store_true", help=words)
    words = "take all from --init but the score layers, which start new"
    parser.add_argument("--new-scores", action="store_true", help=words)
    add_threads(parser)
    add_data_options(parser)
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


def _of_init(given: argparse.Namespace) -> dict[str, Any]:
    """Model and width of the weight file --init, unless a recipe has its own; the command line overrides them."""
    if given.init is None or given.recipe is not None:
        return {}
    found = starting.recorded_model(given.init, given.model)
    taken = {name: value for name, value in found.items() if getattr(given, name) is None}
    if taken:
        told = ", ".join(f"{name} {value}" for name, value in taken.items())
        print(f"{given.init}: {told}, as it was trained", file=sys.stderr)
    return taken


def _check_consent(given: argparse.Namespace) -> None:
    """Refuse what only --resume or --init gives a meaning."""
    if given.accept_changed_data:
        raise TrainingError("--accept-changed-data goes with --resume; a new run takes the data as they are.")
    if given.new_scores and given.init is None:
        raise TrainingError("--new-scores goes with --init; without it all layers start new.")
    if given.new_scores and given.classes_by_number:
        raise TrainingError("--new-scores takes no scores from --init, and --classes-by-number does; give one of them.")


def _check_free(folder: RunFolder) -> None:
    """Refuse a folder that holds something, but no run."""
    others = folder.others()
    if others and not folder.holds_run():
        shown = ", ".join(others[:5]) + (f" and {len(others) - 5} more" if len(others) > 5 else "")
        raise TrainingError(
            f"{folder.path}: holds {shown}, and no run; choose a new folder for --out, such as {folder.path / 'run'}."
        )


def _check_resume(given: argparse.Namespace, folder: RunFolder) -> None:
    """Refuse what does not go with --resume, and a folder that holds nothing to resume."""
    for option in ("init", "overwrite", "recipe", "new_scores"):
        if getattr(given, option):
            raise TrainingError(
                f"--resume goes on with the run in {folder.path}, and --{option.replace('_', '-')} begins a new one; "
                "give one of them."
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
    sys.exit(run_command(main))

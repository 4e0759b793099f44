"""`python -m fcnlite.train`: learn to segment from labelled pictures."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from fcnlite import _cli, caffe, config, doctor, models, surgery
from fcnlite._cli_data import add_data_options, add_split_options, training_data, validation_data
from fcnlite.data import Dataset
from fcnlite.errors import TrainingError
from fcnlite.heads import prepare
from fcnlite.loading import read_weights
from fcnlite.net import Net
from fcnlite.train import results
from fcnlite.train.checkpoint import read_options
from fcnlite.train.loop import Training
from fcnlite.train.options import TrainOptions
from fcnlite.train.run_folder import RunFolder

_DESCRIPTION = """\
Train a net on a data set. OUT gets best.h5 (the weights that did best on the validation split), last.h5
(a checkpoint to resume from), log.csv, curves.png, samples.png, overlay.png and confusion.png."""

_EXAMPLES = """\
  python -m fcnlite.train --out runs/first
  python -m fcnlite.train --data folder --root photos --crop 240 320 --scale 0.75 1.5 --out runs/photos
  python -m fcnlite.train --data camvid --root data/camvid --init runs/photos/best.h5 --out runs/camvid
  python -m fcnlite.train --resume --out runs/camvid"""

_OF_DATA = ("data", "root", "data_option", "skip_bad", "train_split", "val_split")


def main(arguments: Sequence[str] | None = None) -> None:
    given = _parser().parse_args(arguments)
    folder = RunFolder(Path(given.out))
    with folder.claimed():
        options = _with_threads(_options(folder, given))
        run = _start(options, folder)
        if given.resume:
            run.resume()
            print(f"resumed at iteration {run.solver.iteration} of {options.iterations}", file=sys.stderr)
        else:
            # The weights to start from may lie in the run that is overwritten.
            if options.init is not None:
                print(_transplanted(options.init, run.solver.net))
            run.begin()
            doctor.warn(run.solver)
        try:
            run.train()
        except KeyboardInterrupt:
            raise TrainingError(
                f"stopped after iteration {run.solver.iteration}; go on with: "
                f"python -m fcnlite.train --resume --out {folder.path}"
            ) from None
        shown = run.val_set or run.train_set
        matrix = results.draw(folder, shown)
        print(f"{folder.best}, iteration {run.standing.best.iteration}, on {shown.name} {shown.split}:")
        print(results.figures(shown, matrix))


def _parser() -> argparse.ArgumentParser:
    parser = _cli.parser("train", _DESCRIPTION, _EXAMPLES)
    parser.add_argument("--out", required=True, metavar="DIR", help="the run's folder")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out, with its options")
    parser.add_argument("--overwrite", action="store_true", help="start anew where --out holds an earlier run")
    _cli.add_threads(parser)
    add_data_options(parser, required=False)
    add_split_options(parser)
    group = parser.add_argument_group("training")
    for each in fields(TrainOptions):
        if each.name not in (*_OF_DATA, "threads"):
            flag, default, words = "--" + each.name.replace("_", "-"), each.default, each.metadata["help"]
            if default not in (None, (), False, True):
                shown = " ".join(map(str, default)) if isinstance(default, tuple) else default
                words += f" (default: {shown})"
            group.add_argument(flag, help=words, **_ARGUMENTS[each.type])
    # Only what is given counts: a resumed run has its own values for the rest.
    parser.set_defaults(**{each.name: None for each in fields(TrainOptions)} | {"data_option": []})
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
    "tuple[int, int] | None": {"type": int, "nargs": 2, "metavar": ("HEIGHT", "WIDTH")},
}
"""How argparse reads each kind of field."""


def _options(folder: RunFolder, given: argparse.Namespace) -> TrainOptions:
    """The run's options: those of the run that is resumed, or the defaults, with what the command line gives."""
    values: dict[str, Any] = {}
    for each in fields(TrainOptions):
        value = getattr(given, each.name)
        if value not in (None, []):
            values[each.name] = tuple(value) if isinstance(value, list) else value
    if given.resume:
        for option in ("init", "overwrite"):
            if getattr(given, option):
                raise TrainingError(
                    f"--resume goes on with the run in {folder.path}, and --{option} begins a new one; "
                    "give one of them."
                )
        if folder.last.exists():
            return replace(read_options(folder.last), **values)
        if folder.holds_run():
            raise TrainingError(
                f"{folder.path}: holds files of a run, but no checkpoint (last.h5) to resume; put it back, or start "
                "anew with --overwrite instead of --resume."
            )
        raise TrainingError(f"{folder.path}: holds no checkpoint (last.h5) to resume; start without --resume.")
    if folder.holds_run() and not given.overwrite:
        resume = "go on with it by --resume, " if folder.last.exists() else ""
        raise TrainingError(
            f"{folder.path}: holds an earlier run; {resume}replace it by --overwrite, or choose another --out."
        )
    return TrainOptions(**values)


def _with_threads(options: TrainOptions) -> TrainOptions:
    """The options with the number of threads, now in force: a run is resumed with as many, to be the same."""
    if options.threads is not None:
        config.set_num_threads(options.threads)
    return replace(options, threads=config.num_threads())


def _start(options: TrainOptions, folder: RunFolder) -> Training:
    """Data checked, net built, solver ready."""
    of_data = argparse.Namespace(**options.plain())
    train_set = training_data(of_data)
    val_set = validation_data(of_data) if options.validation else None
    net = _net(options, train_set)
    prepare(net, train_set)
    return Training(options, folder, options.make_solver(net), train_set, val_set)


def _net(options: TrainOptions, dataset: Dataset) -> Net:
    if Path(options.model).suffix == ".prototxt":
        net = Net(caffe.read_net(options.model), phase="TRAIN", seed=options.seed)
        surgery.interp(net, surgery.zero_upsampling(net))
        return net
    return models.build(
        options.model,
        classes=[len(labels.classes) for labels in dataset.labels.values()],
        width=options.width,
        normalization=options.normalization,
        phase="TRAIN",
        seed=options.seed,
    )


def _transplanted(source: str, net: Net) -> str:
    """Copy the weights into the net; the table of what was taken and what was not."""
    transfers = surgery.transplant(net, read_weights(source))
    counts = Counter(each.outcome for each in transfers)
    if not counts["taken"] + counts["coerced"]:
        raise TrainingError(
            f"{source}: none of its parameters fits the net by name and shape; check --model and --width."
        )
    summary = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    lines = [f"{source}: parameters {summary}"]
    lines += [f"  {each}" for each in transfers if each.outcome != "taken"]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(_cli.run(main))

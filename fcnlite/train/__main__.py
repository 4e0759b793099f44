"""`python -m fcnlite.train`: train a segmentation net on labelled pictures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack, nullcontext, redirect_stdout
from pathlib import Path
from typing import Any

from fcnlite._cli.json_output import check_target, write_json
from fcnlite._cli.running import check_environment, run_command
from fcnlite.ranks.communicator import Communicator
from fcnlite.ranks.launcher import world
from fcnlite.train import arguments as _arguments
from fcnlite.train import config_file, cross_validation, data_layers, recipes
from fcnlite.train.cross_validation import DataOption, HeldOut
from fcnlite.train.initial_weights import recorded_model
from fcnlite.train.plan import TrainingPlan
from fcnlite.train.run_folder import RunFolder
from fcnlite.train.training import TrainingResult, train


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, plan the run and train it."""
    parser = _arguments.parser()
    given = parser.parse_args(arguments)
    check_environment(given.threads)
    options = _options(given)
    _arguments.check(given, parser)
    check_target(given.json, makes=given.out)
    if given.print_recipe:
        print(recipes.shown(given.recipe, options, _of_init(given)))
        return
    ranks, out = world(), Path(given.out)
    held = None if given.cross_validate is None else HeldOut.parse(given.cross_validate)
    # Where JSON goes to standard output, all else goes to standard error.
    with redirect_stdout(sys.stderr) if given.json == "-" else nullcontext():
        if held is None:
            found = _train(RunFolder(out), given, options, ranks)
        else:
            found = cross_validation.run_all(
                held, out, lambda value, folder: _train(RunFolder(folder), given, options, ranks, held.of(value)), ranks
            )
    if ranks.first and given.json is not None:
        of_runs = (
            {"stages": [each.values() for each in found]} if held is None else cross_validation.values(held, found)
        )
        write_json(given.json, "train/1", {"out": given.out, **of_runs})


def _train(
    folder: RunFolder,
    given: argparse.Namespace,
    options: dict[str, Any],
    ranks: Communicator,
    held: DataOption | None = None,
) -> list[TrainingResult]:
    """Train in one folder, with a data option that holds data out in cross-validation."""
    if not given.resume:
        ranks.from_first(folder.check_free)
    with ExitStack() as claim:
        ranks.from_first(lambda: claim.enter_context(folder.claimed()))
        plan = ranks.from_first(lambda: _plan(folder, given, options, ranks.size, held))
        return train(plan, _arguments.policy_of(given), given.profile, ranks)


def _options(given: argparse.Namespace) -> dict[str, Any]:
    """The options of the command line and of --config; `given` gets those of the file that others depend on."""
    options = _arguments.options_of(given)
    if given.config is None:
        return options
    options = config_file.merged(config_file.read(Path(given.config), given.imports), options)
    for name in ("recipe", "init", "model", "width"):
        if getattr(given, name) is None:
            setattr(given, name, options.get(name))
    return options


def _plan(
    folder: RunFolder, given: argparse.Namespace, options: dict[str, Any], ranks: int, held: DataOption | None
) -> TrainingPlan:
    """The plan of the run that the command line continues or begins."""
    if given.resume:
        return TrainingPlan.resume(folder, options, ranks)
    stages = recipes.stages(given.recipe, {**_of_init(given), **_of_prototxt(given), **options})
    if held is not None:
        return cross_validation.plan_of(folder, [held.applied(each) for each in stages], given.overwrite, ranks)
    return TrainingPlan.begin(folder, stages, overwrite=given.overwrite)


def _of_prototxt(given: argparse.Namespace) -> dict[str, Any]:
    """What the data layers of the prototxt in --model say, unless the command line names the data."""
    if given.model is None or Path(given.model).suffix != ".prototxt" or given.data or given.data_option:
        return {}
    found = data_layers.training_options(given.model)
    if found:
        options = "".join(f" --data-option {each}" for each in found["data_option"])
        print(
            f"{given.model}: --data {found['data']} --root {found['root']}{options}, by its data layers",
            file=sys.stderr,
        )
    return found


def _of_init(given: argparse.Namespace) -> dict[str, Any]:
    """The model and the width of the weights of --init, unless a recipe or the command line gives them."""
    if given.init is None or given.recipe is not None:
        return {}
    found = recorded_model(given.init, given.model)
    taken = {name: value for name, value in found.items() if getattr(given, name) is None}
    if taken:
        listed = ", ".join(f"{name} {value}" for name, value in taken.items())
        print(f"{given.init}: {listed}, as it was trained", file=sys.stderr)
    return taken


if __name__ == "__main__":
    sys.exit(run_command(main, shares_work=True))

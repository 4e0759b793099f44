"""`python -m fcnlite.train`: train a segmentation net on labelled pictures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fcnlite._cli.running import check_environment, run_command
from fcnlite.train import arguments as _arguments
from fcnlite.train import recipes
from fcnlite.train.initial_weights import recorded_model
from fcnlite.train.plan import TrainingPlan
from fcnlite.train.run_folder import RunFolder
from fcnlite.train.training import train


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the command line, plan the run and train it."""
    parser = _arguments.parser()
    given = parser.parse_args(arguments)
    check_environment(given.threads)
    _arguments.check(given, parser)
    options = _arguments.options_of(given)
    if given.print_recipe:
        print(recipes.shown(given.recipe, options, _of_init(given)))
        return
    folder = RunFolder(Path(given.out))
    if not given.resume:
        folder.check_free()
    with folder.claimed():
        if given.resume:
            plan = TrainingPlan.resume(folder, options)
        else:
            stages = recipes.stages(given.recipe, {**_of_init(given), **options})
            plan = TrainingPlan.begin(folder, stages, overwrite=given.overwrite)
        train(plan, _arguments.policy_of(given), given.profile)


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
    sys.exit(run_command(main))

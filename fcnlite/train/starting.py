"""From options to a training that can begin: data checked, net built, solver ready."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from fcnlite import _cli, caffe, config, models, surgery
from fcnlite._cli_data import training_data, validation_data
from fcnlite.data import Dataset
from fcnlite.data.loader import check_sizes
from fcnlite.errors import TrainingError
from fcnlite.heads import prepare
from fcnlite.loading import read_weights
from fcnlite.net import Net
from fcnlite.train.balance import balanced
from fcnlite.train.loop import Training
from fcnlite.train.options import TrainOptions
from fcnlite.train.run_folder import RunFolder


def with_threads(options: TrainOptions) -> TrainOptions:
    """The options with the number of threads, now in force: a run is resumed with as many, to be the same."""
    if options.threads is not None:
        config.set_num_threads(options.threads)
    return replace(options, threads=config.num_threads())


def check_imports(options: TrainOptions, changes: Mapping[str, Any], folder: RunFolder) -> None:
    """Refuse to go on without the modules that the run was begun with: no code runs because a file names it."""
    if options.imports and "imports" not in changes:
        given = " ".join(f"--import {each}" for each in options.imports)
        raise TrainingError(f"{folder.path}: the run was begun with {given}; give that with --resume too.")


def start(options: TrainOptions, folder: RunFolder) -> Training:
    """Data checked, net built, solver ready."""
    of_data = argparse.Namespace(**options.plain())
    train_set = training_data(of_data)
    if options.batch_size > 1 and options.augment().crop is None:
        check_sizes(train_set.sizes)
    val_set = validation_data(of_data) if options.validation else None
    net = _net(options, train_set)
    prepare(net, train_set)
    if options.class_balance:
        with _cli.progress("label") as progress:
            net = balanced(net, train_set, options.class_balance, progress)
    return Training(options, folder, options.make_solver(net), train_set, val_set)


def _net(options: TrainOptions, dataset: Dataset) -> Net:
    if Path(options.model).suffix == ".prototxt":
        net = Net(caffe.read_net(options.model), phase="TRAIN", seed=options.seed)
        surgery.interp(net, surgery.zero_upsampling(net))
        return net
    preprocessing = dataset.preprocessing
    return models.build(
        options.model,
        classes=[len(labels.classes) for labels in dataset.labels.values()],
        width=options.width,
        channels=len(preprocessing.mean) if preprocessing is not None and preprocessing.bands else None,
        normalization=options.normalization,
        phase="TRAIN",
        seed=options.seed,
    )


def transplant(source: str, net: Net) -> str:
    """Copy the weights in the file `source` into the net; the table of what was taken and what was not."""
    transfers = surgery.transplant(net, read_weights(source))
    counts = Counter(each.outcome for each in transfers)
    # Upsampling is alike in all nets, and so are the biases of as many classes.
    upsampling = {layer.spec.name for layer in net.layers if layer.spec.type == "Deconvolution"}
    weights = [each for each in transfers if each.index == 0 and each.layer not in upsampling]
    if not any(each.outcome in ("taken", "coerced") for each in weights):
        raise TrainingError(
            f"{source}: none of its parameters fits the net by name and shape; check --model and --width."
        )
    summary = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    lines = [f"{source}: parameters {summary}"]
    lines += [f"  {each}" for each in transfers if each.outcome != "taken"]
    return "\n".join(lines)

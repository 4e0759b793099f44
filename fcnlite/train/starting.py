"""From options to a training that can begin: data checked, net built, solver ready."""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import replace
from pathlib import Path

from fcnlite import _cli, caffe, config, models, surgery
from fcnlite._cli_data import open_data
from fcnlite.data import Dataset
from fcnlite.errors import TrainingError
from fcnlite.loading import read_weights
from fcnlite.net import Net
from fcnlite.spec import ModelInfo, NetSpec
from fcnlite.train.balance import class_shares, class_weights, weighted
from fcnlite.train.loop import Training, check_classes
from fcnlite.train.options import TrainOptions
from fcnlite.train.run_folder import RunFolder


def with_threads(options: TrainOptions) -> TrainOptions:
    """The options with the number of threads, now in force: a run is resumed with as many, to be the same."""
    if options.threads is not None:
        config.set_num_threads(options.threads)
    return replace(options, threads=config.num_threads())


def start(options: TrainOptions, folder: RunFolder) -> Training:
    """Data checked, net built, solver ready."""
    train_set = _checked(options, "train")
    val_set = _checked(options, "val") if options.validation else None
    net = _net(options, train_set)
    run = Training(options, folder, options.make_solver(net), train_set, val_set)
    check_classes(run)
    net.info = ModelInfo(preprocessing=net.info.preprocessing, classes=train_set.classes, colors=train_set.colors)
    return run


def _checked(options: TrainOptions, split: str) -> Dataset:
    """A split of the data, every file of which has been read once."""
    dataset = open_data(argparse.Namespace(**options.plain()), split)
    with _cli.progress("picture") as progress:
        dataset.check(progress)
    return dataset


def _net(options: TrainOptions, dataset: Dataset) -> Net:
    def balanced(spec: NetSpec) -> NetSpec:
        if not options.class_balance:
            return spec
        with _cli.progress("label") as progress:
            shares = class_shares(dataset, progress)
        return weighted(spec, class_weights(shares, options.class_balance))

    if Path(options.model).suffix == ".prototxt":
        net = Net(balanced(caffe.read_net(options.model)), phase="TRAIN", seed=options.seed)
        surgery.interp(net, surgery.zero_upsampling(net))
        return net
    net = models.build(
        options.model,
        classes=len(dataset.classes),
        width=options.width,
        normalization=options.normalization,
        phase="TRAIN",
        seed=options.seed,
    )
    spec = balanced(net.spec)
    return net if spec is net.spec else Net(spec, phase="TRAIN", seed=net.seed, info=net.info, shared=net.params)


def transplant(source: str, net: Net) -> str:
    """Copy the weights in the file `source` into the net; the table of what was taken and what was not."""
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

"""From a stage to a prepared run: data checked, net built, solver ready, weights and progress in place."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fcnlite import models, surgery
from fcnlite._cli.data_options import training_data, validation_data
from fcnlite._cli.running import progress_bar
from fcnlite._kernels import isa
from fcnlite.data import Dataset, Loader
from fcnlite.data.loader import check_sizes
from fcnlite.description.model_info import ModelInfo, Preprocessing
from fcnlite.errors import DataError, TrainingError
from fcnlite.formats import caffe, storage
from fcnlite.graph.sizing import image_inputs
from fcnlite.net import Net
from fcnlite.ranks.communicator import ALONE, Communicator
from fcnlite.ranks.team import Team
from fcnlite.segmentation.class_matching import match_classes
from fcnlite.segmentation.compatibility import prepare as prepare_net
from fcnlite.segmentation.heads import Head
from fcnlite.train.balance import balanced
from fcnlite.train.checkpoint import Progress
from fcnlite.train.data_layers import replace_data_layers
from fcnlite.train.fingerprint import Fingerprint
from fcnlite.train.freezing import decay_weights_only, freeze, with_kept_statistics
from fcnlite.train.initial_weights import transplant
from fcnlite.train.options import STRICT, MismatchPolicy, TrainOptions
from fcnlite.train.plan import Stage
from fcnlite.train.run import TrainingRun, layer_not_finite
from fcnlite.train.run_folder import RunFolder


def prepare(stage: Stage, policy: MismatchPolicy = STRICT, ranks: Communicator = ALONE) -> TrainingRun:
    """Prepare the run of a stage, which several `ranks` train together. Nothing is written to its folder yet.

    Here, and only here, beginning and resuming differ: the weights come from --init or the fillers, or all comes from
    the checkpoint. Raises `DataError` or `TrainingError` where data, net and weights do not fit.
    """
    _check_kernels(ranks)
    folder = stage.folder
    train_set, val_set, options = _data(stage.options.resolved(), ranks)
    stored = storage.load(folder.last).info if stage.resumes else None
    net = _net(options, train_set)
    known = _preprocessing(options, train_set.own_preprocessing)
    if known is not None and _fits(net, known):
        net.info = ModelInfo(preprocessing=known)
    prepare_net(net, train_set)
    if stored is not None:
        net.info = replace(net.info, preprocessing=stored.preprocessing)
    frozen = freeze(net, options.freeze)
    if not options.decay_norms:
        decay_weights_only(net)
    run = _run(options, folder, net, train_set, val_set, Team.of(ranks, options.batch_size, options.iter_size))
    if stored is None:
        _begin(run, policy, frozen)
    else:
        _resume(run, stored, policy)
    run.solver.join(run.team)
    return run


def _check_kernels(ranks: Communicator) -> None:
    """Raise `TrainingError` if ranks use kernels of different instruction sets.

    Each rank updates its own copy of the weights; with differences of rounding the copies would drift apart.
    """
    used = ranks.gather(isa.name())
    if len({*used}) > 1:
        listed = ", ".join(f"rank {i}: {each}" for i, each in enumerate(used[:8]))
        raise TrainingError(
            f"the ranks compute with different instruction sets ({listed}), so their weights would drift apart; set "
            "FCNLITE_ISA to one that all have."
        )


def _data(options: TrainOptions, ranks: Communicator) -> tuple[Dataset, Dataset | None, TrainOptions]:
    """The training split, the validation split if it is used, and the options with `epochs` as iterations."""
    of_data = argparse.Namespace(**options.to_json())
    train_set = training_data(of_data, ranks)
    options = options.sized(len(train_set))
    options.augmentation.check(train_set)
    if options.batch_size > 1 and options.augmentation.crop is None:
        _check_sizes(options, train_set)
    val_set = validation_data(of_data, ranks) if options.validation else None
    if val_set is not None and val_set.labels != train_set.labels:
        raise DataError(
            f"the splits {train_set.split} and {val_set.split} of data set {train_set.name!r} have different classes: "
            f"{', '.join(train_set.classes)} and {', '.join(val_set.classes)}; name them (--data-option classes=...)."
        )
    return train_set, val_set, options


def _check_sizes(options: TrainOptions, train_set: Dataset) -> None:
    """Raise `DataError` where the pictures of a batch, which are not cropped, would differ in size."""
    check_sizes(train_set.sizes)
    sizes = train_set.sizes or [train_set[0].label.shape]
    for each in options.augmentation.transforms:
        if any(each.varies(size) for size in sizes):
            raise DataError(
                f"augmentation {each}: changes the sizes of pictures, and those of a batch must have one size; add "
                "crop=HEIGHT:WIDTH to --augment, or train with --batch-size 1."
            )


def _run(
    options: TrainOptions, folder: RunFolder, net: Net, train_set: Dataset, val_set: Dataset | None, team: Team
) -> TrainingRun:
    """The run with its solver and its loader, at iteration 0."""
    solver = options.make_solver(net)
    loader = Loader(
        train_set,
        batch_size=options.batch_size,
        augment=options.augmentation,
        preprocessing=net.info.preprocessing,
        seed=options.seed,
        team=team,
        iter_size=options.iter_size,
    )
    fingerprint = Fingerprint.of(train_set, val_set)
    progress = Progress(len(train_set), data=fingerprint.digest, ranks=team.ranks.size)
    return TrainingRun(options, folder, solver, train_set, val_set, loader, fingerprint, progress, team)


def _net(options: TrainOptions, dataset: Dataset) -> Net:
    """The net in its TRAIN phase, with the parameters of its fillers."""
    suffix = Path(options.model).suffix
    if suffix in (".h5", ".hdf5", ".caffemodel"):
        raise TrainingError(
            f"--model {options.model}: is a file of weights; give it to --init, and to --model the name of a model or "
            "the prototxt of the net."
        )
    described = suffix == ".prototxt" or Path(options.model).is_file()
    if described:
        spec = replace_data_layers(caffe.read_net(options.model), dataset, options.augmentation.crop)
    else:
        preprocessing = dataset.own_preprocessing
        spec = models.describe(
            options.model,
            classes=[len(labels.classes) for labels in dataset.labels.values()],
            width=options.width,
            channels=len(preprocessing.mean) if preprocessing is not None and preprocessing.bands else None,
            normalization=options.normalization,
        )
    if options.class_balance:
        with progress_bar("label") as progress:
            spec = balanced(spec, dataset, options.class_balance, progress)
    net = Net(with_kept_statistics(spec, options.freeze), phase="TRAIN", seed=options.seed)
    if described:
        surgery.interp(net, surgery.zero_upsampling(net))
    else:
        models.initialize(net)
    return net


def _preprocessing(options: TrainOptions, own: Preprocessing | None) -> Preprocessing | None:
    """The preprocessing of the weights of --init, or of a data layer in the prototxt.

    None where neither states one: the default of fcnlite holds. The data set's `own` takes precedence in any case.
    """
    if options.init is not None and storage.is_weight_file(options.init):
        found = storage.load(options.init).info.preprocessing
        if own is not None and own.bands != found.bands:
            warnings.warn(
                f"{options.init}: was trained on {found}, and the data set gives bands {_listed(own.bands)}: its first "
                "layer gets other bands than it was trained on.",
                stacklevel=2,
            )
        return replace(found, source=found.source or f"as {Path(options.init).name} was trained")
    if Path(options.model).suffix != ".prototxt":
        return None
    feeding = caffe.feeding(caffe.read_net(options.model), options.model)
    # Assumptions about a prototxt hold for trained nets; an untrained net gets the default of fcnlite.
    return feeding.preprocessing if feeding.centred or not feeding.assumed else None


def _fits(net: Net, preprocessing: Preprocessing) -> bool:
    """Whether the picture input of the net has the channels that `preprocessing` makes."""
    shape = next(iter(image_inputs(net.layers).values()), None)
    return shape is None or shape[1:2] == (len(preprocessing.mean),)


def _listed(bands: tuple[int, ...]) -> str:
    return ", ".join(map(str, bands)) or "of photographs"


def _begin(run: TrainingRun, policy: MismatchPolicy, frozen: Sequence[str]) -> None:
    """Take the initial weights, if the options name a file; prints what was taken.

    Raises `TrainingError` unless the file has the weights of all layers that are `frozen`.
    """
    net = run.solver.net
    if run.options.init is not None:
        print(transplant(run.options.init, net, policy, frozen))
    elif frozen:
        raise TrainingError(
            f"--freeze {' '.join(run.options.freeze)}: would keep random values; give the weights to keep with --init."
        )
    layer = layer_not_finite(net)
    if layer is not None:
        raise TrainingError(
            f"the parameters of layer {layer!r} are not finite at the start; check --init, or the fillers of the model."
        )


def _resume(run: TrainingRun, stored: ModelInfo, policy: MismatchPolicy) -> None:
    """Restore solver, weights and progress from the last checkpoint, whose `info` is `stored`.

    Raises `TrainingError` where the checkpoint is of another net or of other data, unless `policy` accepts that.
    """
    last, digest, size = run.folder.last, run.fingerprint.digest, len(run.train_set)
    _check_classes(run, stored, policy)
    run.saved = run.solver.restore(last)
    progress = Progress.from_json(run.saved, last)
    _check_data(run, progress, policy)
    count = run.team.ranks.size
    if progress.ranks != count:
        now = "1 process" if count == 1 else f"{count} processes"
        print(f"the run continues in {now} instead of {progress.ranks}: sums are rounded differently", file=sys.stderr)
    run.progress = replace(progress, data=digest, train_size=size, ranks=count)
    print(f"resumed at iteration {run.solver.iteration} of {run.options.iterations}", file=sys.stderr)


def _check_classes(run: TrainingRun, stored: ModelInfo, policy: MismatchPolicy) -> None:
    """Check that the classes have the numbers and names that they have in the checkpoint."""
    last, dataset = run.folder.last, run.train_set
    for name, labels in dataset.labels.items():
        before = stored.labels(name) if name in stored.more_labels or name == next(iter(dataset.labels)) else None
        if before is None or len(before.classes) != len(labels.classes) or policy.classes_by_number:
            continue
        remedy = (
            f"restore the names in the data, begin another run from these weights with --init {last}, or give "
            "--classes-by-number if class 0 is still the same, and so on"
        )
        whose, other = f"the run in {run.folder.path}", f"data set {dataset.name!r}"
        match = match_classes(Head("", before), labels, whose=whose, other=other, remedy=remedy)
        if match.order is not None:
            raise TrainingError(f"{match.remark} A resumed run keeps its class numbers; {remedy}.")
        if match.remark:
            print(match.remark, file=sys.stderr)


def _check_data(run: TrainingRun, progress: Progress, policy: MismatchPolicy) -> None:
    """Check that the data are those of the checkpoint, whose progress is `progress`."""
    folder, train_set = run.folder, run.train_set
    before = Fingerprint.read(folder.data, progress.data) if progress.data else None
    changes = before.changes(run.fingerprint) if before else []
    if before is None and progress.train_size != len(train_set):
        changes.append(f"train: {len(train_set)} samples instead of {progress.train_size}")
    elif not progress.data:
        print(f"{folder.last}: has no fingerprint of its data, which may have changed since.", file=sys.stderr)
    elif before is None and progress.data != run.fingerprint.digest:
        changes.append(f"details are unknown, because {folder.data.name} is missing or belongs to another run")
    if not changes:
        return
    listed = "; ".join(changes)
    if not policy.changed_data:
        raise TrainingError(
            f"{folder.last}: the data {train_set.name!r} of its run have changed ({listed}); resume with the same "
            "data, give --accept-changed-data to continue with the present data, or begin another run from these "
            f"weights with --init {folder.last}."
        )
    print(f"the run continues with changed data: {listed}", file=sys.stderr)

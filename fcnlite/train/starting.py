"""From options to a training that can begin: data checked, net built, solver ready."""

from __future__ import annotations

import argparse
import warnings
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from fcnlite import config, models, surgery
from fcnlite._cli import parser as _cli
from fcnlite._cli.data import training_data, validation_data
from fcnlite.data import Dataset
from fcnlite.data.loader import check_sizes
from fcnlite.description.spec import ModelInfo, Preprocessing
from fcnlite.errors import DataError, FcnliteError, SpecError, TrainingError
from fcnlite.formats import caffe
from fcnlite.graph.sizing import image_inputs
from fcnlite.loading import read_weights
from fcnlite.net import Net
from fcnlite.segmentation.class_matching import match_classes
from fcnlite.segmentation.compatibility import prepare
from fcnlite.segmentation.heads import heads, picture_inputs
from fcnlite.surgery.reordering import reordered, score_path, scoring_layers
from fcnlite.train.balance import balanced
from fcnlite.train.consent import NO_CONSENT, Consent
from fcnlite.train.feeding import fed_by
from fcnlite.train.loop import Training
from fcnlite.train.options import TrainOptions
from fcnlite.train.run_folder import RunFolder


def with_threads(options: TrainOptions) -> TrainOptions:
    """The options with the number of threads, now in force: a run is resumed with as many, to be the same.

    The root becomes absolute, so that a run can be resumed and its weights be evaluated from any folder.
    """
    if options.threads is not None:
        config.set_num_threads(options.threads)
    root = None if options.root is None else str(Path(options.root).absolute())
    return replace(options, threads=config.num_threads(), root=root)


def check_imports(options: TrainOptions, changes: Mapping[str, Any], folder: RunFolder) -> None:
    """Refuse to go on without the modules that the run was begun with: no code runs because a file names it."""
    if options.imports and "imports" not in changes:
        given = " ".join(f"--import {each}" for each in options.imports)
        raise TrainingError(f"{folder.path}: the run was begun with {given}; give that with --resume too.")


def start(options: TrainOptions, folder: RunFolder, feed: Preprocessing | None = None) -> Training:
    """Data checked, net built, solver ready. `feed`: how pictures have been fed, where a run goes on."""
    of_data = argparse.Namespace(**options.plain())
    train_set = training_data(of_data)
    options = options.sized(len(train_set))
    if options.batch_size > 1 and options.augment().crop is None:
        check_sizes(train_set.sizes)
    val_set = validation_data(of_data) if options.validation else None
    if val_set is not None and val_set.labels != train_set.labels:
        raise DataError(
            f"the splits {train_set.split} and {val_set.split} of data set {train_set.name!r} have other classes: "
            f"{', '.join(train_set.classes)} and {', '.join(val_set.classes)}; name them (--data-option classes=...)."
        )
    net = _net(options, train_set)
    known = _feeding(options, train_set.own_preprocessing)
    if known is not None and _fits(net, known):
        net.info = ModelInfo(preprocessing=known)
    prepare(net, train_set)
    if feed is not None:
        net.info = replace(net.info, preprocessing=feed)
    if options.class_balance:
        with _cli.progress("label") as progress:
            net = balanced(net, train_set, options.class_balance, progress)
    return Training(options, folder, options.make_solver(net), train_set, val_set)


def _fits(net: Net, feed: Preprocessing) -> bool:
    """Whether the net's picture has the channels that `feed` makes."""
    shape = next(iter(image_inputs(net.layers).values()), None)
    return shape is None or shape[1:2] == (len(feed.mean),)


def _listed(bands: tuple[int, ...]) -> str:
    return ", ".join(map(str, bands)) or "of photographs"


def _feeding(options: TrainOptions, own: Preprocessing | None) -> Preprocessing | None:
    """How pictures are fed by what training begins with: the weights of --init, or a prototxt's data layer.

    None where neither says it, and fcnlite's own way holds. A data set with a way of its own comes first in any case.
    """
    from fcnlite.formats import storage

    if options.init is not None and storage.is_weight_file(options.init):
        found = storage.load(options.init).info.preprocessing
        if own is not None and own.bands != found.bands:
            warnings.warn(
                f"{options.init}: was trained on {found}, and the data set gives bands {_listed(own.bands)}: its first "
                "layer takes other bands than it learned from.",
                stacklevel=2,
            )
        return replace(found, source=found.source or f"as {Path(options.init).name} was trained")
    if Path(options.model).suffix != ".prototxt":
        return None
    feeding = caffe.feeding(caffe.read_net(options.model), options.model)
    # What is assumed is so for nets that were trained; one that begins here is fed as fcnlite's own are.
    return feeding.preprocessing if feeding.centred or not feeding.assumed else None


def _net(options: TrainOptions, dataset: Dataset) -> Net:
    suffix = Path(options.model).suffix
    if suffix in (".h5", ".hdf5", ".caffemodel"):
        raise TrainingError(
            f"--model {options.model}: is a file of weights; give it by --init, and by --model a model's name or the "
            "net's prototxt."
        )
    if suffix == ".prototxt" or Path(options.model).is_file():
        spec = fed_by(caffe.read_net(options.model), dataset, options.augment().crop)
        net = Net(spec, phase="TRAIN", seed=options.seed)
        surgery.interp(net, surgery.zero_upsampling(net))
        return net
    preprocessing = dataset.own_preprocessing
    return models.build(
        options.model,
        classes=[len(labels.classes) for labels in dataset.labels.values()],
        width=options.width,
        channels=len(preprocessing.mean) if preprocessing is not None and preprocessing.bands else None,
        normalization=options.normalization,
        phase="TRAIN",
        seed=options.seed,
    )


def recorded_model(source: str, model: str | None) -> dict[str, Any]:
    """Model and width that a weight file of ours says it was trained with; empty for other files.

    `model`: the one that is asked for, if there is one. Raises `TrainingError` where the file was trained with a
    prototxt, which it does not name in full, and no model is asked for.
    """
    from fcnlite.formats import storage

    if not storage.is_weight_file(source):
        return {}
    match storage.load(source).info.record:
        case {"options": {"model": str(found), "width": int() | float() as width}}:
            if found in models.names():
                return {"model": found, "width": float(width)}
            if model is None:
                raise TrainingError(f"{source}: was trained with the net {found}; say where that is by --model.")
    return {}


def transplant(source: str, net: Net, consent: Consent = NO_CONSENT) -> str:
    """Copy the weights in the file `source` into the net; the table of what was taken and what was not.

    Scores are matched to the net's classes by name. Raises `DataError` where they cannot be, `TrainingError` where no
    weight fits.
    """
    weights, remarks = _for_the_classes(source, net, consent)
    transfers = surgery.transplant(net, weights)
    counts = Counter(each.outcome for each in transfers)
    # Upsampling is alike in all nets, and so are the biases of as many classes.
    upsampling = {layer.spec.name for layer in net.layers if layer.spec.type == "Deconvolution"}
    fitting = [each for each in transfers if each.index == 0 and each.layer not in upsampling]
    if not any(each.outcome in ("taken", "coerced") for each in fitting):
        raise TrainingError(
            f"{source}: none of its parameters fits the net by name and shape; check --model and --width."
        )
    summary = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    lines = [f"{source}: parameters {summary}", *(f"  {each}" for each in remarks)]
    lines += [f"  {each}" for each in transfers if each.outcome != "taken"]
    return "\n".join(lines)


def _for_the_classes(source: str, net: Net, consent: Consent) -> tuple[surgery.Weights, list[str]]:
    """The weights in a file, with scores in the order of the net's classes, and what to tell of that."""
    from fcnlite.formats import storage

    if consent.new_scores:
        return _without_scores(read_weights(source), net), ["score layers start new, as --new-scores says"]
    if not storage.is_weight_file(source):
        return read_weights(source), []
    content = storage.load(source)
    weights: surgery.Weights = content.params
    try:
        theirs = Net(content.spec, info=content.info)
        pictures = picture_inputs(theirs)
        found = heads(theirs, pictures)
    except FcnliteError:
        return weights, []  # it scores no classes, such as a trunk or a classifier
    remarks = []
    mine = heads(net.share("TEST"), picture_inputs(net))
    for label, head in found.items():
        # One label alone may be called otherwise.
        own = mine.get(label) or (next(iter(mine.values())) if len(found) == len(mine) == 1 else None)
        if own is None or len(own.labels.classes) != len(head.labels.classes):
            continue
        match = match_classes(
            head, own.labels, whose=source, other="the data set", remedy=_OTHER_CLASSES,
            by_number=consent.classes_by_number,
        )  # fmt: skip
        if match.remark:
            remarks.append(match.remark)
        if match.order is None:
            continue
        try:
            weights = reordered(weights, score_path(theirs, head.blob, pictures), match.order)
        except SpecError as error:
            weights = _without_scores(weights, net)
            remarks.append(f"score layers start new, since theirs cannot be put into this order: {error}")
    return weights, remarks


def _without_scores(weights: surgery.Weights, net: Net) -> surgery.Weights:
    """`weights` but for those of the net's score and upsampling layers."""
    pictures = picture_inputs(net)
    test = net.share("TEST")
    scoring = {name for head in heads(test, pictures).values() for name in scoring_layers(test, head.blob, pictures)}
    return {name: arrays for name, arrays in weights.items() if name not in scoring}


_OTHER_CLASSES = (
    "give --new-scores to take all but the scores, or --classes-by-number if class 0 of both means the same, and so on"
)

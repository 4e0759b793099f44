"""Initial weights of a run: from a weight file to a net, by name, shape and class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from fcnlite import models, surgery
from fcnlite.errors import FcnliteError, SpecError, TrainingError
from fcnlite.formats import storage
from fcnlite.loading import read_weights
from fcnlite.net import Net
from fcnlite.segmentation.class_matching import match_classes
from fcnlite.segmentation.heads import heads, picture_inputs
from fcnlite.surgery.reordering import reordered, score_path, scoring_layers
from fcnlite.train.options import STRICT, MismatchPolicy

_OTHER_CLASSES = (
    "give --new-scores to take all but the scores, or --classes-by-number if class 0 of both means the same, and so on"
)


def recorded_model(source: str, model: str | None) -> dict[str, Any]:
    """The model and the width that one of our weight files was trained with; empty for other files.

    `model` is the model that the user names, if any. Raises `TrainingError` where the file was trained with a prototxt,
    whose path it does not record, and the user names no model.
    """
    if not storage.is_weight_file(source):
        return {}
    match storage.load(source).info.record:
        case {"options": {"model": str(found), "width": int() | float() as width}}:
            if found in models.names():
                return {"model": found, "width": float(width)}
            if model is None:
                raise TrainingError(f"{source}: was trained with the net {found}; give the path of that to --model.")
    return {}


def transplant(source: str, net: Net, policy: MismatchPolicy = STRICT, frozen: Sequence[str] = ()) -> str:
    """Copy the weights in the file `source` into the net; returns a table of what was copied and what was not.

    Scores are matched to the classes of the net by name. Raises `DataError` where the names differ, `TrainingError`
    where no weight fits, or where one of the layers that are `frozen` does not get all its parameters.
    """
    weights, remarks = _for_the_classes(source, net, policy)
    transfers = surgery.transplant(net, weights)
    counts = Counter(each.outcome for each in transfers)
    # Upsampling weights are alike in all nets, and so are the biases of equally many classes: they prove no match.
    upsampling = {layer.spec.name for layer in net.layers if layer.spec.type == "Deconvolution"}
    fitting = [each for each in transfers if each.index == 0 and each.layer not in upsampling]
    if not any(each.outcome in ("taken", "coerced") for each in fitting):
        raise TrainingError(
            f"{source}: none of its parameters fits the net by name and shape; check --model and --width."
        )
    lost = [each for each in transfers if each.layer in frozen and each.outcome not in ("taken", "coerced")]
    if lost:
        raise TrainingError(
            f"{source}: lacks parameters of layer {lost[0].layer!r}, which --freeze keeps; freeze other layers."
        )
    summary = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    lines = [f"{source}: parameters {summary}", *(f"  {each}" for each in remarks)]
    lines += [f"  {each}" for each in transfers if each.outcome != "taken"]
    return "\n".join(lines)


def _for_the_classes(source: str, net: Net, policy: MismatchPolicy) -> tuple[surgery.Weights, list[str]]:
    """The weights in a file, with scores in the order of the net's classes, and remarks for the user."""
    if policy.new_scores:
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
        return weights, []  # a net without scores of pixels, such as a trunk or a classifier
    remarks = []
    mine = heads(net.share("TEST"), picture_inputs(net))
    for label, head in found.items():
        # A single label may have another name.
        own = mine.get(label) or (next(iter(mine.values())) if len(found) == len(mine) == 1 else None)
        if own is None or len(own.labels.classes) != len(head.labels.classes):
            continue
        match = match_classes(
            head, own.labels, whose=source, other="the data set", remedy=_OTHER_CLASSES,
            by_number=policy.classes_by_number,
        )  # fmt: skip
        if match.remark:
            remarks.append(match.remark)
        if match.order is None:
            continue
        try:
            weights = reordered(weights, score_path(theirs, head.blob, pictures), match.order)
        except SpecError as error:
            weights = _without_scores(weights, net)
            remarks.append(f"score layers start new, because the scores of the file cannot be reordered: {error}")
    return weights, remarks


def _without_scores(weights: surgery.Weights, net: Net) -> surgery.Weights:
    """`weights` without those of the net's score and upsampling layers."""
    pictures = picture_inputs(net)
    test = net.share("TEST")
    scoring = {name for head in heads(test, pictures).values() for name in scoring_layers(test, head.blob, pictures)}
    return {name: arrays for name, arrays in weights.items() if name not in scoring}

"""Where a net meets pictures and labels: the inputs that take pictures, the scores of each label map.

Most nets take one picture (`data`) and score one label map (`label`); NYUDv2's take colour and depth or HHA, SIFT
Flow's score two label maps (`sem`, `geo`).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from fcnlite.arrays import Shape
from fcnlite.data.dataset import Dataset
from fcnlite.data.palette import voc_colors
from fcnlite.data.sample import VOID
from fcnlite.data.transforms import check_picture
from fcnlite.data.voc import CLASSES as VOC_CLASSES
from fcnlite.description.shapes import show
from fcnlite.description.spec import Labels, ModelInfo, Preprocessing
from fcnlite.errors import DataError, SpecError
from fcnlite.graph.sizing import image_inputs
from fcnlite.layers import Layer
from fcnlite.net import Net

TRIAL_SIDE = 224
"""Height and width to infer shapes with where the description gives none."""


class Head(NamedTuple):
    """The scores of one label map."""

    blob: str
    labels: Labels
    """Names and colours of the classes, as many as the blob has channels."""
    named: bool = True
    """Whether the names are the net's own; False where its file gave none."""


class ClassMatch(NamedTuple):
    """How the classes of a net and those of a data set correspond."""

    order: tuple[int, ...] | None = None
    """For each class of the net its number in the data; None where the numbers are the same."""
    remark: str = ""
    """What the user should know of it; empty where the names are equal."""


def picture_inputs(net: Net) -> dict[str, Shape]:
    """The inputs that take pictures, with shapes to try the net with.

    Raises `SpecError` where there are none, or where one has other channels than the preprocessing makes.
    """
    inputs: dict[str, Shape] = {}
    for name, shape in image_inputs(net.layers).items():
        preprocessing = net.info.preprocessing.of(name)
        channels = len(preprocessing.mean)
        inputs[name] = (1, channels, TRIAL_SIDE, TRIAL_SIDE) if shape is None else shape
        if shape is not None and (len(shape) != 4 or shape[1] != channels):
            raise SpecError(
                f"input {name!r} has shape {show(shape)}, but pictures in {preprocessing.color} come as "
                f"1×{channels}×H×W; correct the preprocessing or the description (bands= chooses bands of pictures)."
            )
    if not inputs:
        raise SpecError("the net computes with 0 inputs; expected at least one, the picture.")
    return inputs


def heads(net: Net, pictures: Mapping[str, Shape]) -> dict[str, Head]:
    """The scores of each label map by the blob of the label, in the net's order, for inputs of these shapes.

    Raises `SpecError` where they are not class scores of every pixel, or `info` names another number of classes.
    """
    made: dict[str, Shape] = {}
    unread: dict[str, Shape] = {}
    for layer, _, tops in net.shapes(dict(pictures)):
        for bottom in layer.spec.bottom:
            unread.pop(bottom, None)
        made.update(zip(layer.spec.top, tops, strict=True))
        unread.update(zip(layer.spec.top, tops, strict=True))
    blobs = _score_blobs(net.layers, made, unread)
    return {
        label: Head(blob, _named(net.info, label, blob, made[blob][1]), bool(net.info.labels(label).classes))
        for label, blob in blobs.items()
    }


def _score_blobs(layers: Sequence[Layer], made: Mapping[str, Shape], unread: Mapping[str, Shape]) -> dict[str, str]:
    """The blob of class scores for each label.

    Where losses compare with several labels, these are what they compare; else it is `score` if that exists, else the
    only output of four axes, else outputs that are all called `score_LABEL`.
    """
    compared = {
        layer.spec.bottom[1]: layer.spec.bottom[0]
        for layer in layers
        if layer.is_loss and len(layer.spec.bottom) > 1 and len(made.get(layer.spec.bottom[0], ())) == 4
    }
    if len(compared) > 1:
        return compared
    label = next(iter(compared), "label")
    if len(made.get("score", ())) == 4:
        return {label: "score"}
    maps = [name for name, shape in unread.items() if len(shape) == 4]
    if len(maps) == 1:
        return {label: maps[0]}
    if maps and all(name.startswith("score_") for name in maps):
        return {name.removeprefix("score_"): name for name in maps}
    outputs = ", ".join(f"{name} {show(shape)}" for name, shape in unread.items())
    raise SpecError(
        f"the net has {len(maps)} outputs of four axes (found: {outputs}), and none is called 'score'; "
        "expected one, N×C×H×W class scores, from a fully convolutional net."
    )


def _named(info: ModelInfo, label: str, blob: str, count: int) -> Labels:
    """Names and colours for `count` classes; VOC's names for 21 without, else numbers."""
    if not 2 <= count <= VOID:
        raise SpecError(
            f"blob {blob!r} has {count} channels; expected 2 to {VOID} classes, since label maps are "
            f"uint8 and {VOID} is void."
        )
    given = info.labels(label)
    classes = given.classes or default_classes(count)
    if len(classes) != count:
        raise SpecError(
            f"the net scores {count} classes, but the file names {len(classes)}; "
            "correct `info.classes` and save the net again."
        )
    return Labels(classes, given.colors or voc_colors(count))


def default_classes(count: int) -> tuple[str, ...]:
    """Names for classes that came without: VOC's if there are 21, else their numbers."""
    return VOC_CLASSES if count == len(VOC_CLASSES) else tuple(f"class {number}" for number in range(count))


def prepare(net: Net, dataset: Dataset) -> None:
    """Give a net that is to be trained on `dataset` its `info`: the data's labels, and preprocessing if it has its own.

    Raises `DataError` unless pictures, labels and classes of the two fit, and have the same names.
    """
    _check_pictures([*image_inputs(net.layers)], dataset)
    preprocessing = dataset.own_preprocessing or net.info.preprocessing
    if preprocessing.mean_picture is not None:
        warnings.warn(
            "training cuts, resizes and mirrors pictures, to which a mean picture does not fit: its mean of each "
            "channel is subtracted instead.",
            stacklevel=2,
        )
    preprocessing = _fitted(net, replace(preprocessing, mean_picture=None))
    net.info = ModelInfo(preprocessing=preprocessing)
    inputs = picture_inputs(net)
    scored = heads(net.share("TEST"), inputs)
    check_compatible(scored, [*inputs], dataset)
    for what, blobs, names in (("pictures", inputs, dataset.pictures), ("labels", scored, tuple(dataset.labels))):
        if set(blobs) != set(names):
            raise DataError(
                f"the net has the inputs {', '.join(blobs)} for its {what}, but those of data set {dataset.name!r} are "
                f"called {', '.join(names)}; rename the net's."
            )
    _check_first(dataset, preprocessing)
    (_, first), *others = dataset.labels.items()
    net.info = ModelInfo(preprocessing, first.classes, first.colors, more_labels=dict(others))


def _check_first(dataset: Dataset, preprocessing: Preprocessing) -> None:
    """Raise `DataError` where the first picture of the data set is of another kind than the preprocessing takes."""
    sample = dataset[0]
    for name, image in sample.images.items():
        try:
            check_picture(image, preprocessing.of(name))
        except DataError as error:
            raise DataError(
                f"data set {dataset.name!r} ({dataset.split}), sample {sample.name!r}: {error} A data set whose "
                "pictures are not RGB of 8 bits says how they are fed (`preprocessing`)."
            ) from error


def _fitted(net: Net, preprocessing: Preprocessing) -> Preprocessing:
    """`preprocessing`, made gray where the net has one input of one channel and pictures of three would come."""
    inputs = image_inputs(net.layers)
    shape = next(iter(inputs.values()), None)
    colors = len(preprocessing.mean) == 3 and preprocessing.color in ("BGR", "RGB")
    if len(inputs) != 1 or shape is None or shape[1:2] != (1,) or not colors:
        return preprocessing
    std = (sum(preprocessing.std) / 3,) if preprocessing.std else ()
    return replace(preprocessing, color="GRAY", mean=(sum(preprocessing.mean) / 3,), std=std, mean_picture=None)


def check_compatible(net_heads: Mapping[str, Head], inputs: Sequence[str], dataset: Dataset) -> None:
    """Raise `DataError` unless the net takes the pictures of the data set and scores its labels and classes."""
    _check_pictures(inputs, dataset)
    if len(dataset.labels) > 1 and list(dataset.labels) != list(net_heads):
        raise DataError(
            f"the net scores the labels {', '.join(net_heads)}, but data set {dataset.name!r} has "
            f"{', '.join(dataset.labels)}; give the data that the net was made for."
        )
    if len(dataset.labels) < len(net_heads):
        raise DataError(
            f"the net scores {len(net_heads)} labels ({', '.join(net_heads)}), but data set {dataset.name!r} has one; "
            "give the data that the net was made for."
        )
    for head, labels in zip(net_heads.values(), dataset.labels.values(), strict=True):
        count = len(labels.classes)
        if len(head.labels.classes) != count:
            raise DataError(
                f"the net scores {len(head.labels.classes)} classes, but data set {dataset.name!r} has {count} "
                f"({', '.join(labels.classes[:4])}{', ...' if count > 4 else ''}); "
                "give the data that the net was made for, or set num_output of its score and upsampling layers to that."
            )


def match_classes(
    head: Head, labels: Labels, *, whose: str, other: str, remedy: str, by_number: bool = False
) -> ClassMatch:
    """How the classes of `head`, those of `whose` weights, correspond to `labels`, those of `other`; as many of both.

    Equal names keep their numbers. The same names in another order are matched by name, also where they differ in
    upper case, spaces, hyphens and underscores. Classes without names (`class 0`, `1`) are matched by number, and so
    are all `by_number`. Raises `DataError`, which ends in the `remedy`, for other names.
    """
    ours, theirs = head.labels.classes, labels.classes
    if by_number or ours == theirs:
        return ClassMatch()
    plain, wanted = _plain_names(ours), _plain_names(theirs)
    if plain == wanted:
        pairs = [f"{a!r} is {b!r}" for a, b in zip(ours, theirs, strict=True) if a != b]
        return ClassMatch(remark=f"class names of {whose} and {other} differ in spelling only: {_few(pairs)}.")
    if sorted(plain) == sorted(wanted) and len(set(plain)) == len(plain):
        order = tuple(wanted.index(name) for name in plain)
        moved = [f"{name!r} is {i} and {n}" for i, (name, n) in enumerate(zip(ours, order, strict=True)) if i != n]
        remark = f"the classes of {whose} have other numbers in {other} and are matched by name: {_few(moved)}."
        return ClassMatch(order, remark)
    if not head.named or _numbers_only(ours) or _numbers_only(theirs):
        return ClassMatch()
    only_ours = [name for name, each in zip(ours, plain, strict=True) if each not in wanted]
    only_theirs = [name for name, each in zip(theirs, wanted, strict=True) if each not in plain]
    differing = f"; only the former have {_few(only_ours)}, only the latter {_few(only_theirs)}" if only_ours else ""
    raise DataError(
        f"the classes of {whose} ({_few(ours, 12)}) are not those of {other} ({_few(theirs, 12)}){differing}; {remedy}."
    )


def _plain_names(names: Sequence[str]) -> list[str]:
    """The names without what people write either way; as they are where they would no longer differ."""
    plain = [" ".join(re.split(r"[\s_-]+", name.strip())).casefold() for name in names]
    return plain if len(set(plain)) == len(plain) else list(names)


def _numbers_only(names: Sequence[str]) -> bool:
    """Whether the classes have numbers for names."""
    return all(re.fullmatch(r"(class|label)?[\s_-]*\d+", name.strip(), re.IGNORECASE) for name in names)


def _few(items: Sequence[str], shown: int = 6) -> str:
    return ", ".join(items[:shown]) + (f" and {len(items) - shown} more" if len(items) > shown else "")


def _check_pictures(inputs: Sequence[str], dataset: Dataset) -> None:
    pictures = dataset.pictures
    if len(inputs) != len(pictures) or (len(inputs) > 1 and set(inputs) != set(pictures)):
        raise DataError(
            f"the net takes {_pictures(inputs)}, but data set {dataset.name!r} gives {_pictures(pictures)}; give the "
            "data that the net was made for (nyud has the option inputs=color,depth)."
        )


def _pictures(names: Sequence[str]) -> str:
    return "one picture" if len(names) == 1 else f"{len(names)} ({', '.join(names)})"

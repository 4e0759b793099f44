"""Whether a net and a data set fit together, and how a net is prepared for the data set that it is trained on."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace

from fcnlite.data.dataset import Dataset
from fcnlite.data.transforms import check_picture
from fcnlite.description.model_info import ModelInfo, Preprocessing
from fcnlite.errors import DataError
from fcnlite.graph.sizing import image_inputs
from fcnlite.net import Net
from fcnlite.segmentation.heads import Head, heads, picture_inputs


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


def _check_pictures(inputs: Sequence[str], dataset: Dataset) -> None:
    pictures = dataset.pictures
    if len(inputs) != len(pictures) or (len(inputs) > 1 and set(inputs) != set(pictures)):
        raise DataError(
            f"the net takes {_pictures(inputs)}, but data set {dataset.name!r} gives {_pictures(pictures)}; give the "
            "data that the net was made for (nyud has the option inputs=color,depth)."
        )


def _pictures(names: Sequence[str]) -> str:
    return "one picture" if len(names) == 1 else f"{len(names)} ({', '.join(names)})"

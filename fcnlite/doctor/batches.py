"""What the net is tried with: a few pictures of the data set, else random noise in the range of the input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.data import Dataset, Sample
from fcnlite.data.transforms import label_to_blob, to_blob
from fcnlite.doctor.structure import blob_shapes, picture_shapes, reference_shapes, softmax_losses
from fcnlite.errors import FcnliteError
from fcnlite.layers import Layer
from fcnlite.net import Net

PICTURES = 2
LARGEST = 500
"""Height and width that a picture is cut to: as large as VOC's, so that a batch takes seconds."""


@dataclass(frozen=True)
class Batch:
    """One picture, or noise."""

    name: str
    pictures: dict[str, Array]
    """What the net needs to score: pictures, and zeros for inputs that only give others their height and width."""
    labels: dict[str, Array]
    classes: int
    """How many the label of a real picture has; 0 for noise."""


def sample_batches(net: Net, dataset: Dataset | None, labelled: bool = False) -> list[Batch]:
    """Of the data set, if its pictures fit the net's inputs; `labelled`: with its labels, else with random ones."""
    preprocessing = net.info.preprocessing
    shapes = picture_shapes(net.layers, preprocessing)
    fits = all(shape[1:2] == (len(preprocessing.of(name).mean),) for name, shape in shapes.items())
    if dataset is None or not fits or len(shapes) != len(dataset.pictures):
        return [_noise(net, shapes)]
    # One picture goes to the only input, whatever it is called.
    names = dict(zip(dataset.pictures, shapes, strict=True)) if len(shapes) == 1 else {each: each for each in shapes}
    if set(names) != set(dataset.pictures):
        return [_noise(net, shapes)]
    found = [_of_sample(net, sample, names, labelled) for sample in _samples(dataset)]
    return found or [_noise(net, shapes)]


def _samples(dataset: Dataset) -> list[Sample]:
    """A few, evenly spread; those that cannot be read are passed over (labels.py tells of them)."""
    found = []
    for i in range(min(PICTURES, len(dataset))):
        try:
            found.append(dataset[i * len(dataset) // PICTURES])
        except FcnliteError:
            continue
    return found


def _of_sample(net: Net, sample: Sample, names: Mapping[str, str], labelled: bool) -> Batch:
    """`names`: the inputs that the sample's pictures are fed to."""
    height, width = (min(side, LARGEST) for side in sample.label.shape)
    top, left = ((side - kept) // 2 for side, kept in zip(sample.label.shape, (height, width), strict=True))
    window = np.s_[top : top + height, left : left + width]
    label = sample.label[window]
    wanted = {layer.spec.bottom[1] for layer in softmax_losses(net.layers)}
    if labelled and len(wanted) == len(sample.labels) == 1:
        labels = {wanted.pop(): label_to_blob(label)[None]}
    elif labelled and wanted == set(sample.labels):
        labels = {name: label_to_blob(each[window])[None] for name, each in sample.labels.items()}
    else:
        labels = _random_labels(net, (height, width))
    pictures = {
        names[each]: to_blob(np.ascontiguousarray(image[window]), net.info.preprocessing.of(names[each]))[None]
        for each, image in sample.images.items()
    }
    pictures.update(_references(net, pictures))
    return Batch(f"picture {sample.name!r}", pictures, labels, len(set(np.unique(label)) - {255}))


def _noise(net: Net, shapes: dict[str, Shape]) -> Batch:
    """Bytes drawn evenly, less the mean."""
    rng = np.random.default_rng(0)
    preprocessing = net.info.preprocessing
    pictures = {}
    for name, shape in shapes.items():
        bytes_ = rng.integers(0, 256, shape).astype(np.float32)
        mean = np.float32(np.mean(preprocessing.of(name).mean))
        pictures[name] = (bytes_ - mean) * np.float32(preprocessing.of(name).scale)
    pictures.update(_references(net, pictures))
    return Batch("random noise", pictures, _random_labels(net, None), 0)


def _references(net: Net, pictures: Mapping[str, Array]) -> dict[str, Array]:
    shapes = reference_shapes(net.layers, {name: each.shape for name, each in pictures.items()})
    return {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}


def _random_labels(net: Net, size: tuple[int, int] | None) -> dict[str, Array]:
    """A random class for every position of the scores that a loss compares with an input."""
    shapes, rng = blob_shapes(net, size), np.random.default_rng(0)
    labels = {}
    for layer in softmax_losses(net.layers):
        scores, axis = shapes.get(layer.spec.bottom[0]), layer.options.axis
        if scores is None:
            continue  # it depends on what nobody feeds: the forward leaves the loss out
        positions = [1 if i == axis % len(scores) else side for i, side in enumerate(scores)]
        if _is_input(net.layers, layer.spec.bottom[1]):
            labels[layer.spec.bottom[1]] = rng.integers(0, scores[axis], positions)
    return labels


def _is_input(layers: Sequence[Layer], blob: str) -> bool:
    return any(blob in layer.spec.top for layer in layers if not layer.spec.bottom)

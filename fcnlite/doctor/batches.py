"""The batches on which the doctor runs a net: a few pictures of the data set, else random noise."""

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
"""The largest height and width; larger pictures are cropped. As in VOC, so that a batch takes seconds."""


@dataclass(frozen=True)
class Batch:
    """One picture or noise, with labels."""

    name: str
    pictures: dict[str, Array]
    """The inputs for the scores: pictures, and zeros for inputs that serve only as the reference of a Crop."""
    labels: dict[str, Array]
    classes: int
    """The number of classes in the label of a picture; 0 for noise."""


def sample_batches(net: Net, dataset: Dataset | None, labelled: bool = False) -> list[Batch]:
    """Batches of the data set, if its pictures fit the net's inputs, else one of noise.

    `labelled`: use the labels of the data set, else random ones.
    """
    preprocessing = net.info.preprocessing
    shapes = picture_shapes(net.layers, preprocessing)
    fits = all(shape[1:2] == (len(preprocessing.of(name).mean),) for name, shape in shapes.items())
    if dataset is None or not fits or len(shapes) != len(dataset.pictures):
        return [_noise(net, shapes)]
    # A single picture is fed to the only input, whatever its name.
    names = dict(zip(dataset.pictures, shapes, strict=True)) if len(shapes) == 1 else {each: each for each in shapes}
    if set(names) != set(dataset.pictures):
        return [_noise(net, shapes)]
    found = [_of_sample(net, sample, names, labelled) for sample in _samples(dataset)]
    return found or [_noise(net, shapes)]


def _samples(dataset: Dataset) -> list[Sample]:
    """A few samples, spread evenly; skips those that cannot be read (labels.py reports them)."""
    found = []
    for i in range(min(PICTURES, len(dataset))):
        try:
            found.append(dataset[i * len(dataset) // PICTURES])
        except FcnliteError:
            continue
    return found


def _of_sample(net: Net, sample: Sample, names: Mapping[str, str], labelled: bool) -> Batch:
    """The batch of one sample. `names`: the inputs of the net by the sample's names of its pictures."""
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
    """A batch of uniformly distributed bytes, minus the mean."""
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
    """A random class for every position of the scores, for each loss whose labels are an input."""
    shapes, rng = blob_shapes(net, size), np.random.default_rng(0)
    labels = {}
    for layer in softmax_losses(net.layers):
        scores, axis = shapes.get(layer.spec.bottom[0]), layer.options.axis
        if scores is None:
            continue  # the scores depend on an input that is not given: forward leaves the loss out
        positions = [1 if i == axis % len(scores) else side for i, side in enumerate(scores)]
        if _is_input(net.layers, layer.spec.bottom[1]):
            labels[layer.spec.bottom[1]] = rng.integers(0, scores[axis], positions)
    return labels


def _is_input(layers: Sequence[Layer], blob: str) -> bool:
    return any(blob in layer.spec.top for layer in layers if not layer.spec.bottom)

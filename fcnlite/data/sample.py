"""One sample of a data set: pictures with their label maps, and the check that it is valid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fcnlite.description.model_info import MOST_BANDS, Labels
from fcnlite.errors import DataError

VOID = 255
"""The label of pixels that training and evaluation ignore."""

_PICTURES = ("uint8", "uint16", "float32")


@dataclass(frozen=True)
class Sample:
    """The pictures and the label maps of one scene, all of one height and width."""

    images: Mapping[str, np.ndarray]
    """Pictures by the blob that they are fed to (a single one: `data`): H×W×3 uint8 RGB, or H×W uint16 (gray, depth).

    They have the order of the data set's `pictures`; the label maps have the order of its `labels`.
    """
    labels: Mapping[str, np.ndarray]
    """Label maps by the blob that they are fed to (a single one: `label`): H×W uint8, classes or `VOID`."""
    name: str

    @property
    def image(self) -> np.ndarray:
        """The first picture."""
        return next(iter(self.images.values()))

    @property
    def label(self) -> np.ndarray:
        """The first label map."""
        return next(iter(self.labels.values()))


def check_sample(sample: Any, pictures: Sequence[str], labels: Mapping[str, Labels]) -> None:
    """Raise `DataError` unless `sample` is valid for a data set with these picture blobs and these labels."""
    if not isinstance(sample, Sample):
        raise DataError(f"is a {type(sample).__name__}; expected fcnlite.data.Sample(images, labels, name).")
    if not isinstance(sample.name, str):
        raise DataError(f"its name is {sample.name!r}; expected a string.")
    _check_names("images", sample.images, "pictures", pictures)
    _check_names("labels", sample.labels, "labels", list(labels))
    sizes = {name: _picture_size(f"image {name!r}", image) for name, image in sample.images.items()}
    for name, label in sample.labels.items():
        sizes[name] = _label_size(f"label {name!r}", label, len(labels[name].classes))
    if len(set(sizes.values())) > 1:
        sizes_text = ", ".join(f"{name} {height}×{width}" for name, (height, width) in sizes.items())
        raise DataError(f"its blobs differ in height × width ({sizes_text}); expected one size.")


def _check_names(what: str, found: Any, where: str, expected: Sequence[str]) -> None:
    if not isinstance(found, Mapping):
        raise DataError(
            f"its {what} are a {type(found).__name__}; expected arrays by blob, such as {{{expected[0]!r}: array}}."
        )
    if list(found) != list(expected):
        raise DataError(
            f"its {what} are for {', '.join(map(repr, found)) or 'no blob'}, but the data set's {where} are for "
            f"{', '.join(map(repr, expected))}; expected the same blobs in the same order."
        )


def _picture_size(what: str, image: Any) -> tuple[int, int]:
    expected = f"H×W or H×W×C with at most {MOST_BANDS} bands, of type {', '.join(_PICTURES[:-1])} or {_PICTURES[-1]}"
    _check_array(what, image, expected)
    shape = image.shape
    if image.ndim == 3 and shape[0] in (1, 3, 4) and shape[2] > MOST_BANDS:
        raise DataError(f"{what} has shape {_show(shape)}, which looks like C×H×W; use .transpose(1, 2, 0).")
    bands = shape[2] if image.ndim == 3 else 1
    if image.ndim not in (2, 3) or not 1 <= bands <= MOST_BANDS or image.size == 0:
        raise DataError(f"{what} has shape {_show(shape)}; expected {expected}.")
    if image.dtype not in _PICTURES:
        remedy = ""
        if image.dtype == np.float64:
            remedy = ": use .astype(np.float32)"
        elif image.dtype.kind in "iu":
            remedy = ": use .astype(np.uint8) if all values are from 0 to 255"
        raise DataError(f"{what} is of type {image.dtype}; expected {expected}{remedy}.")
    return shape[0], shape[1]


def _label_size(what: str, label: Any, classes: int) -> tuple[int, int]:
    expected = "H×W of type uint8: the class of each pixel, or 255 for void"
    _check_array(what, label, expected)
    if label.ndim != 2 or label.size == 0:
        squeeze = " (it has an extra axis of length 1: use .squeeze())" if 1 in label.shape and label.ndim == 3 else ""
        raise DataError(f"{what} has shape {_show(label.shape)}{squeeze}; expected {expected}.")
    if label.dtype != np.uint8:
        remedy = "; use .astype(np.uint8) if all values are from 0 to 255"
        raise DataError(
            f"{what} is of type {label.dtype}; expected {expected}{remedy if label.dtype.kind in 'iufb' else ''}."
        )
    if classes <= VOID and ((label >= classes) & (label != VOID)).any():
        outside = [value for value in np.unique(label) if classes <= value < VOID]
        shown = ", ".join(map(str, outside[:8])) + (", ..." if len(outside) > 8 else "")
        raise DataError(
            f"{what} holds {shown}, but the data set has {classes} classes: expected 0 to {classes - 1}, or 255."
        )
    return label.shape


def _check_array(what: str, found: Any, expected: str) -> None:
    if not isinstance(found, np.ndarray):
        raise DataError(f"{what} is a {type(found).__name__}; expected a NumPy array, {expected}.")


def _show(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "()"

"""Labels that cannot be learned: unreadable, out of range, anti-aliased, without some class.

Up to `READ` pictures, evenly spread over the set, are read, with the set's own checks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fcnlite.data import VOID, Dataset
from fcnlite.data import problems as data_problems
from fcnlite.doctor.anatomy import blob_shapes, score_blobs, softmax_losses
from fcnlite.doctor.finding import Finding, listed
from fcnlite.errors import ShapeError
from fcnlite.net import Net

Array = np.ndarray[Any, np.dtype[Any]]

READ = 200
RARE = 1 / 20
"""Of the share that a class would have if all had the same; CamVid's bicyclists, 0.3 % of 11 classes, are below."""
BLENDED_CLASSES = 3
"""Classes that only blending explains; a thin class of one pixel's width may look like one."""
BLENDED_EDGES = 1 / 10
"""Of the pixels on edges, those between two sides: under 1/50 in CamVid, VOC and NYUDv2, also when resized by nearest
neighbour; 1/4 and more when they are resized smoothly."""


@dataclass(frozen=True)
class Counts:
    """Pixels by label, of one picture or of all that were read."""

    all: Array
    inner: Array
    """Those whose four neighbours are the same."""
    between: Array
    """Those whose number lies between the two beside them, or above and below: what blending two classes makes."""
    height: int
    width: int

    @staticmethod
    def of(label: Array) -> Counts:
        middle = label[1:-1, 1:-1]
        up, down, left, right = label[:-2, 1:-1], label[2:, 1:-1], label[1:-1, :-2], label[1:-1, 2:]
        inner = (middle == up) & (middle == down) & (middle == left) & (middle == right)
        between = _between(middle, up, down) | _between(middle, left, right)
        return Counts(_count(label), _count(middle[inner]), _count(middle[between]), *label.shape)

    @staticmethod
    def total(parts: Sequence[Counts]) -> Counts:
        """All together; height and width are the smallest."""
        return Counts(
            np.sum([each.all for each in parts], axis=0),
            np.sum([each.inner for each in parts], axis=0),
            np.sum([each.between for each in parts], axis=0),
            min(each.height for each in parts),
            min(each.width for each in parts),
        )


@dataclass(frozen=True)
class Survey:
    """What was found in the pictures of a data set."""

    dataset: Dataset
    read: int
    counts: Counts | None
    """None if no picture could be read."""
    problems: Sequence[str]

    @property
    def where(self) -> str:
        which = "all" if self.read == len(self.dataset) else f"{self.read} of"
        return f"data set {self.dataset.name!r} ({self.dataset.split}, {which} {len(self.dataset)} pictures read)"


def survey(dataset: Dataset) -> Survey:
    """Read the labels of up to `READ` pictures."""
    step = max(1, -(-len(dataset) // READ))
    indices = range(0, len(dataset), step)
    parts, problems = data_problems.survey(lambda index: Counts.of(dataset[index].label), indices)
    return Survey(dataset, len(indices), Counts.total(parts) if parts else None, problems)


def check(found: Survey, net: Net) -> list[Finding]:
    """What makes the labels unfit to be learned by `net`."""
    findings = [*_unusable(found), *_other_classes(found, net)]
    if found.counts is not None:
        findings += [*_wrong_values(found, found.counts.all, net), *_blended(found, found.counts)]
        findings += _frequencies(found, found.counts.all[: len(found.dataset.classes)])
    return findings


def _unusable(found: Survey) -> list[Finding]:
    if not found.problems:
        return []
    return [
        Finding(
            "samples-unusable",
            "error",
            f"{len(found.problems)} samples of {found.where} cannot be used, the first: {found.problems[0]}",
            "Mend or remove the files; `dataset.check()` lists them all.",
        )
    ]


def _other_classes(found: Survey, net: Net) -> list[Finding]:
    try:
        shapes = blob_shapes(net)
    except ShapeError:
        return []  # padding.py tells of it
    blobs = score_blobs(net.layers)
    count = len(found.dataset.classes)
    if len(blobs) != 1 or len(shapes[blobs[0]]) != 4 or shapes[blobs[0]][1] == count:
        return []
    return [
        Finding(
            "classes-differ",
            "error",
            f"The net scores {shapes[blobs[0]][1]} classes ({blobs[0]!r}), but {found.where} has {count}.",
            "Set num_output of the score and upsampling layers to the number of classes, or give the data that the net "
            "was made for.",
        )
    ]


def _wrong_values(found: Survey, counts: Array, net: Net) -> list[Finding]:
    findings = []
    classes = len(found.dataset.classes)
    outside = [str(value) for value in np.flatnonzero(counts) if classes <= value != VOID]
    if outside:
        findings.append(
            Finding(
                "labels-out-of-range",
                "error",
                f"The labels of {found.where} hold {listed(outside)}, but there are {classes} classes, 0 to "
                f"{classes - 1}, and {VOID} for void.",
                f"Map other numbers to {VOID}, or name all classes.",
            )
        )
    for layer in softmax_losses(net.layers):
        if counts[VOID] and layer.options.ignore_label != VOID:
            findings.append(
                Finding(
                    "void-not-ignored",
                    "error",
                    f"The labels of {found.where} hold {VOID} for void, which the loss {layer.spec.name!r} takes for a "
                    f"class (ignore_label: {layer.options.ignore_label}).",
                    f"Write `loss_param {{ ignore_label: {VOID} }}` in the loss.",
                )
            )
    return findings


def _blended(found: Survey, counts: Counts) -> list[Finding]:
    """Numbers on edges that are between those of the two sides: new ones that stand nowhere else, or far too many."""
    suspects = (counts.all > 0) & (counts.inner == 0) & (2 * counts.between > counts.all)
    edges = int((counts.all - counts.inner).sum())
    share = counts.between.sum() / max(1, edges)
    several = np.count_nonzero(counts.between > edges / 1000) >= BLENDED_CLASSES
    if suspects.sum() >= BLENDED_CLASSES:
        values = [str(value) for value in np.flatnonzero(suspects)]
        what = f"the numbers {listed(values)} are found on edges only, between the numbers of the two sides"
    elif share > BLENDED_EDGES and several:
        what = f"{100 * share:.0f} % of the pixels on edges have a number between those of the two sides"
    else:
        return []
    return [
        Finding(
            "labels-blended",
            "warning",
            f"In the labels of {found.where} {what}: the labels were anti-aliased, resized smoothly or saved with "
            "losses.",
            "Make the labels anew, resizing by nearest neighbour and saving PNGs of class numbers.",
        )
    ]


def _frequencies(found: Survey, counts: Array) -> list[Finding]:
    total, names = int(counts.sum()), found.dataset.classes
    if not total:
        return [
            Finding(
                "labels-void",
                "error",
                f"The labels of {found.where} are void everywhere.",
                f"Give labels whose numbers are classes; {VOID} is never learned.",
            )
        ]
    findings = []
    missing = [name for name, count in zip(names, counts, strict=True) if not count]
    if missing:
        findings.append(
            Finding(
                "class-missing",
                "warning" if found.read == len(found.dataset) else "note",
                f"No pixel in {found.where} is labelled {listed(missing)}: what is never shown is never learned.",
                "Add pictures of it, choose another split, or take the class out.",
            )
        )
    limit = RARE * total / len(names)
    rare = [
        f"{name} ({100 * count / total:.2g} %)" for name, count in zip(names, counts, strict=True) if 0 < count < limit
    ]
    if rare:
        findings.append(
            Finding(
                "class-rare",
                "note",
                f"In {found.where} few pixels are labelled {listed(rare)}: the loss hardly sees them.",
                "Add pictures of them, weigh them by an InfogainLoss, or expect low figures for them.",
            )
        )
    return findings


def _between(middle: Array, one: Array, other: Array) -> Array:
    return (np.minimum(one, other) < middle) & (middle < np.maximum(one, other))


def _count(labels: Array) -> Array:
    return np.bincount(labels.reshape(-1), minlength=256)

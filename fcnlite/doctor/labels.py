"""Labels that cannot be learned: unreadable, out of range, anti-aliased, or lacking a class.

Reads up to `READ` samples, spread evenly over the data set, with the data set's own checks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fcnlite.arrays import Array
from fcnlite.data import VOID, Dataset
from fcnlite.data import problems as data_problems
from fcnlite.data.blending import REMEDY, Counts, signs_of_blending
from fcnlite.doctor.finding import Finding, listed
from fcnlite.doctor.structure import blob_shapes, score_blobs, softmax_losses
from fcnlite.errors import ShapeError
from fcnlite.net import Net

READ = 200
RARE = 1 / 20
"""A class is rare below this fraction of an equal share, as CamVid's bicyclists with 0.3 % of 11 classes."""


@dataclass(frozen=True)
class Survey:
    """What the labels of a data set contain."""

    dataset: Dataset
    read: int
    counts: Counts | None
    """None if no label could be read."""
    problems: Sequence[str]

    @property
    def where(self) -> str:
        which = "all" if self.read == len(self.dataset) else f"{self.read} of"
        return f"data set {self.dataset.name!r} ({self.dataset.split}, {which} {len(self.dataset)} pictures read)"


def survey(dataset: Dataset) -> Survey:
    """Read the labels of up to `READ` samples."""
    step = max(1, -(-len(dataset) // READ))
    indices = range(0, len(dataset), step)
    parts, problems = data_problems.try_all(lambda index: Counts.of(dataset[index].label), indices)
    return Survey(dataset, len(indices), Counts.total(parts) if parts else None, problems)


def check(found: Survey, net: Net) -> list[Finding]:
    """The properties of the labels that keep `net` from learning them."""
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
            "Repair or remove the files; `dataset.check()` lists them all.",
        )
    ]


def _other_classes(found: Survey, net: Net) -> list[Finding]:
    try:
        shapes = blob_shapes(net)
    except ShapeError:
        return []  # padding.py reports it
    blobs = score_blobs(net.layers)
    count = len(found.dataset.classes)
    if len(blobs) != 1 or len(shapes.get(blobs[0], ())) != 4 or shapes[blobs[0]][1] == count:
        return []
    return [
        Finding(
            "classes-differ",
            "error",
            f"The net scores {shapes[blobs[0]][1]} classes ({blobs[0]!r}), but {found.where} has {count}.",
            "Set num_output of the score and upsampling layers to the number of classes, or use the data set that the "
            "net was made for.",
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
                f"Map the other values to {VOID}, or give the data set all of its classes.",
            )
        )
    for layer in softmax_losses(net.layers):
        if counts[VOID] and layer.options.ignore_label != VOID:
            findings.append(
                Finding(
                    "void-not-ignored",
                    "error",
                    f"The labels of {found.where} hold {VOID} for void, but the loss {layer.spec.name!r} treats it as "
                    f"a class (ignore_label: {layer.options.ignore_label}).",
                    f"Write `loss_param {{ ignore_label: {VOID} }}` in the loss.",
                )
            )
    return findings


def _blended(found: Survey, counts: Counts) -> list[Finding]:
    what = signs_of_blending(counts)
    if what is None:
        return []
    return [
        Finding(
            "labels-blended",
            "warning",
            f"In the labels of {found.where} {what}: the labels were anti-aliased, resized with interpolation or saved "
            "with lossy compression.",
            f"{REMEDY[0].upper()}{REMEDY[1:]}.",
        )
    ]


def _frequencies(found: Survey, counts: Array) -> list[Finding]:
    total, names = int(counts.sum()), found.dataset.classes
    if not total:
        return [
            Finding(
                "labels-void",
                "error",
                f"All labels of {found.where} are void.",
                f"Use labels whose values are classes; {VOID} is never learned.",
            )
        ]
    findings = []
    missing = [name for name, count in zip(names, counts, strict=True) if not count]
    if missing:
        findings.append(
            Finding(
                "class-missing",
                "warning" if found.read == len(found.dataset) else "note",
                f"No pixel in {found.where} is labelled {listed(missing)}: the net cannot learn what it never sees.",
                "Add pictures of the class, choose another split, or remove the class.",
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
                f"In {found.where} few pixels are labelled {listed(rare)}: they contribute little to the loss.",
                "Add pictures of these classes, weight them (train: --class-balance 1.1), or expect a low IU for them.",
            )
        )
    return findings

"""The figures of an evaluation: as a table for people, and as JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fcnlite.data import Dataset
from fcnlite.description.model_info import Labels
from fcnlite.segmentation.metrics import Metrics, number, text
from fcnlite.segmentation.objects import ObjectScore
from fcnlite.segmentation.views import Views

FIGURES = ("pixel_accuracy", "mean_accuracy", "mean_iu", "frequency_weighted_iu")


def table(
    dataset: Dataset, matrices: Mapping[str, np.ndarray], views: Views, objects: Mapping[str, ObjectScore]
) -> str:
    """A table for each label map, from its confusion matrix; below the first one the scores of `objects`."""
    pictures = f"{len(dataset)} picture" + ("" if len(dataset) == 1 else "s")
    if dataset.skipped:
        pictures += f" ({len(dataset.skipped)} skipped, which cannot be used)"
    tables = []
    for name, labels in dataset.labels.items():
        heading = f"{dataset.name}, split {dataset.split}: {pictures}, {matrices[name].sum():,} pixels"
        if len(dataset.labels) > 1:
            heading += f", label {name}"
        if not views.single:
            heading += f"; averaged over {views}"
        tables.append("\n".join([heading, "", *_lines(labels, matrices[name])]))
    if objects:
        error = 1 - Metrics.from_matrix(next(iter(matrices.values()))).pixel_accuracy
        lines = [f"pixel error  {text(error, 4)}"]
        lines += [
            f"{name.replace('v_', 'V_'):11}  {text(each.score, 4)}  objects, at threshold {each.threshold:g}"
            for name, each in objects.items()
        ]
        tables.insert(1, "\n".join(lines))
    return "\n\n".join(tables)


def _lines(labels: Labels, matrix: np.ndarray) -> list[str]:
    """The four figures, and a line for each class."""
    metrics = Metrics.from_matrix(matrix)
    truth = matrix.sum(axis=1)
    names = [name.replace("_", " ").replace("iu", "IU") for name in FIGURES]
    width = max(map(len, (*names, *labels.classes)))
    figures = [text(getattr(metrics, name), 4) for name in FIGURES]
    lines = [f"{name:{width}}  {figure:>8}" for name, figure in zip(names, figures, strict=True)]
    lines += ["", f"{'class':{width}}  {'IU':>8}  {'accuracy':>8}  {'pixels':>8}"]
    for name, iu, accuracy, count in zip(labels.classes, metrics.iu, metrics.accuracy, truth, strict=True):
        share = f"{100 * count / max(1, truth.sum()):.1f} %"
        lines.append(f"{name:{width}}  {text(iu, 4):>8}  {text(accuracy, 4):>8}  {share:>8}")
    return lines


def values(
    weights: str,
    dataset: Dataset,
    matrices: Mapping[str, np.ndarray],
    views: Views,
    objects: Mapping[str, ObjectScore],
) -> dict[str, Any]:
    """The figures as JSON values, unrounded; `labels` holds those of further label maps by name."""
    first, *others = matrices
    report: dict[str, Any] = {
        "weights": weights,
        "data": dataset.name,
        "split": dataset.split,
        "pictures": len(dataset),
        **({} if views.single else {"flip": views.flip, "scales": list(views.scales)}),
        **({"skipped": len(dataset.skipped)} if dataset.skipped else {}),
        **_figures(dataset.labels[first], matrices[first]),
        **{name: {"score": number(each.score), "threshold": each.threshold} for name, each in objects.items()},
    }
    if others:
        report["label"] = first
        report["labels"] = {name: _figures(dataset.labels[name], matrices[name]) for name in others}
    return report


def _figures(labels: Labels, matrix: np.ndarray) -> dict[str, Any]:
    """The figures of one label map; None for a figure without a value."""
    metrics = Metrics.from_matrix(matrix)
    return {
        **{key: number(getattr(metrics, key)) for key in FIGURES},
        "classes": list(labels.classes),
        "iu": [number(value) for value in metrics.iu],
        "accuracy": [number(value) for value in metrics.accuracy],
        "confusion": matrix.tolist(),
    }

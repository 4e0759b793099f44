"""The figures of an evaluation: as a table for people, and as JSON values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fcnlite.data import Dataset
from fcnlite.data.overview import count
from fcnlite.description.model_info import Labels
from fcnlite.segmentation.bootstrap import interval
from fcnlite.segmentation.judging import Judgement, short_names
from fcnlite.segmentation.metrics import Metrics, number, text
from fcnlite.text import columns

FIGURES = ("pixel_accuracy", "mean_accuracy", "mean_iu", "frequency_weighted_iu", "mean_dice")
BY_CLASS = ("iu", "dice", "precision", "accuracy")


def table(dataset: Dataset, judged: Judgement) -> str:
    """A table for each label map, from its confusion matrix; below the first one the scores of objects."""
    tables = []
    for name, labels in dataset.labels.items():
        first = name == next(iter(dataset.labels))
        heading = _heading(dataset, judged.matrices[name])
        if len(dataset.labels) > 1:
            heading += f", label {name}"
        if not judged.views.single:
            heading += f"; averaged over {judged.views}"
        tables.append("\n".join([heading, "", *_lines(labels, judged.matrices[name], judged if first else None)]))
    if judged.objects:
        error = 1 - Metrics.from_matrix(next(iter(judged.matrices.values()))).pixel_accuracy
        lines = [f"pixel error  {text(error, 4)}"]
        lines += [
            f"{name.replace('v_', 'V_'):11}  {text(each.score, 4)}  objects, at threshold {each.threshold:g}"
            for name, each in judged.objects.items()
        ]
        tables.insert(1, "\n".join(lines))
    return "\n\n".join(tables)


def _heading(dataset: Dataset, matrix: np.ndarray) -> str:
    return f"{dataset.name}, split {dataset.split}: {count(dataset)}, {matrix.sum():,} pixels"


def _title(figure: str) -> str:
    """The name of a figure for people."""
    return figure.replace("_", " ").replace("iu", "IU").replace("dice", "Dice")


def _lines(labels: Labels, matrix: np.ndarray, judged: Judgement | None) -> list[str]:
    """The figures, with intervals and calibration if `judged` has them, and a line for each class."""
    metrics = Metrics.from_matrix(matrix)
    truth = matrix.sum(axis=1)
    drawn = None if judged is None else judged.drawings
    names = [_title(name) for name in FIGURES]
    width = max(map(len, (*names, *labels.classes)))
    lines = []
    for name, shown in zip(FIGURES, names, strict=True):
        span = "" if drawn is None else f"  {_span(interval(drawn[name]))}"
        lines.append(f"{shown:{width}}  {text(getattr(metrics, name), 4):>8}{span}")
    if judged is not None and judged.calibration is not None:
        lines.append(f"{'calibration error':{width}}  {text(judged.calibration.error, 4):>8}")
    if judged is not None and judged.boundaries is not None:
        lines.append(f"{'boundary F1':{width}}  {text(judged.boundaries.mean, 4):>8}")
    if drawn is not None:
        lines[0] += "  (95 % interval over pictures)"
    spans = "" if drawn is None else f"{'IU, 95 % interval':>20}"
    outlines = None if judged is None or judged.boundaries is None else judged.boundaries.by_class
    outlined = "" if outlines is None else f"{'boundary F1':>13}"
    lines += [
        "",
        f"{'class':{width}}  {'IU':>8}  {'Dice':>8}  {'precision':>9}  {'recall':>8}  {'pixels':>8}{outlined}{spans}",
    ]
    for i, name in enumerate(labels.classes):
        iu, dice, precision, recall = (text(getattr(metrics, each)[i], 4) for each in BY_CLASS)
        share = f"{100 * truth[i] / max(1, truth.sum()):.1f} %"
        span = "" if drawn is None else f"{_span(interval(drawn['iu'][:, i])):>20}"
        outline = "" if outlines is None else f"{text(outlines[i], 4):>13}"
        lines.append(f"{name:{width}}  {iu:>8}  {dice:>8}  {precision:>9}  {recall:>8}  {share:>8}{outline}{span}")
    return lines


def _span(found: tuple[float, float], signed: bool = False) -> str:
    form = "{:+.4f}" if signed else "{:.4f}"
    return " to ".join(form.format(each) if np.isfinite(each) else "–" for each in found)


def comparison(dataset: Dataset, judged: Sequence[Judgement]) -> str:
    """The figures of several nets side by side, for the first label map; with intervals, also of the differences.

    A difference is that of a net to the first one, with its interval over the same drawings of pictures.
    """
    labels = next(iter(dataset.labels.values()))
    found = [Metrics.from_matrix(next(iter(each.matrices.values()))) for each in judged]
    first = judged[0].drawings
    heading = ["", *short_names(judged)]
    if first is not None:
        heading += [f"{name} − first, 95 % interval" for name in short_names(judged)[1:]]
    rows = [heading]
    for name in FIGURES:
        row = [_title(name), *(text(getattr(each, name), 4) for each in found)]
        if first is not None:
            row += [_span(interval(each.drawings[name] - first[name]), True) for each in judged[1:] if each.drawings]
        rows.append(row)
    if judged[0].calibration is not None:
        errors = [text(each.calibration.error, 4) for each in judged if each.calibration is not None]
        rows.append(["calibration error", *errors, *[""] * (len(heading) - 1 - len(judged))])
    if judged[0].boundaries is not None:
        scores = [text(each.boundaries.mean, 4) for each in judged if each.boundaries is not None]
        rows.append(["boundary F1", *scores, *[""] * (len(heading) - 1 - len(judged))])
    rows.append([""] * len(heading))
    for i, name in enumerate(labels.classes):
        row = [f"IU {name}", *(text(each.iu[i], 4) for each in found)]
        if first is not None:
            row += [
                _span(interval(each.drawings["iu"][:, i] - first["iu"][:, i]), True)
                for each in judged[1:]
                if each.drawings
            ]
        rows.append(row)
    title = _heading(dataset, next(iter(judged[0].matrices.values())))
    return f"{title}\n\n{columns(rows, '<' + '>' * (len(heading) - 1))}"


def values(dataset: Dataset, judged: Judgement) -> dict[str, Any]:
    """The figures as JSON values, unrounded; `labels` holds those of further label maps by name."""
    first, *others = judged.matrices
    views = judged.views
    report: dict[str, Any] = {
        "weights": judged.weights,
        "data": dataset.name,
        "split": dataset.split,
        "pictures": len(dataset),
        **({} if views.single else {"flip": views.flip, "scales": list(views.scales)}),
        **({"skipped": len(dataset.skipped)} if dataset.skipped else {}),
        **label_values(dataset.labels[first], judged.matrices[first]),
        **{name: {"score": number(each.score), "threshold": each.threshold} for name, each in judged.objects.items()},
    }
    if judged.calibration is not None:
        report["calibration_error"] = number(judged.calibration.error)
    if judged.boundaries is not None:
        report["boundary_f1"] = number(judged.boundaries.mean)
        report["boundary_f1_by_class"] = [number(each) for each in judged.boundaries.by_class]
    if judged.drawings is not None:
        report["intervals"] = {name: _spans(drawn) for name, drawn in judged.drawings.items()}
    if others:
        report["label"] = first
        report["labels"] = {name: label_values(dataset.labels[name], judged.matrices[name]) for name in others}
    return report


def _spans(drawn: np.ndarray) -> Any:
    """The interval of a figure, or a list of those of all classes."""
    if drawn.ndim == 2:
        return [_spans(each) for each in drawn.T]
    return [number(each) for each in interval(drawn)]


def label_values(labels: Labels, matrix: np.ndarray) -> dict[str, Any]:
    """The figures of one label map; None for a figure without a value."""
    metrics = Metrics.from_matrix(matrix)
    return {
        **{key: number(getattr(metrics, key)) for key in FIGURES},
        "classes": list(labels.classes),
        **{key: [number(value) for value in getattr(metrics, key)] for key in BY_CLASS},
        "confusion": matrix.tolist(),
    }

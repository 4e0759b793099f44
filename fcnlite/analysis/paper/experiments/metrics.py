"""The four metrics, and how they disagree on a picture whose classes differ in size (section 5).

With n_ij pixels of class i that are predicted as class j, n_cl classes and t_i = Σ_j n_ij:

    pixel accuracy          Σ_i n_ii / Σ_i t_i
    mean accuracy           (1 / n_cl) Σ_i n_ii / t_i
    mean IU                 (1 / n_cl) Σ_i n_ii / (t_i + Σ_j n_ji − n_ii)
    frequency weighted IU   (Σ_k t_k)⁻¹ Σ_i t_i n_ii / (t_i + Σ_j n_ji − n_ii)
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np

from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.tools.figures import colored
from fcnlite.analysis.paper.tools.statistics import METRICS
from fcnlite.arrays import Array
from fcnlite.data.palette import voc_colors
from fcnlite.segmentation.metrics import Metrics, confusion

CLASSES = ("background", "object", "wire")
_SIDE = 100


def exact_metrics(matrix: Array) -> tuple[Fraction, Fraction, Fraction, Fraction]:
    """The four metrics as fractions, in the order of `METRICS`. Each class must occur in the truth (rows)."""
    n = [[int(cell) for cell in row] for row in matrix]
    classes = range(len(n))
    t = [sum(row) for row in n]
    union = [t[i] + sum(n[j][i] for j in classes) - n[i][i] for i in classes]
    return (
        Fraction(sum(n[i][i] for i in classes), sum(t)),
        sum((Fraction(n[i][i], t[i]) for i in classes), Fraction()) / len(n),
        sum((Fraction(n[i][i], union[i]) for i in classes), Fraction()) / len(n),
        sum((Fraction(t[i] * n[i][i], union[i]) for i in classes), Fraction()) / sum(t),
    )


def skewed_truth() -> Array:
    """A picture of 100×100 pixels: a square object of 900 pixels, a wire of 100 pixels, and 9000 of background."""
    truth = np.zeros((_SIDE, _SIDE), np.uint8)
    truth[10:40, 10:40] = 1
    truth[70, :] = 2
    return truth


def predictions(truth: Array) -> dict[str, Array]:
    """Predictions of `skewed_truth`, each with one kind of error, by a name that says which."""
    found = {name: truth.copy() for name in ("perfect", "wire missed", "wire too wide", "object too wide")}
    found["wire missed"][truth == 2] = 0
    found["wire too wide"][68:73] = 2
    found["object too wide"][8:42, 8:42] = 1
    found["all background"] = np.zeros_like(truth)
    found["all wire"] = np.full_like(truth, 2)
    return found


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the metrics of the predictions, as fractions and as the engine computes them."""
    truth = skewed_truth()
    colors = voc_colors(len(CLASSES))
    rows, scores = [], {}
    for name, prediction in predictions(truth).items():
        matrix = confusion(truth, prediction, len(CLASSES))
        metrics = Metrics.from_matrix(matrix)
        computed = (metrics.pixel_accuracy, metrics.mean_accuracy, metrics.mean_iu, metrics.frequency_weighted_iu)
        exact = exact_metrics(matrix)
        scores[name] = exact
        error = max(abs(a - float(b)) for a, b in zip(computed, exact, strict=True))
        rows.append(
            (name, *(f"{100 * value:.2f} ({fraction})" for value, fraction in zip(computed, exact, strict=True)))
        )
        if error > 1e-12:
            page.text(f"{name}: the engine's metrics differ from the fractions by up to {error:.1e}.")
    for metric, value in zip(METRICS, scores["all background"], strict=True):
        page.compare(f"{metric} of a prediction of background alone", None, f"{100 * float(value):.1f} %")
    page.text(
        "The true picture has 9000 pixels of background, 900 of an object and 100 of a wire. Each row of the table is "
        "a prediction with one kind of error: each metric in percent as fcnlite computes it, and, in brackets, the "
        "exact fraction by the paper's formula."
    )
    page.table(("prediction", *METRICS), rows)
    page.heading("Where they disagree")
    page.text(
        "A prediction of background everywhere has 90 % of the pixels right, so pixel accuracy says little if one "
        "class covers most of a picture. Mean accuracy and mean IU give each class the same weight, so a missed wire "
        "costs about a third of them. The two metrics that weigh classes by their pixels hardly change."
    )
    page.text(
        "Mean accuracy hardly sees a class that takes pixels from the background: if the wire is five times too wide, "
        f"it is still {100 * float(scores['wire too wide'][1]):.1f} %. Mean IU is "
        f"{100 * float(scores['wire too wide'][2]):.1f} %, because the union in its denominator counts the false "
        "pixels of the wire."
    )
    order = {metric: _ranking(scores, i) for i, metric in enumerate(METRICS)}
    page.table(("metric", "predictions from best to worst"), list(order.items()))
    page.picture("truth", colored(truth, colors), "The truth.")
    wide = predictions(truth)["wire too wide"]
    page.picture("wire-too-wide", colored(wide, colors), "The wire five times too wide.")
    page.legend(dict(zip(CLASSES, colors, strict=True)))


def _ranking(scores: dict[str, tuple[Fraction, Fraction, Fraction, Fraction]], metric: int) -> str:
    ordered = sorted(scores, key=lambda name: -scores[name][metric])
    words = ordered[0]
    for before, name in pairwise(ordered):
        words += (" = " if scores[before][metric] == scores[name][metric] else ", ") + name
    return words

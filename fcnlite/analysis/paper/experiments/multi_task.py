"""Two heads on one trunk against two nets (section 5, SIFT Flow).

The net for SIFT Flow predicts semantic and geometric classes. It has two heads on the same features, each with its own
scores and loss, and learns from the sum of the losses. Here the semantic classes are those of the generated shapes. The
geometric ones are background, convex outlines (disc, square, triangle) and outlines that are not convex (star, cross).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from fcnlite import data, models
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.tools.budget import budget, setting
from fcnlite.analysis.paper.tools.datasets import Derived, log_shares
from fcnlite.analysis.paper.tools.figures import class_colors, predictions, sheet, shown, truths
from fcnlite.analysis.paper.tools.small_nets import COARSEST, SHALLOW, shallow_features, shipped_trunk
from fcnlite.analysis.paper.tools.statistics import METRICS, compare_differences, percentages, spread
from fcnlite.analysis.paper.tools.training import begin, evaluate_all
from fcnlite.arrays import Array
from fcnlite.data import VOID, Dataset
from fcnlite.data.sample import Sample
from fcnlite.description.model_info import Labels
from fcnlite.description.spec import NetSpec
from fcnlite.errors import DataError
from fcnlite.models import fcn, lite
from fcnlite.models.builder import Builder
from fcnlite.segmentation.metrics import Metrics

TASKS = {"sem": "semantic", "geo": "geometric"}
"""The label maps, with the names of the tasks."""
BOTH = "two heads"
_GEOMETRIC = (0, 1, 1, 1, 2, 2)
"""The geometric class of each semantic one."""
_GEOMETRY = Labels(("background", "convex", "not convex"), ((0, 0, 0), (70, 130, 180), (190, 153, 153)))
_SIZE = 64
_PICTURES = (1000, 100)
"""The number of pictures for training and for the test."""
_ITERATIONS = 400
_RATE = 0.2
"""At 0.4, where one head learns faster, two heads fall behind: the shared layers get the gradients of two losses."""
_SEEDS = 3


def geometric(label: Array) -> Array:
    """The geometric classes of a map of semantic ones; void stays void."""
    table = np.full(256, VOID, np.uint8)
    table[: len(_GEOMETRIC)] = _GEOMETRIC
    found: Array = table[label]
    return found


def with_geometry(shapes: Dataset) -> Dataset:
    """Generated shapes with two label maps, as SIFT Flow has them: `sem` and `geo`."""

    def change(sample: Sample, index: int) -> Sample:
        return replace(sample, labels={"sem": sample.label, "geo": geometric(sample.label)})

    return Derived(shapes, change, labels={"sem": shapes.labels["label"], "geo": _GEOMETRY}, hold=True)


def of_task(dataset: Dataset, task: str) -> Dataset:
    """`dataset` with the label map of one task."""

    def change(sample: Sample, index: int) -> Sample:
        return replace(sample, labels={task: sample.labels[task]})

    return Derived(dataset, change, labels={task: dataset.labels[task]})


def small(classes: Mapping[str, int]) -> NetSpec:
    """The small net with a head for each task, of these numbers of classes; each head has a loss."""
    net = Builder("-".join(["small-fcn", *classes]))
    data_blob = net.input("data", 1, 3, 224, 224)
    features = shallow_features(net, data_blob)
    for task, count in classes.items():
        label = net.input(task, 1, 1, 224, 224)
        score = lite.add_scores(net, features, count, data_blob, suffix=f"_{task}")
        fcn.pixel_loss(net, score, label, "VALID", name=f"loss_{task}")
    return net.spec()


def reference(classes: Mapping[str, int]) -> NetSpec:
    """SIFT Flow's FCN-32s with the heads of these tasks: both, or the one of a net of its own."""
    spec = models.describe("siftflow-fcn32s", classes=tuple(classes.get(task, 2) for task in TASKS))
    gone = {"sem": ("sem", "loss"), "geo": ("geo", "loss_geo")}
    left_out = [task for task in TASKS if task not in classes]
    return replace(
        spec,
        layers=tuple(
            layer
            for layer in spec
            if not any(layer.name in gone[task] or layer.name.endswith(f"_{task}") for task in left_out)
        ),
    )


def run(settings: Settings, page: Page) -> None:
    """Fill the page with both heads on one trunk, and with a net for each task."""
    train_set = settings.train_set or with_geometry(data.open("shapes", split="train", size=_SIZE, count=_PICTURES[0]))
    test_set = settings.val_set or with_geometry(data.open("shapes", split="test", size=_SIZE, count=_PICTURES[1]))
    check_tasks(train_set)
    plan = budget(settings, iterations=_ITERATIONS, rate=_RATE, seeds=_SEEDS, batch_size=8, falling=True)
    ways = {BOTH: tuple(TASKS), **{f"{name} alone": (task,) for task, name in TASKS.items()}}
    found: dict[tuple[str, str], list[Metrics]] = {}
    sizes: dict[str, int] = {}
    columns: dict[tuple[str, str], list[Array]] = {}
    rows = []
    for way, tasks in ways.items():
        classes = {task: len(train_set.labels[task].classes) for task in tasks}
        learned, tested = (each if way == BOTH else of_task(each, tasks[0]) for each in (train_set, test_set))
        for seed in plan.seeds:
            if settings.init is None:
                biases = {f"{COARSEST}_{task}": log_shares(of_task(train_set, task)) for task in tasks}
                net = begin(small(classes), learned, shipped_trunk(), seed, biases)
            else:
                net = begin(reference(classes), learned, settings.init, seed)
            plan.train(net, learned, seed)
            for task, metrics in evaluate_all(net, tested).items():
                found.setdefault((way, task), []).append(metrics)
                rows.append((way, TASKS[task], seed, *percentages(metrics)))
        sizes[way] = sum(parameter.data.size for _, parameter in net.learnable())
        columns |= {(way, task): each for task, each in predictions(net, tested).items()}
    accuracy = [100 * each.pixel_accuracy for each in found[BOTH, "geo"]]
    page.compare("semantic mean IU, two heads (SIFT Flow: FCN-16s)", 39.5, spread(_iu(found[BOTH, "sem"])))
    page.compare("geometric pixel accuracy, two heads", 94.3, spread(accuracy))
    gains: dict[str, list[float]] = {}
    for task, name in TASKS.items():
        alone = _iu(found[f"{name} alone", task])
        gains[name] = [a - b for a, b in zip(_iu(found[BOTH, task]), alone, strict=True)]
        compare_differences(page, f"{name} mean IU, two heads less a net for it alone", "as good", gains[name])
    share = sizes[BOTH] / sum(size for way, size in sizes.items() if way != BOTH)
    page.compare("parameters of the net with two heads, as a share of those of two nets", None, f"{100 * share:.0f} %")
    page.text(setting(settings, SHALLOW, plan, train_set, test_set))
    if settings.train_set is None:
        page.text(
            "The semantic classes are those of the shapes; the geometric ones are background, convex outlines and "
            "other outlines. The paper's figures are for SIFT Flow, so only the differences can be compared. All nets "
            "learn at one rate. A rate at which one head learns fastest can be too high for two, because the shared "
            "layers get the gradients of both losses: at twice this rate, two heads fall behind."
        )
    page.text(_findings(gains))
    page.table(("net", "task", "seed", *METRICS), rows)
    pictures = [[sample.image for sample in shown(test_set)]]
    for task, name in TASKS.items():
        pictures += [columns[BOTH, task], columns[f"{name} alone", task], truths(of_task(test_set, task))]
    page.picture(
        "predictions",
        sheet(pictures),
        "From the left: the picture; semantic classes by the net with two heads, by the net for them alone, and the "
        "truth; geometric classes in the same order.",
    )
    for each in test_set.labels.values():
        page.legend(class_colors(each.classes, each.colors))


def check_tasks(dataset: Dataset) -> None:
    """Raise `DataError` unless the data set has the label maps of both tasks."""
    if set(dataset.labels) != set(TASKS):
        raise DataError(
            f"data set {dataset.name!r} has the label maps {', '.join(dataset.labels)}, but multi-task needs "
            f"{' and '.join(TASKS)}; use siftflow."
        )


def _findings(gains: Mapping[str, list[float]]) -> str:
    """What two heads gain on two nets, from the differences in mean IU of each seed."""
    words = []
    for name, values in gains.items():
        if min(values) < 0 < max(values):
            words.append(
                f"For some seeds the {name} mean IU is higher with two heads, for others with a net for this task "
                "alone: they are as good, within the spread of the seeds."
            )
        elif np.mean(values) >= 0:
            words.append(
                f"For every seed the {name} mean IU is as high with two heads as with a net for it, or higher."
            )
        else:
            words.append(
                f"For every seed the {name} mean IU is lower with two heads than with a net for this task alone, by "
                f"{-np.mean(values):.1f} points on average."
            )
    return " ".join(words)


def _iu(found: list[Metrics]) -> list[float]:
    return [100 * each.mean_iu for each in found]

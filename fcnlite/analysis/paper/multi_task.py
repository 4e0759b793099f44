"""Two heads on one trunk against two nets (section 5, SIFT Flow).

The net for SIFT Flow predicts semantic and geometric classes: two score layers with a loss each on the same features,
trained on the sum of the losses. Here the semantic classes are those of the generated shapes; the geometric ones are
background, convex outlines (disc, square, triangle) and outlines that are not convex (star, cross).
"""

from __future__ import annotations

import numpy as np

from fcnlite import data
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.masking import preprocessing_of
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.short_training import Example, add_features, add_scores, measure, parameter_count, train
from fcnlite.arrays import Array
from fcnlite.data import VOID, Dataset
from fcnlite.data.loader import blobs
from fcnlite.description.spec import NetSpec
from fcnlite.models.builder import Builder

TASKS = {"semantic": 6, "geometric": 3}
"""The heads and their numbers of classes."""
_GEOMETRIC = (0, 1, 1, 1, 2, 2)
"""The geometric class of each semantic one."""
_SIZE = 64
_PICTURES = (400, 100)
"""The number of pictures for training and for the test."""
_ITERATIONS = 400


def geometric(label: Array) -> Array:
    """The geometric classes of a map of semantic ones; void stays void."""
    table = np.full(256, VOID, np.uint8)
    table[: len(_GEOMETRIC)] = _GEOMETRIC
    found: Array = table[label]
    return found


def heads(tasks: tuple[str, ...], size: int, *, width: int = 12) -> NetSpec:
    """A net with a head for each of `tasks`: scores `score_TASK`, and a loss over the labels `label_TASK`."""
    net = Builder("-".join(tasks))
    features = add_features(net, net.input("data", 1, 3, size, size), width)
    for task in tasks:
        label = net.input(f"label_{task}", 1, 1, size, size)
        score = add_scores(net, features, TASKS[task], f"_{task}")
        net.loss(f"loss_{task}", score, label, "VALID", ignore_label=VOID)
    return net.spec()


def run(settings: Settings, page: Page) -> None:
    """Fill the page with both heads on one trunk, and with a net for each task."""
    iterations = settings.iterations or _ITERATIONS
    opened = [
        data.open("shapes", split=split, size=_SIZE, count=count, seed=settings.seed)
        for split, count in zip(("train", "test"), _PICTURES, strict=True)
    ]
    training, test = (_examples(each) for each in opened)
    rows, scores, parameters = [], {}, {}
    for name, tasks in {"two heads": tuple(TASKS), **{f"{task} alone": (task,) for task in TASKS}}.items():
        net, _ = train(
            heads(tasks, _SIZE), [_for_tasks(each, tasks) for each in training], iterations, seed=settings.seed
        )
        parameters[name] = parameter_count(net)
        for task in tasks:
            metrics = measure(net, test, TASKS[task], f"label_{task}", f"score_{task}")
            scores[name, task] = metrics
            percent = (f"{100 * each:.1f}" for each in (metrics.pixel_accuracy, metrics.mean_accuracy, metrics.mean_iu))
            rows.append((name, task, *percent, parameters[name]))
    both = {task: scores["two heads", task] for task in TASKS}
    alone = {task: scores[f"{task} alone", task] for task in TASKS}
    page.compare("semantic mean IU, two heads (SIFT Flow: FCN-16s)", 39.5, f"{100 * both['semantic'].mean_iu:.1f}")
    page.compare("geometric pixel accuracy, two heads", 94.3, f"{100 * both['geometric'].pixel_accuracy:.1f}")
    for task in TASKS:
        gain = 100 * (both[task].mean_iu - alone[task].mean_iu)
        page.compare(f"{task} mean IU, two heads minus a net of its own", "as good", f"{gain:+.1f} points")
    share = parameters["two heads"] / sum(parameters[f"{task} alone"] for task in TASKS)
    page.compare("parameters of the net with two heads, of those of two nets", None, f"{100 * share:.0f} %")
    page.text(
        f"Data: {len(training)} generated pictures for training and {len(test)} for the test; a small net, "
        f"{iterations} iterations from scratch. The paper's figures are of SIFT Flow, so only the differences can be "
        "compared. Each net is trained once, so the page does not tell how much of a difference is due to the seed; "
        "try others with --seed."
    )
    page.table(("net", "task", "pixel accuracy", "mean accuracy", "mean IU", "parameters"), rows)


def _examples(dataset: Dataset) -> list[Example]:
    preprocessing = preprocessing_of(dataset)
    found = []
    for index in range(len(dataset)):
        example = blobs(dataset[index], preprocessing)
        semantic = example["label"]
        labels = {"label_semantic": semantic, "label_geometric": geometric(semantic)}
        found.append({"data": example["data"], **labels})
    return found


def _for_tasks(example: Example, tasks: tuple[str, ...]) -> Example:
    return {"data": example["data"], **{f"label_{task}": example[f"label_{task}"] for task in tasks}}

"""The background as a class with scores, or without (PAMI, section 6).

A softmax over all classes learns scores of the background. A null background has the constant score 0 in their place:
the net scores the object classes alone, each with a sigmoid cross-entropy loss

    l = −Σ_c (t_c log σ(s_c) + (1 − t_c) log(1 − σ(s_c))),    t_c = 1 for the class of the pixel, else 0

and a pixel has the class of the highest score, so it is background if all are below 0, where every σ(s_c) is below 1/2.
The control has sigmoids too, but scores the background as a class. A softmax whose training ignores the background, as
if it were void, never learns to tell it from objects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.tools.budget import budget, setting
from fcnlite.analysis.paper.tools.datasets import check_background, data_sets, log_shares, logit_shares
from fcnlite.analysis.paper.tools.figures import class_colors, predictions, sheet, shown, truths
from fcnlite.analysis.paper.tools.nets import reference_fcn
from fcnlite.analysis.paper.tools.small_nets import COARSEST, SHALLOW, shallow_fcn, shipped_trunk
from fcnlite.analysis.paper.tools.statistics import METRICS, compare_differences, percentages
from fcnlite.analysis.paper.tools.training import begin, evaluate
from fcnlite.arrays import Array
from fcnlite.data import VOID, Dataset
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.models.builder import FIXED

SOFTMAX, IGNORED = "softmax", "softmax, background ignored"
CONTROL, NULL = "sigmoids with background", "sigmoids, null background"
FROM_ZERO = "sigmoids, null background, biases from zero"
_SIZE = 64
_PICTURES = (1000, 100)
"""The number of pictures for training and for the test."""
_ITERATIONS = 400
_SEEDS = 2
_RATE = 0.4


def targets(label: Array, classes: int, null: bool) -> Array:
    """N×C×H×W float32 targets of sigmoids for N×1×H×W labels: 1 for the class of the pixel, else 0, `VOID` for void.

    With a `null` background, class 0 has no target of its own.
    """
    found = (label == np.arange(1 if null else 0, classes)[:, None, None]).astype(np.float32)
    return np.where(label == VOID, np.float32(VOID), found)


def with_sigmoids(spec: NetSpec, scores: int) -> NetSpec:
    """`spec`, which has one softmax loss, with sigmoids for its C `scores`; the targets, N×C×H×W, are fed to `label`.

    The loss is the sum over scores, and over pixels what the softmax's was: a mean, or a sum.
    """
    (loss,) = (layer for layer in spec if layer.type == "SoftmaxWithLoss")
    # A mean over all targets, times the number of scores, is the mean over pixels of the sum over scores.
    weight = (float(scores),) if loss.options.get("normalization") == "VALID" else ()
    normalization = loss.options.get("normalization", "NONE")

    def changed(layer: LayerSpec) -> LayerSpec:
        if layer.top == ("label",):
            ((_, height, width),) = (each["dim"][1:] for each in layer.options["shape"])
            return replace(layer, options={"shape": [{"dim": [1, scores, height, width]}]})
        if layer is not loss:
            return layer
        options = {"normalization": normalization, "ignore_label": VOID}
        return replace(layer, type="SigmoidCrossEntropyLoss", options=options, loss_weight=weight)

    return replace(spec, layers=tuple(map(changed, spec.layers)))


def with_null_background(spec: NetSpec) -> NetSpec:
    """`spec`, which scores objects alone, with a constant score of 0 for the background before them in `score`.

    The loss sees the objects' scores alone, in `score_objects`.
    """
    layers: list[LayerSpec] = []
    for layer in spec:
        if layer.top == ("score",):
            objects = replace(layer, name="score_objects", top=("score_objects",))
            zero = {"num_output": 1, "kernel_size": [1], "bias_term": False, "weight_filler": {"type": "constant"}}
            layers += [
                objects,
                LayerSpec("score_background", "Convolution", objects.top, ("score_background",), zero, FIXED),
                LayerSpec("score", "Concat", ("score_background", "score_objects"), ("score",)),
            ]
        else:
            bottoms = tuple("score_objects" if bottom == "score" else bottom for bottom in layer.bottom)
            layers.append(replace(layer, bottom=bottoms))
    return replace(spec, layers=tuple(layers))


def described(way: str, classes: int, describe: Callable[[int], NetSpec]) -> NetSpec:
    """The net of `describe(scores)` with this way to model the background, for `classes` with background."""
    scores = classes - (way == NULL)
    spec = describe(scores)
    if way in (CONTROL, NULL):
        spec = with_sigmoids(spec, scores)
    return with_null_background(spec) if way == NULL else spec


def biases(way: str, dataset: Dataset) -> Array:
    """The biases of the scores that give each class its share in the pixels, without any feature."""
    if way in (SOFTMAX, IGNORED):
        return log_shares(dataset)
    return logit_shares(dataset)[1 if way == NULL else 0 :]


def labels_for(way: str, classes: int, label: Array, rng: np.random.Generator) -> Array:
    """The labels that a net learns from, this way, in the form that `train` takes: N×1×H×W, or `targets`."""
    if way == IGNORED:
        return np.where(label == 0, VOID, label)
    return label if way == SOFTMAX else targets(label, classes, way == NULL)


def run(settings: Settings, page: Page) -> None:
    """Fill the page with all ways, by default of small nets on generated shapes of 64×64 pixels."""
    train_set, test_set = data_sets(settings, _SIZE, train=_PICTURES[0], test=_PICTURES[1], hold=True)
    for each in (train_set, test_set):
        check_background(each, page.name)
    classes = len(train_set.classes)
    plan = budget(settings, iterations=_ITERATIONS, rate=_RATE, seeds=_SEEDS, batch_size=8, falling=True)
    rows, parameters = [], {}
    columns = [[sample.image for sample in shown(test_set)]]
    means: dict[str, list[float]] = {}
    ways = (SOFTMAX, CONTROL, NULL, IGNORED, *((FROM_ZERO,) if settings.init is None else ()))
    for name in ways:
        way = NULL if name == FROM_ZERO else name
        found = []
        for seed in plan.seeds:
            if settings.init is None:
                starts = {} if name == FROM_ZERO else {COARSEST: biases(way, train_set)}
                net = begin(described(way, classes, shallow_fcn), train_set, shipped_trunk(), seed, starts)
            else:
                net = begin(described(way, classes, reference_fcn), train_set, settings.init, seed)
            plan.train(net, train_set, seed, label=partial(labels_for, way, classes))
            found.append(evaluate(net, test_set))
        columns += predictions(net, test_set).values()
        means[name] = [100 * each.mean_iu for each in found]
        parameters[name] = sum(parameter.data.size for _, parameter in net.learnable())
        rows += [(name, seed, *percentages(each)) for seed, each in zip(plan.seeds, found, strict=True)]
    for other in (SOFTMAX, CONTROL):
        gains = [a - b for a, b in zip(means[NULL], means[other], strict=True)]
        compare_differences(page, f"mean IU with a null background less that of {other}", "reported −1", gains)
    saved = 100 * (1 - parameters[NULL] / parameters[SOFTMAX])
    page.compare(
        "parameters saved", "reported below 0.1 %", f"{saved:.3f} %", "" if settings.init else "of a small net"
    )
    page.text(setting(settings, SHALLOW, plan, train_set, test_set))
    page.table(("way", "seed", *METRICS), rows)
    order = "; ".join(("picture", *ways, "truth"))
    page.picture("predictions", sheet([*columns, truths(test_set)]), f"From the left: {order}.")
    page.legend(class_colors(test_set.classes, test_set.colors))
    page.heading("What it shows")
    page.text(_findings({name: float(np.mean(values)) for name, values in means.items()}))


def _difference(lost: float) -> str:
    points = f"{abs(lost):.1f}"
    return "equal to" if points == "0.0" else f"{points} points {'below' if lost > 0 else 'above'}"


def _findings(means: dict[str, float]) -> str:
    """What the null background costs, from the mean IU of each way in percent."""
    lost, lost_to_control = means[SOFTMAX] - means[NULL], means[CONTROL] - means[NULL]
    words = (
        "With a null background, a pixel is background if all its scores are below the constant 0, which means that "
        f"all sigmoids are below 1/2. The mean IU is {_difference(lost)} that of the softmax and "
        f"{_difference(lost_to_control)} that of sigmoids with a background; the paper reports about 1 point below "
        "both. "
    )
    words += (
        f"If training ignores the background, the mean IU is {means[IGNORED]:.1f}: the net never learns "
        "where an object ends. "
    )
    if FROM_ZERO in means:
        words += (
            "The biases of the scores start at values that give each class its share of the pixels. If they start at "
            f"zero, the same training ends at {means[FROM_ZERO]:.1f} in place of {means[NULL]:.1f}: every sigmoid must "
            "first learn that most pixels are background. The paper's training is long enough for that."
        )
    return words

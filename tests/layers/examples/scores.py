"""Inner products, softmax, losses and measures of scores."""

from __future__ import annotations

from math import prod
from typing import Any

from hypothesis import strategies as st

from fcnlite.arrays import Shape
from tests.layers.examples.draws import ANY_SHAPE, CHANNELS_SHAPE, COUNT, FLAG, PHASE, SEED, Draw, any_axis, maybe
from tests.layers.examples.example import Example


@st.composite
def inner_product(draw: Draw) -> Example:
    shape = draw(st.lists(st.integers(1, 4), min_size=2, max_size=4).map(tuple))
    options: dict[str, Any] = {"num_output": draw(COUNT)}
    maybe(draw, options, "axis", st.integers(-len(shape), len(shape) - 1))
    maybe(draw, options, "transpose", FLAG)
    maybe(draw, options, "bias_term", FLAG)
    return Example("InnerProduct", (shape,), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def softmax(draw: Draw) -> Example:
    shape = draw(st.lists(st.integers(1, 4), min_size=2, max_size=4).map(tuple))
    options: dict[str, Any] = {}
    maybe(draw, options, "axis", st.integers(-len(shape), len(shape) - 1))
    return Example("Softmax", (shape,), options, phase=draw(PHASE), seed=draw(SEED))


def label_shape(draw: Draw, scores: Shape, axis: int) -> Shape:
    """The shape of one label for each position; the class axis is left out or 1."""
    kept = (1,) if draw(FLAG) else ()
    return (*scores[:axis], *kept, *scores[axis + 1 :])


def loss_options(draw: Draw) -> dict[str, Any]:
    options: dict[str, Any] = {}
    maybe(draw, options, "ignore_label", st.just(255))
    maybe(draw, options, "normalization", st.sampled_from(["FULL", "VALID", "BATCH_SIZE", "NONE"]))
    maybe(draw, options, "normalize", FLAG)
    return options


@st.composite
def softmax_loss(draw: Draw) -> Example:
    scores, options, axis = draw(CHANNELS_SHAPE), loss_options(draw), 1
    if draw(st.integers(0, 3)) == 0:
        axis = options["axis"] = any_axis(draw, len(scores))
    if draw(FLAG):
        options["class_weighting"] = [draw(st.floats(0.25, 4)) for _ in range(scores[axis])]
    maybe(draw, options, "weight_by_label_freqs", FLAG)
    shapes = (scores, label_shape(draw, scores, axis % len(scores)))
    tops = draw(st.integers(1, 2))
    return Example("SoftmaxWithLoss", shapes, options, tops, draw(PHASE), scores[axis], draw(SEED))


@st.composite
def infogain_loss(draw: Draw) -> Example:
    scores, options, axis = draw(CHANNELS_SHAPE), loss_options(draw), 1
    if draw(st.integers(0, 3)) == 0:
        axis = options["axis"] = any_axis(draw, len(scores))
    classes = scores[axis]
    shapes: tuple[Shape, ...] = (scores, label_shape(draw, scores, axis % len(scores)))
    if draw(FLAG):
        shapes += draw(st.sampled_from([((classes, classes),), ((1, 1, classes, classes),), ((classes**2,),)]))
    else:
        options["matrix"] = [draw(st.floats(-2, 2)) for _ in range(classes**2)]
    return Example("InfogainLoss", shapes, options, draw(st.integers(1, 2)), draw(PHASE), classes, draw(SEED))


@st.composite
def sigmoid_loss(draw: Draw) -> Example:
    shape, options = draw(ANY_SHAPE), loss_options(draw)
    targets = draw(st.sampled_from([shape, (prod(shape),), (1, *shape)]))
    classes = 2 if "ignore_label" in options else 0
    return Example("SigmoidCrossEntropyLoss", (shape, targets), options, 1, draw(PHASE), classes, draw(SEED))


@st.composite
def euclidean_loss(draw: Draw) -> Example:
    return Example("EuclideanLoss", (draw(ANY_SHAPE),) * 2, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def accuracy(draw: Draw) -> Example:
    scores = draw(CHANNELS_SHAPE)
    options: dict[str, Any] = {}
    axis = 1
    if draw(st.integers(0, 3)) == 0:
        axis = options["axis"] = any_axis(draw, len(scores))
    maybe(draw, options, "ignore_label", st.just(255))
    maybe(draw, options, "top_k", st.integers(1, scores[axis]))
    shapes = (scores, label_shape(draw, scores, axis % len(scores)))
    tops = draw(st.integers(1, 2))
    return Example("Accuracy", shapes, options, tops, draw(PHASE), scores[axis], draw(SEED))


@st.composite
def argmax(draw: Draw) -> Example:
    shape = draw(st.lists(st.integers(1, 4), min_size=2, max_size=4).map(tuple))
    options: dict[str, Any] = {}
    count = prod(shape[1:])
    if draw(FLAG):
        count = shape[options.setdefault("axis", any_axis(draw, len(shape)))]
    maybe(draw, options, "top_k", st.integers(1, count))
    maybe(draw, options, "out_max_val", FLAG)
    return Example("ArgMax", (shape,), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def hinge_loss(draw: Draw) -> Example:
    scores = draw(CHANNELS_SHAPE)
    options: dict[str, Any] = {}
    maybe(draw, options, "norm", st.sampled_from(["L1", "L2"]))
    label = draw(st.sampled_from([(scores[0],), (scores[0], 1), (scores[0], 1, 1, 1)]))
    classes = prod(scores[1:])
    return Example("HingeLoss", (scores, label), options, 1, draw(PHASE), classes, draw(SEED), kinks=(-1, 1))


@st.composite
def multinomial_logistic_loss(draw: Draw) -> Example:
    p = draw(CHANNELS_SHAPE)
    bottoms, classes = (p, p[:1]), prod(p[1:])
    return Example("MultinomialLogisticLoss", bottoms, {}, 1, draw(PHASE), classes, draw(SEED), positive=True)


@st.composite
def parameter(draw: Draw) -> Example:
    options = {"shape": {"dim": list(draw(ANY_SHAPE))}}
    return Example("Parameter", (draw(ANY_SHAPE),), options, phase=draw(PHASE), seed=draw(SEED))

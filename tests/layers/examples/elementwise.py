"""Layers that compute each element separately, or with a small array that they repeat."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from fcnlite.arrays import Shape
from tests.layers.examples.draws import ANY_SHAPE, CHANNELS_SHAPE, FLAG, PHASE, SEED, Draw, any_axis, maybe
from tests.layers.examples.example import Example


@st.composite
def relu(draw: Draw) -> Example:
    options: dict[str, Any] = {}
    maybe(draw, options, "negative_slope", st.sampled_from([-0.5, 0.0, 0.1, 1.5]))
    return Example("ReLU", (draw(ANY_SHAPE),), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def prelu(draw: Draw) -> Example:
    options: dict[str, Any] = {}
    maybe(draw, options, "channel_shared", FLAG)
    return Example("PReLU", (draw(CHANNELS_SHAPE),), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def dropout(draw: Draw) -> Example:
    options: dict[str, Any] = {}
    maybe(draw, options, "dropout_ratio", st.sampled_from([0.1, 0.5, 0.9]))
    maybe(draw, options, "scale_train", FLAG)
    maybe(draw, options, "sample_weights_test", FLAG)
    return Example("Dropout", (draw(ANY_SHAPE),), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def clip(draw: Draw) -> Example:
    options = {"min": draw(st.sampled_from([-0.7, 0.0])), "max": draw(st.sampled_from([0.5, 9.0]))}
    return Example("Clip", (draw(ANY_SHAPE),), options, phase=draw(PHASE), seed=draw(SEED), kinks=(-0.7, 0.5))


@st.composite
def elementwise(draw: Draw, type_: str, options: dict[str, Any]) -> Example:
    """A layer with one bottom of any shape and some of these options."""
    chosen = {name: value for name, value in options.items() if draw(FLAG)}
    return Example(type_, (draw(ANY_SHAPE),), chosen, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def positive(draw: Draw, type_: str, name: str, values: list[float]) -> Example:
    """Log or Power, whose shift keeps the argument above 0."""
    options = {"scale": draw(st.sampled_from([-1.0, 0.5])), "shift": draw(st.sampled_from([3.0, 4.5]))}
    maybe(draw, options, name, st.sampled_from(values))
    return Example(type_, (draw(ANY_SHAPE),), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def eltwise(draw: Draw) -> Example:
    shape, bottoms = draw(ANY_SHAPE), draw(st.integers(2, 3))
    options: dict[str, Any] = {}
    maybe(draw, options, "operation", st.sampled_from(["SUM", "PROD", "MAX"]))
    if options.get("operation", "SUM") == "SUM" and draw(FLAG):
        options["coeff"] = [draw(st.sampled_from([-2.0, -0.5, 0.25, 3.0])) for _ in range(bottoms)]
    return Example("Eltwise", (shape,) * bottoms, options, phase=draw(PHASE), seed=draw(SEED))


def repeated(draw: Draw, options: dict[str, Any]) -> tuple[Shape, ...]:
    """The bottoms of a layer that repeats a small array (a parameter or a second bottom) over a blob."""
    shape = draw(CHANNELS_SHAPE)
    axes, axis = len(shape), 1
    if draw(FLAG):
        axis = options["axis"] = any_axis(draw, axes)
    axis %= axes
    if draw(FLAG):
        return shape, shape[axis : axis + draw(st.integers(0, axes - axis))]
    maybe(draw, options, "num_axes", st.integers(-1, axes - axis))
    return (shape,)


@st.composite
def scale(draw: Draw) -> Example:
    options: dict[str, Any] = {}
    maybe(draw, options, "bias_term", FLAG)
    return Example("Scale", repeated(draw, options), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def bias(draw: Draw) -> Example:
    options: dict[str, Any] = {}
    return Example("Bias", repeated(draw, options), options, phase=draw(PHASE), seed=draw(SEED))

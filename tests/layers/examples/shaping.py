"""Layers that cut, join, repeat or sum blobs along axes."""

from __future__ import annotations

from math import prod
from typing import Any

from hypothesis import strategies as st

from tests.layers.examples.draws import ANY_SHAPE, CHANNELS_SHAPE, COUNT, FLAG, PHASE, SEED, SIZE, Draw, any_axis, maybe
from tests.layers.examples.example import Example


@st.composite
def crop(draw: Draw) -> Example:
    shape = draw(ANY_SHAPE)
    axis = any_axis(draw, len(shape))
    cropped = list(range(axis % len(shape), len(shape)))
    reference = [draw(SIZE) for _ in shape]
    room = 6
    for i in cropped:
        reference[i] = draw(st.integers(1, shape[i]))
        room = min(room, shape[i] - reference[i])
    options: dict[str, Any] = {"axis": axis}
    if draw(FLAG):
        options["offset"] = [draw(st.integers(0, room))]
    elif draw(FLAG):
        options["offset"] = [draw(st.integers(0, shape[i] - reference[i])) for i in cropped]
    return Example("Crop", (shape, tuple(reference)), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def concat(draw: Draw) -> Example:
    shape, bottoms = draw(CHANNELS_SHAPE), draw(st.integers(1, 3))
    options: dict[str, Any] = {}
    axis = 1
    if draw(FLAG):
        axis = options["axis"] = any_axis(draw, len(shape))
    elif draw(FLAG):
        axis = options["concat_dim"] = draw(st.integers(0, len(shape) - 1))
    shapes = []
    for _ in range(bottoms):
        each = list(shape)
        each[axis] = draw(COUNT)
        shapes.append(tuple(each))
    return Example("Concat", tuple(shapes), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def slice_(draw: Draw) -> Example:
    shape, parts = list(draw(CHANNELS_SHAPE)), draw(st.lists(COUNT, min_size=1, max_size=3))
    options: dict[str, Any] = {}
    axis = 1
    if draw(FLAG):
        axis = options["axis"] = any_axis(draw, len(shape))
    elif draw(FLAG):
        axis = options["slice_dim"] = draw(st.integers(0, len(shape) - 1))
    shape[axis] = sum(parts)
    if len(set(parts)) > 1 or (len(parts) > 1 and draw(FLAG)):
        options["slice_point"] = [sum(parts[:i]) for i in range(1, len(parts))]
    return Example("Slice", (tuple(shape),), options, len(parts), draw(PHASE), seed=draw(SEED))


@st.composite
def split(draw: Draw) -> Example:
    return Example("Split", (draw(ANY_SHAPE),), tops=draw(COUNT), phase=draw(PHASE), seed=draw(SEED))


@st.composite
def tile(draw: Draw) -> Example:
    shape = draw(CHANNELS_SHAPE)
    options: dict[str, Any] = {"tiles": draw(COUNT)}
    maybe(draw, options, "axis", st.integers(-len(shape), len(shape) - 1))
    return Example("Tile", (shape,), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def reshape(draw: Draw) -> Example:
    shape = draw(ANY_SHAPE)
    first = draw(st.integers(0, len(shape)))
    end = draw(st.integers(first, len(shape)))
    inner = list(shape[first:end])
    kind = draw(st.sampled_from(["flat", "same", "split"]))
    dims = {"flat": [prod(inner)], "same": [0] * len(inner), "split": [1, prod(inner), 1]}[kind]
    if dims and draw(FLAG):
        dims[draw(st.integers(0, len(dims) - 1))] = -1
    # A -1 may replace an axis of size 1 too: it is inferred from the axes that are copied.
    options: dict[str, Any] = {"shape": {"dim": dims}, "axis": draw(st.sampled_from([first, first - len(shape) - 1]))}
    if end < len(shape) or draw(FLAG):
        options["num_axes"] = end - first
    return Example("Reshape", (shape,), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def flatten(draw: Draw) -> Example:
    shape = draw(CHANNELS_SHAPE)
    options: dict[str, Any] = {}
    maybe(draw, options, "axis", st.integers(-len(shape), len(shape) - 1))
    first = options.get("axis", 1) % len(shape)
    last = draw(st.integers(first, len(shape) - 1))
    if last < len(shape) - 1 or draw(FLAG):
        options["end_axis"] = draw(st.sampled_from([last, last - len(shape)]))
    return Example("Flatten", (shape,), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def reduction(draw: Draw) -> Example:
    shape = draw(ANY_SHAPE)
    options: dict[str, Any] = {}
    maybe(draw, options, "operation", st.sampled_from(["SUM", "ASUM", "SUMSQ", "MEAN"]))
    maybe(draw, options, "axis", st.integers(-len(shape), len(shape) - 1))
    maybe(draw, options, "coeff", st.sampled_from([-0.5, 2.0]))
    return Example("Reduction", (shape,), options, phase=draw(PHASE), seed=draw(SEED))

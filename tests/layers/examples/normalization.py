"""Normalizations over channels, regions and batches."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.layers.examples.draws import CHANNELS_SHAPE, COUNT, FLAG, PHASE, SEED, SHAPES, Draw, maybe
from tests.layers.examples.example import Example


@st.composite
def lrn(draw: Draw) -> Example:
    options: dict[str, Any] = {}
    maybe(draw, options, "local_size", st.sampled_from([1, 3, 5, 9]))
    maybe(draw, options, "alpha", st.sampled_from([0.01, 2.0]))
    maybe(draw, options, "beta", st.sampled_from([0.5, 1.0]))
    maybe(draw, options, "k", st.sampled_from([0.5, 2.0]))
    maybe(draw, options, "norm_region", st.sampled_from(["ACROSS_CHANNELS", "WITHIN_CHANNEL"]))
    return Example("LRN", (draw(CHANNELS_SHAPE),), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def mvn(draw: Draw) -> Example:
    # Few values, so that those of a channel are far apart, since close values make the curvature large. And a tiny eps,
    # because the gradient leaves it out.
    options: dict[str, Any] = {"eps": 1e-15}
    maybe(draw, options, "normalize_variance", FLAG)
    maybe(draw, options, "across_channels", FLAG)
    shape = draw(st.lists(st.integers(1, 3), min_size=1, max_size=4).map(tuple))
    return Example("MVN", (shape,), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def batch_norm(draw: Draw) -> Example:
    # A large eps keeps the curvature low if a channel has few or close values.
    options: dict[str, Any] = {"eps": draw(st.sampled_from([0.05, 0.5]))}
    maybe(draw, options, "use_global_stats", FLAG)
    maybe(draw, options, "moving_average_fraction", st.sampled_from([0.5, 0.9]))
    shape = draw(SHAPES | st.tuples(st.integers(2, 5), COUNT))
    return Example("BatchNorm", (shape,), options, phase=draw(PHASE), seed=draw(SEED))

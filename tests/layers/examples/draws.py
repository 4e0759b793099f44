"""The strategies that several layer types share: counts, shapes, axes, optional options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy[Any]], Any]

COUNT = st.integers(1, 3)
SIZE = st.integers(1, 7)
SHAPES = st.tuples(COUNT, COUNT, SIZE, SIZE)
ANY_SHAPE = st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple)
CHANNELS_SHAPE = st.lists(st.integers(1, 4), min_size=2, max_size=5).map(tuple)
"""N×C and any further axes."""
PHASE = st.sampled_from(["TRAIN", "TEST"])
SEED = st.integers(0, 10_000)
FLAG = st.booleans()


def maybe(draw: Draw, options: dict[str, Any], name: str, values: st.SearchStrategy[Any]) -> None:
    """Set the option or leave it out."""
    if draw(FLAG):
        options[name] = draw(values)


def any_axis(draw: Draw, axes: int) -> int:
    """An axis, counted from either end."""
    return draw(st.integers(-axes, axes - 1))

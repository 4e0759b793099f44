"""The state of a net: what both executors read and training changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from fcnlite.engine.parameter import Parameter, Parameters, generator
from fcnlite.ranks.shard import WHOLE, Shard
from fcnlite.threads import Turns


@dataclass
class State:
    """Parameters, phase, number type, and the values that random numbers depend on."""

    phase: str
    dtype: np.dtype[Any]
    seed: int
    """Seeds the fillers of new parameters, and Dropout."""
    iteration: int = 0
    """The number of forward passes with `keep` in phase TRAIN so far; Dropout depends on it and on `seed`."""
    shard: Shard = WHOLE
    """The part of the batch that this process computes; a solver sets it before each pass."""
    params: Parameters | None = None
    """Parameters by layer name; None before the input shapes are known."""
    learning: Turns = field(default_factory=Turns)
    """Held while parameters, gradients or statistics are written; nets that share parameters share it too."""

    def of(self, layer: str) -> Sequence[Parameter]:
        """The parameters of a layer, in order; empty for a layer without parameters."""
        return () if self.params is None else self.params.get(layer, ())

    def rng(self, layer: str) -> Callable[[], np.random.Generator]:
        """A function that makes the random generator of a layer for the current iteration."""
        return partial(generator, self.seed, 1 + self.iteration, layer)

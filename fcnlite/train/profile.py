"""Where the time of a training goes: seconds of each layer, forward and backward."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fcnlite.net import Net

SHOWN = 40
"""Layers of the table, the slowest; the others are added up."""


@dataclass
class LayerTime:
    """What one layer has taken, in seconds."""

    layer: str
    type: str
    forward: float = 0.0
    backward: float = 0.0
    passes: int = 0

    @property
    def both(self) -> float:
        return self.forward + self.backward


@dataclass
class Profile:
    """Measured within `profiled`."""

    layers: list[LayerTime] = field(default_factory=list)
    """In the order of the net."""
    began: float = field(default_factory=time.perf_counter)
    ended: float | None = None

    @property
    def seconds(self) -> float:
        """From the block's beginning to its end, or to now."""
        return (self.ended or time.perf_counter()) - self.began

    def table(self) -> str:
        """For people: milliseconds a pass and shares of the whole time, the slowest layers first."""
        ranked = sorted((each for each in self.layers if each.both), key=lambda each: -each.both)
        rest = ranked[SHOWN:]
        rows: list[tuple[str, str, float, float]]
        rows = [(each.layer, each.type, each.forward, each.backward) for each in ranked[:SHOWN]]
        if rest:
            sums = sum(each.forward for each in rest), sum(each.backward for each in rest)
            rows.append((f"{len(rest)} others", "", *sums))
        computed = sum(each.forward for each in ranked), sum(each.backward for each in ranked)
        seconds = self.seconds
        rows.append(("all layers", "", *computed))
        width, kind = max(len(row[0]) for row in rows), max(len(row[1]) for row in rows)
        passes = max((each.passes for each in self.layers), default=0)
        lines = [f"{'layer':{width}}  {'type':{kind}}  {'forward':>10}  {'backward':>10}  {'share':>6}"]
        for name, type_, forward, backward in rows:
            figures = [f"{1000 * each / max(1, passes):7.1f} ms" for each in (forward, backward)]
            share = (forward + backward) / seconds
            lines.append(f"{name:{width}}  {type_:{kind}}  {figures[0]:>10}  {figures[1]:>10}  {share:6.1%}")
        other = seconds - sum(computed)
        lines.append(f"{passes} passes; beside the layers (updates, data, checks): {other:.1f} s of {seconds:.1f} s")
        return "\n".join(lines)


@contextmanager
def profiled(net: Net) -> Iterator[Profile]:
    """Measure the layers of `net` within the block, by wrapping what they compute with."""
    profile = Profile()
    for layer in net.layers:
        taken = LayerTime(layer.spec.name, layer.type)
        profile.layers.append(taken)
        layer.forward = _timed(layer.forward, taken, "forward")  # type: ignore[method-assign]
        layer.backward = _timed(layer.backward, taken, "backward")  # type: ignore[method-assign]
    try:
        yield profile
    finally:
        profile.ended = time.perf_counter()
        for layer in net.layers:
            del layer.forward, layer.backward  # the class's own show again


def _timed(compute: Callable[..., Any], taken: LayerTime, way: str) -> Callable[..., Any]:
    def timed(*arguments: Any) -> Any:
        began = time.perf_counter()
        try:
            return compute(*arguments)
        finally:
            seconds = time.perf_counter() - began
            if way == "forward":
                taken.forward += seconds
                taken.passes += 1
            else:
                taken.backward += seconds

    return timed

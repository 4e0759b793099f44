"""Where the time of a training goes: seconds of each layer, forward and backward.

What a plan computes at once (a convolution with its bias, ReLU and pooling) is measured as one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from fcnlite.net import Net

SHOWN = 40
"""Lines of the table, the slowest; the others are added up."""
WIDEST = 48
"""Characters of the names of layers that are computed at once."""


@dataclass
class LayerTime:
    """What a layer has taken, or several that are computed at once, in seconds."""

    name: str
    type: str
    forward: float = 0.0
    backward: float = 0.0

    @property
    def both(self) -> float:
        return self.forward + self.backward


@dataclass
class Profile:
    """Measured within `profiled`."""

    types: dict[str, str]
    """Of the layers, by name."""
    layers: dict[tuple[str, ...], LayerTime] = field(default_factory=dict)
    """By the names of the layers; without names, the changes of layout between them."""
    passes: int = 0
    began: float = field(default_factory=time.perf_counter)
    ended: float | None = None
    _way: str = "backward"
    """Of what was measured last."""

    @property
    def seconds(self) -> float:
        """From the block's beginning to its end, or to now."""
        return (self.ended or time.perf_counter()) - self.began

    def add(self, layers: Sequence[str], way: str, seconds: float) -> None:
        """What a net's `timer` is told. A pass is forward, then backward."""
        if way == "forward" and self._way == "backward":
            self.passes += 1
        self._way = way
        key = tuple(layers)
        if key not in self.layers:
            name = " + ".join(key) or "between layers"
            short = name if len(name) <= WIDEST else f"{name[: WIDEST - 1]}…"
            self.layers[key] = LayerTime(short, self.types[key[0]] if key else "layout")
        taken = self.layers[key]
        if way == "forward":
            taken.forward += seconds
        else:
            taken.backward += seconds

    def table(self) -> str:
        """For people: milliseconds a pass and shares of the whole time, the slowest layers first."""
        ranked = sorted(self.layers.values(), key=lambda each: -each.both)
        rest = ranked[SHOWN:]
        rows = [(each.name, each.type, each.forward, each.backward) for each in ranked[:SHOWN]]
        if rest:
            sums = sum(each.forward for each in rest), sum(each.backward for each in rest)
            rows.append((f"{len(rest)} others", "", *sums))
        computed = sum(each.forward for each in ranked), sum(each.backward for each in ranked)
        seconds = self.seconds
        rows.append(("all layers", "", *computed))
        width, kind = max(len(row[0]) for row in rows), max(len(row[1]) for row in rows)
        lines = [f"{'layer':{width}}  {'type':{kind}}  {'forward':>10}  {'backward':>10}  {'share':>6}"]
        for name, type_, forward, backward in rows:
            figures = [f"{1000 * each / max(1, self.passes):7.1f} ms" for each in (forward, backward)]
            share = (forward + backward) / seconds
            lines.append(f"{name:{width}}  {type_:{kind}}  {figures[0]:>10}  {figures[1]:>10}  {share:6.1%}")
        other = seconds - sum(computed)
        lines.append(
            f"{self.passes} passes; beside the layers (updates, data, checks): {other:.1f} s of {seconds:.1f} s"
        )
        return "\n".join(lines)


@contextmanager
def profiled(net: Net) -> Iterator[Profile]:
    """Measure what `net` computes within the block."""
    profile = Profile({layer.spec.name: layer.type for layer in net.layers})
    before, net.timer = net.timer, profile.add
    try:
        yield profile
    finally:
        profile.ended = time.perf_counter()
        net.timer = before

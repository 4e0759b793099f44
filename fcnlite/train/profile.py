"""The time of each layer in a training, forward and backward.

Layers that a plan computes together (a convolution with its bias, ReLU and pooling) are measured together.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from fcnlite.net import Net

SHOWN = 40
"""The number of layers in the table, slowest first; the others are summed in one line."""
WIDEST = 48
"""The largest width of a name in the table, in characters."""


@dataclass
class LayerTime:
    """The time of a layer, or of several that are computed together, in seconds."""

    name: str
    type: str
    forward: float = 0.0
    backward: float = 0.0

    @property
    def both(self) -> float:
        return self.forward + self.backward


@dataclass
class Profile:
    """The measurements of a `profiled` block."""

    types: dict[str, str]
    """The types of the layers by name."""
    layers: dict[tuple[str, ...], LayerTime] = field(default_factory=dict)
    """The times by the names of the layers; the empty key has the layout conversions between layers."""
    passes: int = 0
    began: float = field(default_factory=time.perf_counter)
    ended: float | None = None
    _direction: str = "backward"
    """The direction of the last measurement."""

    @property
    def seconds(self) -> float:
        """The seconds from the beginning of the block to its end, or to now."""
        return (self.ended or time.perf_counter()) - self.began

    def add(self, layers: Sequence[str], direction: str, seconds: float) -> None:
        """Add a measurement; the `timer` of a net calls this. A pass is forward, then backward."""
        if direction == "forward" and self._direction == "backward":
            self.passes += 1
        self._direction = direction
        key = tuple(layers)
        if key not in self.layers:
            name = " + ".join(key) or "between layers"
            short = name if len(name) <= WIDEST else f"{name[: WIDEST - 1]}…"
            self.layers[key] = LayerTime(short, self.types[key[0]] if key else "layout")
        taken = self.layers[key]
        if direction == "forward":
            taken.forward += seconds
        else:
            taken.backward += seconds

    def table(self) -> str:
        """A table of milliseconds per pass and shares of the whole time, the slowest layers first."""
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
            f"{self.passes} passes; outside the layers (updates, data, validation): {other:.1f} s of {seconds:.1f} s"
        )
        return "\n".join(lines)


@contextmanager
def profiled(net: Net) -> Iterator[Profile]:
    """Measure the layers of `net` within the block."""
    profile = Profile({layer.spec.name: layer.type for layer in net.layers})
    before, net.timer = net.timer, profile.add
    try:
        yield profile
    finally:
        profile.ended = time.perf_counter()
        net.timer = before

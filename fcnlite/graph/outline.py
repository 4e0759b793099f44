"""Lists the layers of a net as a table in text or HTML, for `repr` of nets and for the commands.

These functions do not raise for an incomplete net; they leave unknown entries blank.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod

from fcnlite.arrays import Shape
from fcnlite.description.shapes import show
from fcnlite.graph.schedule import Schedule
from fcnlite.graph.sizing import HasShape, infer
from fcnlite.layers.base import Layer
from fcnlite.text import columns, html_table, short

MOST_ROWS = 200
"""The number of layers up to which all are shown; of a longer net only the first and the last are."""
_LAST_ROWS = 40
_HEADING = ("layer", "type", "top", "parameters")
_SIDES = "<<<>"


def text(title: str, layers: Sequence[Layer], params: Mapping[str, Sequence[HasShape]] | None) -> str:
    """The layers of a net under `title`, as text; `params` is None if the net has no parameters yet."""
    return f"{_titled(title, params)}\n{columns(_lines(layers, params), _SIDES)}"


def markup(title: str, layers: Sequence[Layer], params: Mapping[str, Sequence[HasShape]] | None) -> str:
    """The layers of a net under `title`, as HTML; see `text`."""
    return html_table(_titled(title, params), _lines(layers, params), _SIDES)


def _titled(title: str, params: Mapping[str, Sequence[HasShape]] | None) -> str:
    if params is None:
        return f"{title}, parameters have no sizes before the first forward"
    unique = {id(each): each for parameters in params.values() for each in parameters}
    return f"{title}, {_count(unique.values()):,} parameters"


def _lines(layers: Sequence[Layer], params: Mapping[str, Sequence[HasShape]] | None) -> list[tuple[str, ...]]:
    tops = _tops(layers)
    counted: set[int] = set()
    lines: list[tuple[str, ...]] = [_HEADING]
    for i, layer in enumerate(layers):
        own = [each for each in (params or {}).get(layer.spec.name, ()) if id(each) not in counted]
        counted.update(map(id, own))
        count = f"{_count(own):,}" if own else ""
        lines.append((short(layer.spec.name), short(layer.spec.type), tops.get(i, ""), count))
    hidden = len(layers) - MOST_ROWS
    if hidden > 0:
        lines[1 + MOST_ROWS - _LAST_ROWS : -_LAST_ROWS] = [(f"... {hidden} more", "", "", "")]
    return lines


def _count(parameters: Iterable[HasShape]) -> int:
    return sum(prod(each.shape) for each in parameters)


def _tops(layers: Sequence[Layer]) -> dict[int, str]:
    """The shape of the first top by the layer's index, for the layers that the described input shapes determine."""
    fed: dict[str, Shape] = {}
    found: dict[int, str] = {}
    for i, layer in enumerate(layers):
        described = () if layer.spec.bottom else _described(layer)
        fed.update(zip(layer.spec.top, described, strict=False))
        if described:
            found[i] = show(described[0])
    try:
        schedule = Schedule.make(layers, frozenset(fed), None, keep=True)
        shapes = infer(schedule, fed, itemsize=1)
    except Exception:  # a user's layer may raise any exception
        return found
    places = {id(layer): i for i, layer in enumerate(layers)}
    found.update({places[id(step.layer)]: show(shapes[step.top[0]]) for step in schedule.steps if step.top})
    return found


def _described(layer: Layer) -> list[Shape]:
    try:
        return layer.top_shapes()
    except Exception:
        return []

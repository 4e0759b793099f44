"""Places the nodes of a net: from left to right as they compute, from top to bottom by stride, as FCNs are drawn.

The column of a node is the length of the longest path to it from the picture. The spine is the longest path to the
output; other nodes are as far to the right as the nodes that read them allow, so that a skip is beside its sum. The row
of a node is its stride: the trunk goes down to coarse strides, upsampling comes back up, and a skip stays in its row.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from fractions import Fraction

_CHARACTER, _TITLE_CHARACTER, _LINE, _HEADING = 6.4, 7.8, 15, 24
"""Width of a character, also in the bold name, height of a line and of the name, in the units of the drawing."""
_LEAST, _PADDING = 84, 16
_COLUMN_GAP, _ROW_GAP, _STACK_GAP = 30, 46, 10
_TRACKS, _TRACK = 5, 6
"""Edges that pass over other nodes have so many tracks in the gap above a row, at this distance."""

Point = tuple[float, float]


@dataclass
class Node:
    """A layer of the drawing, with those that write its top in place; or a whole stage."""

    name: str
    type: str
    layers: list[str]
    role: str
    """input, convolution, pooling, upsampling, crop, sum, concat, other, or stage."""
    types: list[str] = field(default_factory=list)
    """The types of `layers`."""
    also: list[str] = field(default_factory=list)
    """What else to write: the types of the layers in place, or the number of layers of a stage."""
    lines: list[str] = field(default_factory=list)
    shape: list[int] = field(default_factory=list)
    stride: Fraction | None = None
    output: bool = False
    x: float = 0
    y: float = 0
    width: float = 0
    height: float = 0


@dataclass(frozen=True)
class Edge:
    """From the node that makes a blob to one that reads it; a reference gives its size only."""

    source: str
    target: str
    reference: bool = False
    points: tuple[Point, ...] = ()


@dataclass
class Drawing:
    """Nodes and edges with their places."""

    nodes: list[Node]
    edges: list[Edge]
    width: float
    height: float


def collapsed(nodes: list[Node], edges: list[Edge]) -> tuple[list[Node], list[Edge]]:
    """The same net with each chain of convolutions, up to a pooling, as one node that is named by its first and last.

    A chain ends where a node is read by several others or reads several.
    """
    readers: dict[str, list[Edge]] = defaultdict(list)
    sources: dict[str, list[Edge]] = defaultdict(list)
    for edge in edges:
        readers[edge.source].append(edge)
        sources[edge.target].append(edge)
    inside = {node.name: node.role in ("convolution", "pooling", "other") and not node.output for node in nodes}
    group: dict[str, list[Node]] = {}
    for node in nodes:  # in the order in which they run
        before = sources[node.name]
        chain = group.get(before[0].source) if len(before) == 1 else None
        joins = (
            chain is not None
            and inside[node.name]
            and inside[chain[-1].name]
            and chain[-1].type != "Pooling"
            and len(readers[chain[-1].name]) == 1
        )
        if joins and chain is not None:
            chain.append(node)
            group[node.name] = chain
        else:
            group[node.name] = [node]
    made: dict[str, Node] = {}
    for chain in group.values():
        first, last = chain[0], chain[-1]
        made[first.name] = first if len(chain) == 1 else _stage(chain, first, last)
    renamed = {node.name: chain[0].name for chain in group.values() for node in chain}
    kept = dict.fromkeys(
        replace(edge, source=renamed[edge.source], target=renamed[edge.target])
        for edge in edges
        if renamed[edge.source] != renamed[edge.target]
    )
    return list(made.values()), list(kept)


def _stage(chain: list[Node], first: Node, last: Node) -> Node:
    layers = [layer for node in chain for layer in node.layers]
    also = [f"{len(layers)} layers"]
    types = [each for node in chain for each in node.types]
    title = f"{first.name} … {last.name}"
    return replace(last, name=first.name, type=title, layers=layers, types=types, role="stage", also=also)


def place(nodes: list[Node], edges: list[Edge]) -> Drawing:
    """Give every node and edge its place. The nodes must be in the order in which they run."""
    column = _columns(nodes, edges)
    data = [edge for edge in edges if not edge.reference]
    spine = _spine(nodes, data, _columns(nodes, data))
    column = _late(nodes, edges, column, spine)
    rows = _rows(nodes)
    for node in nodes:
        lines = [*node.lines, " · ".join(node.also)]
        longest = max(_TITLE_CHARACTER * len(_title(node)), _CHARACTER * max(map(len, lines)))
        node.width = max(_LEAST, _PADDING + longest)
        node.height = _HEADING + _LINE * (len(node.lines) + bool(node.also)) + 6
        if node.also:
            node.lines = [*node.lines, " · ".join(node.also)]
    left = _lefts(nodes, column)
    tops, height = _stack(nodes, column, rows, spine)
    for node in nodes:
        node.x, node.y = left[column[node.name]], tops[node.name]
    width = max(node.x + node.width for node in nodes) + _COLUMN_GAP
    return Drawing(nodes, _routed(nodes, edges, column, rows), width, height)


def _title(node: Node) -> str:
    return node.type if node.role == "stage" else node.name


def _columns(nodes: list[Node], edges: list[Edge]) -> dict[str, int]:
    """The length of the longest path to each node."""
    column = dict.fromkeys((node.name for node in nodes), 0)
    into: dict[str, list[str]] = defaultdict(list)
    for edge in edges:
        into[edge.target].append(edge.source)
    for node in nodes:
        if into[node.name]:
            column[node.name] = 1 + max(column[source] for source in into[node.name])
    return column


def _spine(nodes: list[Node], edges: list[Edge], column: dict[str, int]) -> set[str]:
    """The nodes of the longest path to the output."""
    into: dict[str, list[str]] = defaultdict(list)
    for edge in edges:
        into[edge.target].append(edge.source)
    outputs = [node.name for node in nodes if node.output] or [nodes[-1].name]
    here: str | None = max(outputs, key=lambda name: column[name])
    spine = set()
    while here is not None:
        spine.add(here)
        here = max(into[here], key=lambda name: column[name], default=None)
    return spine


def _late(nodes: list[Node], edges: list[Edge], column: dict[str, int], spine: set[str]) -> dict[str, int]:
    """The columns with nodes beside the spine moved as far right as their readers allow."""
    readers: dict[str, list[str]] = defaultdict(list)
    for edge in edges:
        readers[edge.source].append(edge.target)
    moved = dict(column)
    for node in reversed(nodes):
        if node.name not in spine and readers[node.name]:
            moved[node.name] = min(moved[reader] for reader in readers[node.name]) - 1
    return moved


def _rows(nodes: list[Node]) -> dict[str, int]:
    """The row of each node: the rank of its stride; nodes without one come last."""
    strides = sorted({node.stride for node in nodes if node.stride is not None})
    return {node.name: len(strides) if node.stride is None else strides.index(node.stride) for node in nodes}


def _lefts(nodes: list[Node], column: dict[str, int]) -> dict[int, float]:
    widest: dict[int, float] = defaultdict(float)
    for node in nodes:
        widest[column[node.name]] = max(widest[column[node.name]], node.width)
    left, x = {}, float(_COLUMN_GAP)
    for each in range(max(column.values()) + 1):
        left[each] = x
        x += widest[each] + _COLUMN_GAP
    return left


def _stack(
    nodes: list[Node], column: dict[str, int], rows: dict[str, int], spine: set[str]
) -> tuple[dict[str, float], float]:
    """The top of each node, and the height of the drawing: the nodes of a row in one column are below each other."""
    cells: dict[tuple[int, int], list[Node]] = defaultdict(list)
    for node in sorted(nodes, key=lambda each: each.name not in spine):
        cells[rows[node.name], column[node.name]].append(node)
    height: dict[int, float] = defaultdict(float)
    for (row, _), stacked in cells.items():
        height[row] = max(height[row], sum(each.height + _STACK_GAP for each in stacked) - _STACK_GAP)
    tops: dict[str, float] = {}
    y = float(_ROW_GAP)
    for row in range(max(rows.values()) + 1):
        for (of, _), stacked in cells.items():
            at = y
            for each in stacked if of == row else ():
                tops[each.name] = at
                at += each.height + _STACK_GAP
        y += height[row] + _ROW_GAP if height[row] else 0
    return tops, y


def _routed(nodes: list[Node], edges: list[Edge], column: dict[str, int], rows: dict[str, int]) -> list[Edge]:
    """Edges from the right side of a node to the left side of another; long ones run in the gap above a row."""
    by_name = {node.name: node for node in nodes}
    top_of_row: dict[int, float] = {}
    for node in nodes:
        row = rows[node.name]
        top_of_row[row] = min(top_of_row.get(row, node.y), node.y)
    used: dict[int, int] = defaultdict(int)
    routed = []
    for edge in edges:
        a, b = by_name[edge.source], by_name[edge.target]
        start, end = (a.x + a.width, a.y + a.height / 2), (b.x, b.y + b.height / 2)
        if edge.reference:
            end = (b.x, b.y + b.height / 4)
        points: tuple[Point, ...] = (start, end)
        if column[b.name] - column[a.name] > 1:
            row = min(rows[a.name], rows[b.name])
            y = top_of_row[row] - 8 - _TRACK * (used[row] % _TRACKS)
            used[row] += 1
            points = (start, (start[0] + _COLUMN_GAP / 2, y), (end[0] - _COLUMN_GAP / 2, y), end)
        routed.append(replace(edge, points=points))
    return routed

"""The net as a drawing, with shapes and strides for one size of picture."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from fcnlite.arrays import Shape
from fcnlite.description.shapes import Placement, placements, show
from fcnlite.errors import DataError
from fcnlite.explore.inference.layout import Edge, Node, collapsed, place
from fcnlite.explore.inference.model import Model
from fcnlite.explore.inference.session import MOST_PIXELS, SMALLEST, Session
from fcnlite.graph.sizing import image_inputs
from fcnlite.layers import links
from fcnlite.segmentation.heads import TRIAL_SIDE

_ROLES = {
    "Convolution": "convolution",
    "Pooling": "pooling",
    "Deconvolution": "upsampling",
    "Crop": "crop",
    "Eltwise": "sum",
    "Concat": "concat",
}
"""What layers are for in an FCN, by type."""


def graph(
    session: Session, height: int | None = None, width: int | None = None, stages: bool = False
) -> dict[str, Any]:
    """Nodes and edges with their places, for a picture of this size; by default the open picture's.

    `stages`: draw chains of layers, up to a pooling each, as one node.
    """
    model = session.model
    if height is None or width is None:
        height, width = _size(session)
    if not (type(height) is type(width) is int and min(height, width) >= 1 and height * width <= MOST_PIXELS):
        raise DataError(
            f"the size {height}×{width} is not usable; expected whole numbers of at least {SMALLEST}, and up to "
            f"{MOST_PIXELS:,} pixels."
        )
    nodes, edges = nodes_of(model, height, width)
    if stages:
        nodes, edges = collapsed(nodes, edges)
    drawing = place(nodes, edges)
    return {
        "height": height,
        "width": width,
        "nodes": [
            {
                "id": node.name,
                "type": node.type,
                "layers": node.layers,
                "types": node.types,
                "lines": node.lines,
                "shape": node.shape,
                "stride": None if node.stride is None else float(node.stride),
                "role": node.role,
                "x": node.x,
                "y": node.y,
                "w": node.width,
                "h": node.height,
            }
            for node in drawing.nodes
        ],
        "edges": [
            {"from": e.source, "to": e.target, "reference": e.reference, "points": e.points} for e in drawing.edges
        ],
        "size": [drawing.width, drawing.height],
    }


def _size(session: Session) -> tuple[int, int]:
    model = session.model
    if model.fixed_size is not None:
        return model.fixed_size
    try:
        height, width = session.picture.image.shape[:2]
    except DataError:
        declared = image_inputs(model.net.layers)[model.input]
        height, width = (TRIAL_SIDE, TRIAL_SIDE) if declared is None or len(declared) != 4 else declared[2:]
    return height, width


def nodes_of(model: Model, height: int, width: int) -> tuple[list[Node], list[Edge]]:
    """A node for the picture and for each layer; layers in place are part of the node whose top they write."""
    steps = model.running(height, width)
    specs = [layer.spec for layer in model.net.layers]
    along = [placements(links(specs, axis)) for axis in (0, 1)]
    first = Node(model.input, "Input", [model.input], "input", ["Input"])
    nodes = {model.input: first}
    producer = {model.input: model.input}
    edges: list[Edge] = []
    _describe(first, model.shape(height, width), along, model.input)
    head = model.head
    for layer, _, tops in steps:
        spec = layer.spec
        if spec.bottom and spec.top == spec.bottom[:1] and len(spec.bottom) == 1:
            owner = nodes[producer[spec.bottom[0]]]
            if owner.type != "Input":
                owner.layers.append(spec.name)
                owner.types.append(spec.type)
                owner.also.append(spec.type)
                continue
        node = Node(spec.name, spec.type, [spec.name], _role(spec.type), [spec.type])
        nodes[spec.name] = node
        _describe(node, tops[0] if tops else (), along, spec.top[0] if spec.top else "")
        if head is not None and head.blob in spec.top:
            node.output = True
        for i, bottom in enumerate(spec.bottom):
            if bottom in producer:
                edges.append(Edge(producer[bottom], spec.name, i in layer.no_gradient))
        for top in spec.top:
            producer[top] = spec.name
    read = {edge.source for edge in edges}
    if not any(node.output for node in nodes.values()):
        for node in nodes.values():
            node.output = node.name not in read
    return list(nodes.values()), edges


def _describe(node: Node, shape: Shape, along: list[dict[str, tuple[str, Placement]]], blob: str) -> None:
    found = [each.get(blob) for each in along]
    places = [each[1] for each in found if each is not None]
    node.shape = list(shape)
    node.lines = [show(shape[1:]) if len(shape) > 1 else show(shape)]
    if len(places) == 2:
        node.stride = max(place.stride for place in places)
        fields = list(dict.fromkeys(str(place.field) for place in places))
        node.lines.append(f"s {_text(node.stride)} · f {'×'.join(fields)}")


def _text(value: Fraction) -> str:
    return str(value)


def _role(kind: str) -> str:
    """What a layer is for in an FCN."""
    return _ROLES.get(kind, "other")

"""Reads layers that Caffe's own messages do not describe: those of its forks and of users.

Their options (`bn_param { ... }`) come directly from the text. An unknown field is an error where it would change the
result, and is skipped in the options of data layers and of layers with unknown types.

In V1 the type of a layer is the value of an enum, and protobuf refuses the types of forks. They are read as names.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fcnlite.errors import SpecError
from fcnlite.formats.caffe.schema import Field, enum_values, fields
from fcnlite.formats.caffe.syntax_tree import SyntaxNode, parse_tree, to_dict
from fcnlite.formats.caffe.text import UnknownFieldError, UnknownValueError, parse_text, unknown_field, unknown_value
from fcnlite.formats.caffe.upgrade import v2_type
from fcnlite.layers import registered
from fcnlite.layers.data import DataLayer

if TYPE_CHECKING:
    from google.protobuf.message import Message


_V1_TYPES = "V1LayerParameter.LayerType"
_V1_TYPE = re.compile(r"type\s*:\s*(\w+)")


@dataclass(frozen=True)
class CustomLayer:
    """A layer whose type this package does not define: its place in the file, and its `*_param` messages."""

    where: str
    messages: Mapping[str, Any]


def parse_net_text(text: str, source: str) -> tuple[Message, dict[int, CustomLayer]]:
    """A NetParameter, and its custom layers by their index in `layer`.

    Raises `SpecError` as `parse_text` does, except for unknown fields that do not change the result.
    """
    try:
        message: Any = parse_text("NetParameter", text, source)
    except (UnknownFieldError, UnknownValueError):
        tree = parse_tree(text, source)
        _check(tree, source)
        message = parse_text("NetParameter", _named(text, tree, source), source, allow_unknown_fields=True)
        return message, _custom_layers(tree, source)
    if all(_is_ours(layer.type) for layer in message.layer):
        return message, {}
    return message, _custom_layers(parse_tree(text, source), source)


def _is_ours(type_: str) -> bool:
    """Whether this package computes layers of the type; then each of their fields matters."""
    layer = registered().get(type_)
    return layer is not None and layer.__module__.startswith("fcnlite.") and not issubclass(layer, DataLayer)


def _type(node: SyntaxNode) -> str:
    """The V2 name of the type of a layer, which is in V2's form (`layer`) or V1's (`layers`)."""
    types = [str(each.value) for each in node.value if each.name == "type"]
    name = types[0] if types else ""
    return _v2_type(name) if node.name == "layers" else name


def _v2_type(name: str) -> str:
    """The V2 name of a V1 type; a type that Caffe does not have gets the name under which it is registered, if any."""
    if name in enum_values(_V1_TYPES):
        return v2_type(name)
    letters = name.replace("_", "").lower()
    return next((each for each in registered() if each.lower() == letters), v2_type(name))


def _named(text: str, tree: list[SyntaxNode], source: str) -> str:
    """`text` with the V1 types that Caffe does not have as names, so that protobuf can read it."""
    parts, done = [], 0
    for node in (each for layer in tree if layer.name == "layers" and _is_layer(layer) for each in layer.value):
        if node.name != "type" or not isinstance(node.value, str) or node.value in enum_values(_V1_TYPES):
            continue
        match = _V1_TYPE.match(text, node.start)
        name = _v2_type(node.value)
        # A fork's CROP may compute something else than the Crop that Caffe added later.
        if match is None or match[1] != node.value or _is_ours(name):
            raise SpecError(f"{source}, line {node.line}: {unknown_value(_V1_TYPES, node.value)}")
        parts += [text[done : node.start], f'custom_type: "{name}"']
        done = match.end()
    return "".join((*parts, text[done:]))


def _is_layer(node: SyntaxNode) -> bool:
    return node.name in ("layer", "layers") and isinstance(node.value, list)


def _is_padding(node: SyntaxNode) -> bool:
    """Whether the node is a padding layer of V0, which becomes the pad of the next layer."""
    inner = [each.value for each in node.value if each.name == "layer" and isinstance(each.value, list)]
    return any(each.name == "type" and each.value == "padding" for part in inner for each in part)


def _custom_layers(tree: list[SyntaxNode], source: str) -> dict[int, CustomLayer]:
    layers = (node for node in tree if _is_layer(node) and not _is_padding(node))
    return {
        i: CustomLayer(
            f"{source}, line {node.line}", to_dict([each for each in node.value if each.name.endswith("_param")])
        )
        for i, node in enumerate(layers)
        if (name := _type(node)) and not _is_ours(name)
    }


def _check(tree: list[SyntaxNode], source: str) -> None:
    """Raise `SpecError` for the first unknown field that matters; warn about unknown fields of the net itself."""
    known = fields("NetParameter")
    skipped = []
    for node in tree:
        if node.name not in known:
            if isinstance(node.value, list):  # it may be a layer
                raise SpecError(f"{source}, line {node.line}: {unknown_field('NetParameter', node.name)}")
            skipped.append(node)
        elif not _is_layer(node) or _is_ours(_type(node)):
            _check_fields(node, known[node.name], source)
        else:
            names = node._replace(value=[each for each in node.value if not isinstance(each.value, list)])
            _check_fields(names, known[node.name], source)
    if skipped:
        first = skipped[0]
        more = f" This and {len(skipped) - 1} more are" if len(skipped) > 1 else " It is"
        problem = unknown_field("NetParameter", first.name)
        warnings.warn(f"{source}, line {first.line}: {problem}{more} ignored.", stacklevel=4)


def _check_fields(node: SyntaxNode, field: Field, source: str) -> None:
    if not field.is_message or not isinstance(node.value, list):
        return
    known = fields(field.type)
    for each in node.value:
        if each.name not in known:
            raise SpecError(f"{source}, line {each.line}: {unknown_field(field.type, each.name)}")
        _check_fields(each, known[each.name], source)

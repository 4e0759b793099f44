"""Reads layers that Caffe's own messages do not describe: those of its forks and of users.

Their options (`mine_param { ... }`) come directly from the text. An unknown field is an error where it would change the
result, and is skipped in the options of data layers and of layers with unknown types. A field of a fork that changes
nothing is skipped with a warning.

In V1 the type of a layer is the value of an enum, and protobuf refuses the types of forks. They are read as names.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from fcnlite.errors import SpecError
from fcnlite.formats.caffe import fork_fields
from fcnlite.formats.caffe.schema import Field, enum_values, fields
from fcnlite.formats.caffe.syntax_tree import SyntaxNode, parse_tree, to_dict
from fcnlite.formats.caffe.text import UnknownFieldError, UnknownValueError, parse_text, unknown_field, unknown_value
from fcnlite.formats.caffe.upgrade import v2_type
from fcnlite.layers import registered
from fcnlite.layers.data import DataLayer
from fcnlite.layers.registry import is_of_fork

if TYPE_CHECKING:
    pass


_V1_TYPES = "V1LayerParameter.LayerType"
_IN_V1 = ("Crop",)
"""The types of Caffe that forks had before Caffe, with the same meaning, in V1's form."""


@dataclass(frozen=True)
class CustomLayer:
    """A layer whose type this package does not define: its place in the file, and its `*_param` messages."""

    where: str
    messages: Mapping[str, Any]


class NetText(NamedTuple):
    """A net as text, parsed."""

    message: Any
    """The NetParameter."""
    custom: Mapping[int, CustomLayer]
    """The custom layers by their index among all layers."""
    order: tuple[str, ...] = ()
    """`layer` or `layers` for each layer in the order of the text, if it has both forms."""


def parse_net_text(text: str, source: str) -> NetText:
    """The net that the text describes.

    Raises `SpecError` as `parse_text` does, except for unknown fields that do not change the result.
    """
    try:
        message: Any = parse_text("NetParameter", text, source)
    except (UnknownFieldError, UnknownValueError):
        tree = parse_tree(text, source)
        _check(tree, source)
        readable = _edited(text, [*_named_types(text, tree, source), *_unknown_engines(tree)])
        message = parse_text("NetParameter", readable, source, allow_unknown_fields=True)
        return NetText(message, _custom_layers(tree, source), _order(message, tree))
    if all(_is_ours(layer.type) for layer in message.layer) and not (message.layer and message.layers):
        return NetText(message, {})
    tree = parse_tree(text, source)
    return NetText(message, _custom_layers(tree, source), _order(message, tree))


def _order(message: Any, tree: list[SyntaxNode]) -> tuple[str, ...]:
    if not (message.layer and message.layers):
        return ()
    return tuple(node.name for node in tree if _is_layer(node))


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


class _Edit(NamedTuple):
    """A part of the text that protobuf cannot read, and what it is to read instead."""

    start: int
    end: int
    text: str = ""


def _edited(text: str, edits: list[_Edit]) -> str:
    parts, done = [], 0
    for edit in sorted(edits):
        parts += [text[done : edit.start], edit.text]
        done = edit.end
    return "".join((*parts, text[done:]))


def _named_types(text: str, tree: list[SyntaxNode], source: str) -> Iterator[_Edit]:
    """Edits that turn the V1 types that Caffe does not have into names."""
    for node in (each for layer in tree if layer.name == "layers" and _is_layer(layer) for each in layer.value):
        if node.name != "type" or not isinstance(node.value, str) or node.value in enum_values(_V1_TYPES):
            continue
        name = _v2_type(node.value)
        written = node.value.isidentifier() and text[node.start : node.end].endswith(node.value)
        if not written or not _means_the_same(name):
            problem = unknown_value(_V1_TYPES, node.value)
            if _is_ours(name):
                problem += f' Caffe has {name} only in V2\'s form: write the net with `layer` and type: "{name}".'
            raise SpecError(f"{source}, line {node.line}: {problem}")
        yield _Edit(node.start, node.end, f'custom_type: "{name}"')


def _means_the_same(name: str) -> bool:
    """Whether a type of V1 that Caffe does not have is what this package computes under the name, or unknown here.

    A fork's RESHAPE computes something else than the Reshape that Caffe added later.
    """
    return not _is_ours(name) or name in _IN_V1 or is_of_fork(registered()[name])


def _unknown_engines(tree: list[SyntaxNode]) -> Iterator[_Edit]:
    """Edits that remove an `engine` that only a fork has (MKLDNN, say): it says how to compute, not what."""
    for layer in filter(_is_layer, tree):
        for options in (each for each in layer.value if isinstance(each.value, list)):
            for node in options.value:
                if node.name == "engine" and isinstance(node.value, str):
                    yield _Edit(node.start, node.end)


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
        if (name := _type(node)) and (not _is_ours(name) or _is_of_v1_fork(node))
    }


def _is_of_v1_fork(node: SyntaxNode) -> bool:
    """Whether the layer is in V1's form and has a type that Caffe's V1 does not have, so that its options are text."""
    if node.name != "layers":
        return False
    types = [each.value for each in node.value if each.name == "type"]
    return bool(types) and types[0] not in enum_values(_V1_TYPES)


def _check(tree: list[SyntaxNode], source: str) -> None:
    """Raise `SpecError` for the first unknown field that matters; warn about those that do not."""
    known = fields("NetParameter")
    skipped: list[tuple[str, SyntaxNode]] = []
    for node in tree:
        if node.name not in known:
            # A group of fields may be a misspelled layer.
            if isinstance(node.value, list) and not fork_fields.without_effect("NetParameter", node.name):
                raise SpecError(f"{source}, line {node.line}: {unknown_field('NetParameter', node.name)}")
            skipped.append(("NetParameter", node))
        elif not _is_layer(node) or (_is_ours(_type(node)) and not _is_of_v1_fork(node)):
            skipped += _unknown_fields(node, known[node.name], source)
        else:
            names = node._replace(value=[each for each in node.value if not isinstance(each.value, list)])
            skipped += _unknown_fields(names, known[node.name], source)
    if skipped:
        message, first = skipped[0]
        more = f" This and {len(skipped) - 1} more are" if len(skipped) > 1 else " It is"
        problem = unknown_field(message, first.name)
        warnings.warn(f"{source}, line {first.line}: {problem}{more} ignored.", stacklevel=4)


def _unknown_fields(node: SyntaxNode, field: Field, source: str) -> Iterator[tuple[str, SyntaxNode]]:
    """The unknown fields that change nothing. Raises `SpecError` for the first that may change the result."""
    if not field.is_message or not isinstance(node.value, list):
        return
    known = fields(field.type)
    for each in node.value:
        if each.name in known:
            yield from _unknown_fields(each, known[each.name], source)
            continue
        message = "LayerParameter" if field.type == "V1LayerParameter" else field.type
        if not fork_fields.without_effect(message, each.name):
            problem = f"{unknown_field(field.type, each.name)}{fork_fields.remedy(message, each.name)}"
            raise SpecError(f"{source}, line {each.line}: {problem}")
        yield message, each

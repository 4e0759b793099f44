"""Reads and writes prototxt: nets and solvers as text. Nets in the older forms V0 and V1 are converted to V2.

A layer's options are the fields of its parameter messages (`convolution_param { ... }`), merged into one mapping. A
registered layer type names its messages, and the others are ignored, as in Caffe; for an unknown type all are read.
Weights inside a prototxt (`blobs`) and `debug_info` are ignored. A BatchNorm of NVIDIA's Caffe that also scales is read
as a BatchNorm and a Scale. The other ways to write a net that Caffe and its forks know are in `spellings`.
"""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Mapping
from typing import Any

from fcnlite.description.spec import LayerSpec, NetSpec, ParamSpec, StateRule
from fcnlite.errors import FileError, SpecError, nearest
from fcnlite.files import beside
from fcnlite.formats.caffe import spellings
from fcnlite.formats.caffe.blobs import read_blob
from fcnlite.formats.caffe.custom_layers import CustomLayer, NetText, parse_net_text
from fcnlite.formats.caffe.messages import fill, to_dict
from fcnlite.formats.caffe.nvidia_batch_norm import OPTIONS, split_batch_norms
from fcnlite.formats.caffe.reading import read_bounded
from fcnlite.formats.caffe.schema import fields, message_class
from fcnlite.formats.caffe.text import MAX_TEXT_BYTES, parse_text
from fcnlite.formats.caffe.upgrade import upgraded
from fcnlite.layers import registered

_OPTION_MESSAGES = {
    field.name: field.type for field in fields("LayerParameter").values() if field.name.endswith("_param")
}
"""The message type of each field of LayerParameter that holds options."""


def read_net(path: str | os.PathLike[str]) -> NetSpec:
    """The net that a prototxt file describes. Raises `FileError` or `SpecError`, naming file and line.

    The matrix of an InfogainLoss is a file beside the prototxt or in the working directory; it becomes the option
    `matrix`.
    """
    spec = parse_net(_read_text(path), str(path))
    layers = tuple(_with_matrix(layer, path) if layer.type == "InfogainLoss" else layer for layer in spec)
    return dataclasses.replace(spec, layers=layers)


def _with_matrix(layer: LayerSpec, path: str | os.PathLike[str]) -> LayerSpec:
    """The layer with the option `matrix`, from the file that its option `source` names."""
    options = dict(layer.options)
    if source := options.pop("source", ""):
        options["matrix"] = read_blob(beside(path, source)).ravel().tolist()
    return dataclasses.replace(layer, options=options)


def parse_net(text: str, source: str = "<text>") -> NetSpec:
    """The net that `text` describes. Raises `SpecError`, naming `source` and the line."""
    return _net_spec(parse_net_text(text, source), source)


def read_solver(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The fields that a solver prototxt sets. Raises `FileError` or `SpecError`, naming file and line."""
    return parse_solver(_read_text(path), str(path))


def parse_solver(text: str, source: str = "<text>") -> dict[str, Any]:
    """The fields of a solver that `text` sets, by Caffe's names. Raises `SpecError`, naming `source` and the line.

    Enums become strings, repeated fields lists, `train_state` and `test_state` mappings. A net inside the solver
    (`net_param`, `train_net_param`, each of `test_net_param`) becomes a `NetSpec`.
    """
    message: Any = parse_text("SolverParameter", text, source)
    nets: dict[str, Any] = {}
    for name in ("net_param", "train_net_param"):
        if message.HasField(name):
            nets[name] = _net_spec(NetText(getattr(message, name), {}), source)
            message.ClearField(name)
    if message.test_net_param:
        nets["test_net_param"] = [_net_spec(NetText(each, {}), source) for each in message.test_net_param]
        message.ClearField("test_net_param")
    try:
        return {**to_dict(message), **nets}
    except SpecError as error:
        raise SpecError(f"{source}: {error}") from error


def write_net(spec: NetSpec) -> str:
    """`spec` as V2 prototxt text, which `parse_net` reads back to an equal spec.

    Raises `SpecError`, naming the layer, for options that Caffe's messages do not have.
    """
    from google.protobuf import text_format

    message: Any = message_class("NetParameter")()
    values = _written(dataclasses.replace(spec, layers=()))
    if state := {name: values.pop(name) for name in ("level", "stage") if name in values}:
        values["state"] = state
    fill(message, values)
    for layer in spec:
        values = _written(layer)
        values.pop("options", None)
        try:
            fill(message.layer.add(), {**values, **_options_by_message(layer)})
        except SpecError as error:
            raise SpecError(f"layer {layer.name!r}: {error}") from error
    return text_format.MessageToString(message, as_utf8=True)


def _read_text(path: str | os.PathLike[str]) -> str:
    try:
        return read_bounded(path, MAX_TEXT_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileError(
            f"{path}: is not a prototxt, which is UTF-8 text (byte {error.start} is not); "
            "give weights (.caffemodel) as the weights, after the prototxt."
        ) from error


def _net_spec(net: NetText, source: str) -> NetSpec:
    """A net in any version's form as a spec."""
    if net.order:
        warnings.warn(
            f"{source}: has `layer` and `layers`, which are of two versions of Caffe; both are read here, in the order "
            "of the file, but Caffe ignores the `layer` ones.",
            stacklevel=4,
        )
    try:
        message = upgraded(net.message, net.order)
        state = message.state
        layers = _legacy_inputs(message)
        layers += [_layer_spec(layer, net.custom.get(i)) for i, layer in enumerate(message.layer)]
        layers = list(spellings.without_synonyms(layers))
        # A custom Crop is one of V1, which is a fork's, since Caffe's own V1 does not have it.
        crops = {each.where for each in net.custom.values()}
        layers = list(spellings.with_computed_offsets(layers, crops, state.level, state.stage))
        layers = list(spellings.with_tops_of_losses(split_batch_norms(layers)))
        layers = list(spellings.with_bottoms_of_parameters(layers))
        layers = list(spellings.with_unique_names(layers, state.level, state.stage))
        return NetSpec(message.name, tuple(layers), message.force_backward, state.level, tuple(state.stage))
    except SpecError as error:
        raise SpecError(f"{source}: {error}") from error


def _legacy_inputs(message: Any) -> list[LayerSpec]:
    """The inputs that are not layers, `input: "data"` with `input_shape` or four `input_dim`, as Input layers."""
    names = list(message.input)
    dims = list(message.input_dim)
    if not message.input_shape and not dims:
        return [LayerSpec(name, "Input", top=(name,)) for name in names]
    if message.input_shape:
        shapes = [list(shape.dim) for shape in message.input_shape]
        found, fits = f"{len(shapes)} input_shape", len(shapes) == len(names)
    else:
        shapes = [dims[start : start + 4] for start in range(0, len(dims), 4)]
        found, fits = f"{len(dims)} input_dim", len(dims) == 4 * len(names)
    if not fits:
        raise SpecError(
            f"{len(names)} input with {found}; expected one input_shape, or four input_dim, for each input."
        )
    return [
        LayerSpec(name, "Input", top=(name,), options={"shape": [{"dim": shape}]})
        for name, shape in zip(names, shapes, strict=True)
    ]


def _layer_spec(message: Any, custom: CustomLayer | None) -> LayerSpec:
    """A LayerParameter as a spec."""
    message.ClearField("blobs")
    try:
        values = to_dict(message)
    except SpecError as error:
        raise SpecError(f"layer {message.name!r}: {error}") from error
    return LayerSpec(
        name=message.name,
        type=message.type,
        bottom=tuple(message.bottom),
        top=tuple(message.top),
        options=_merged_options(message.type, values, custom.messages if custom else {}),
        param=tuple(ParamSpec(**each) for each in values.get("param", ())),
        loss_weight=tuple(values.get("loss_weight", ())),
        propagate_down=tuple(message.propagate_down),
        phase=values.get("phase"),
        include=tuple(_state_rule(each) for each in values.get("include", ())),
        exclude=tuple(_state_rule(each) for each in values.get("exclude", ())),
        where=custom.where if custom else "",
    )


def _state_rule(values: Mapping[str, Any]) -> StateRule:
    lists = {name: tuple(values[name]) for name in ("stage", "not_stage") if name in values}
    return StateRule(**{**values, **lists})


def _merged_options(type_: str, values: Mapping[str, Any], custom: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a layer: those of a custom layer, overridden by those that Caffe's messages describe."""
    layer = registered().get(type_)
    messages = [*_OPTION_MESSAGES, *(custom.keys() - _OPTION_MESSAGES)] if layer is None else layer.messages
    found: dict[str, Any] = {}
    for message in messages:
        options = custom.get(message, {})
        if not isinstance(options, Mapping):
            raise SpecError(f"{message}: is not a single group of fields; write it once.")
        found.update({**options, **values.get(message, {})})
    return found


def _options_by_message(layer: LayerSpec) -> dict[str, dict[str, Any]]:
    """The options of `layer` by the message that holds them in Caffe."""
    known = registered().get(layer.type)
    if known is None:
        own = [name for name, message in _OPTION_MESSAGES.items() if message == f"{layer.type}Parameter"]
        messages = [*own, "transform_param", "loss_param"]
    else:
        messages = [name for name in known.messages if name in _OPTION_MESSAGES]
    left = dict(layer.options)
    found: dict[str, dict[str, Any]] = {}
    for name in messages:
        names = fields(_OPTION_MESSAGES[name]).keys() - (OPTIONS if name == "batch_norm_param" else ())
        if taken := {key: left.pop(key) for key in list(left) if key in names}:
            found[name] = taken
    if left and known is None:
        # The type is unknown: use the message that has all these options, if there is exactly one.
        fit = [name for name, message in _OPTION_MESSAGES.items() if left.keys() <= fields(message).keys()]
        if len(fit) == 1:
            return {**found, fit[0]: left}
        raise SpecError(
            f"cannot tell which parameter message of type {layer.type!r} has {', '.join(left)}; "
            "register the type with fcnlite.layers.register."
        )
    if left:
        options = {key for name in messages for key in fields(_OPTION_MESSAGES[name])}
        key = next(iter(left))
        raise SpecError(f"unknown option {key!r}; {nearest(key, options)}")
    return found


def _written(value: Any) -> dict[str, Any]:
    """The fields of a dataclass that differ from their defaults, with nested dataclasses as mappings."""
    out: dict[str, Any] = {}
    for each in dataclasses.fields(value):
        item = getattr(value, each.name)
        if each.compare and item != each.default:
            nested = isinstance(item, tuple) and any(dataclasses.is_dataclass(part) for part in item)
            out[each.name] = [_written(part) for part in item] if nested else item
    return out

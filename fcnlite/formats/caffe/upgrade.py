"""Converts nets from Caffe's older forms V0 and V1 to the current form V2.

V1 (`layers`, types as enums, `blobs_lr` and `weight_decay`) needs only new field names. V0 (`layers` with a `layer`
inside) stores a layer's options in one flat message, under older names, and pads with separate layers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fcnlite.errors import SpecError
from fcnlite.formats.caffe.schema import enum_values, fields, message_class

_TYPES = {
    "ABSVAL": "AbsVal",
    "ARGMAX": "ArgMax",
    "BNLL": "BNLL",
    "HDF5_DATA": "HDF5Data",
    "HDF5_OUTPUT": "HDF5Output",
    "IM2COL": "Im2col",
    "LRN": "LRN",
    "MVN": "MVN",
    "RELU": "ReLU",
    "SOFTMAX_LOSS": "SoftmaxWithLoss",
    "TANH": "TanH",
}
"""The V2 names of V1 types, where removing underscores does not give them."""

_V0_TYPES = {
    "conv": "Convolution",
    "images": "ImageData",
    "innerproduct": "InnerProduct",
    "pool": "Pooling",
}
"""The V2 names of V0 types that are not V1 names in lower case."""

_V0_OPTIONS = {
    # The V2 name of each V0 field, by the layer types that have it.
    "num_output": {"Convolution": "num_output", "InnerProduct": "num_output"},
    "biasterm": {"Convolution": "bias_term", "InnerProduct": "bias_term"},
    "weight_filler": {"Convolution": "weight_filler", "InnerProduct": "weight_filler"},
    "bias_filler": {"Convolution": "bias_filler", "InnerProduct": "bias_filler"},
    "pad": {"Convolution": "pad", "Pooling": "pad"},
    "kernelsize": {"Convolution": "kernel_size", "Pooling": "kernel_size"},
    "stride": {"Convolution": "stride", "Pooling": "stride"},
    "group": {"Convolution": "group"},
    "pool": {"Pooling": "pool"},
    "dropout_ratio": {"Dropout": "dropout_ratio"},
    "local_size": {"LRN": "local_size"},
    "alpha": {"LRN": "alpha"},
    "beta": {"LRN": "beta"},
    "k": {"LRN": "k"},
    "concat_dim": {"Concat": "concat_dim"},
    "source": dict.fromkeys(("Data", "HDF5Data", "ImageData", "InfogainLoss", "WindowData"), "source"),
    "meanfile": dict.fromkeys(("Data", "ImageData", "WindowData"), "mean_file"),
    "scale": dict.fromkeys(("Data", "ImageData", "WindowData"), "scale"),
    "cropsize": dict.fromkeys(("Data", "ImageData", "WindowData"), "crop_size"),
    "mirror": dict.fromkeys(("Data", "ImageData", "WindowData"), "mirror"),
    "batchsize": dict.fromkeys(("Data", "HDF5Data", "ImageData", "WindowData"), "batch_size"),
    "rand_skip": {"Data": "rand_skip", "ImageData": "rand_skip"},
    "shuffle_images": {"ImageData": "shuffle"},
    "new_height": {"ImageData": "new_height"},
    "new_width": {"ImageData": "new_width"},
    "det_fg_threshold": {"WindowData": "fg_threshold"},
    "det_bg_threshold": {"WindowData": "bg_threshold"},
    "det_fg_fraction": {"WindowData": "fg_fraction"},
    "det_context_pad": {"WindowData": "context_pad"},
    "det_crop_mode": {"WindowData": "crop_mode"},
}

_MESSAGES = {
    "Concat": "concat_param",
    "Convolution": "convolution_param",
    "Data": "data_param",
    "Dropout": "dropout_param",
    "HDF5Data": "hdf5_data_param",
    "ImageData": "image_data_param",
    "InfogainLoss": "infogain_loss_param",
    "InnerProduct": "inner_product_param",
    "LRN": "lrn_param",
    "Pooling": "pooling_param",
    "WindowData": "window_data_param",
}
"""The V2 message that holds the options of each layer type of V0."""


def upgraded(net: Any, order: Sequence[str] = ()) -> Any:
    """The NetParameter `net` with all layers in V2's form; `net` itself if it is in that form.

    `order`: `layer` or `layers` for each layer in the order of the file, for a net that has both. Raises `SpecError`
    for a net in two forms without it, and for old layers that have no V2 form.
    """
    if not net.layers:
        return net
    if net.layer and not order:
        raise SpecError("has `layer` and `layers`, which are of two versions of Caffe; keep one form.")
    new: Any = message_class("NetParameter")()
    new.CopyFrom(net)
    new.ClearField("layers")
    new.ClearField("layer")
    paddings: dict[str, Any] = {}
    of_form = {"layer": iter(net.layer), "layers": iter(net.layers)}
    for form in order or ["layers"] * len(net.layers):
        old = next(of_form[form])
        if form == "layer":
            new.layer.add().CopyFrom(old)
        elif not old.HasField("layer"):
            _from_v1(old, new.layer.add())
        elif old.layer.type == "padding":
            for top in old.top:
                paddings[top] = old
        else:
            _from_v0(old, new.layer.add(), paddings)
    return new


def v2_type(name: str) -> str:
    """The V2 name of a V1 layer type: InnerProduct for INNER_PRODUCT."""
    return _TYPES.get(name, name.title().replace("_", ""))


def _from_v1(old: Any, new: Any) -> None:
    if old.HasField("type"):
        names = {number: name for name, number in enum_values("V1LayerParameter.LayerType").items()}
        new.type = v2_type(names[old.type])
    elif old.HasField("custom_type"):
        new.type = old.custom_type
    _copy(old, new, ("name", "bottom", "top", "include", "exclude", "loss_weight", "blobs"))
    _copy(old, new, [name for name in fields("V1LayerParameter") if name.endswith("_param")])
    _multipliers(old, new)
    for i, name in enumerate(old.param):
        _param(new, i).name = name
    for i, mode in enumerate(old.blob_share_mode):
        _param(new, i).share_mode = mode


def _from_v0(old: Any, new: Any, paddings: dict[str, Any]) -> None:
    """Convert a V0 layer; a padding layer before it becomes its pad."""
    inner = old.layer
    where = f"layer {inner.name!r}"
    new.name = inner.name
    new.type = _V0_TYPES.get(inner.type) or _named(inner.type, where)
    _copy(old, new, ("bottom", "top"))
    _copy(inner, new, ("blobs",))
    _multipliers(inner, new)
    for descriptor, value in inner.ListFields():
        if descriptor.name in ("name", "type", "blobs", "blobs_lr", "weight_decay"):
            continue
        if descriptor.name == "hdf5_output_param":
            new.hdf5_output_param.CopyFrom(value)
            continue
        option = _V0_OPTIONS.get(descriptor.name, {}).get(new.type)
        if option is None:
            raise SpecError(f"{where}: {inner.type!r} has no option {descriptor.name!r}; remove it.")
        _set(getattr(new, _MESSAGES[new.type]), option, value)
    padded = [blob for blob in new.bottom if blob in paddings]
    if padded:
        padding = paddings[padded[0]]
        if len(new.bottom) != 1 or len(padding.bottom) != 1 or new.type not in ("Convolution", "Pooling"):
            raise SpecError(
                f"{where}: reads {padded[0]!r} of padding layer {padding.layer.name!r}; expected a convolution or "
                "pooling with this one bottom."
            )
        options = getattr(new, _MESSAGES[new.type])
        if options.pad:
            raise SpecError(f"{where}: has a pad in addition to that of layer {padding.layer.name!r}; keep one.")
        _set(options, "pad", padding.layer.pad)
        new.bottom[0] = padding.bottom[0]


def _named(kind: str, where: str) -> str:
    if kind.upper() not in enum_values("V1LayerParameter.LayerType"):
        raise SpecError(f"{where}: type {kind!r} is not one of Caffe's old layer types.")
    return v2_type(kind.upper())


def _multipliers(old: Any, new: Any) -> None:
    for i, value in enumerate(old.blobs_lr):
        _param(new, i).lr_mult = value
    for i, value in enumerate(old.weight_decay):
        _param(new, i).decay_mult = value


def _param(layer: Any, index: int) -> Any:
    """The layer's `param` number `index`, which is added if it is missing."""
    while len(layer.param) <= index:
        layer.param.add()
    return layer.param[index]


def _copy(old: Any, new: Any, names: Any) -> None:
    """Copy the named fields that are set."""
    for descriptor, value in old.ListFields():
        if descriptor.name in names:
            _set(new, descriptor.name, value)


def _set(message: Any, name: str, value: Any) -> None:
    """Set a field, which may be repeated, a message or a scalar."""
    field = fields(message.DESCRIPTOR.name)[name]
    target = getattr(message, name)
    if field.repeated:
        target.extend([value] if isinstance(value, int) else value)
    elif field.is_message:
        target.CopyFrom(value)
    else:
        setattr(message, name, value)

"""Weight files: a net, its parameters, and the information needed to use them, in one HDF5 file.

Format, version 2. The root holds two attributes, `format` ("fcnlite weights") and `format_version`, and

    spec      JSON text: the net (`NetSpec.to_json`)
    info      JSON text: preprocessing, classes, colours, record (`ModelInfo.to_json`)
    progress  JSON text: the progress of a training run; {} in files that are not checkpoints
    index     JSON text: {"params": [[layer, number of parameters], ...], "state": [name, ...]}
    params/   little-endian float16, float32, or float64 for float64 nets, numbered in the order of the index
    state/    little-endian float32, float64 or int64, numbered in the same way: the other arrays of a checkpoint

float16 is a storage type only: such parameters take half the space and are loaded as float32. Version 1 had none, and
files without float16 are written as version 1, which older versions of fcnlite read.

Only the index assigns data sets to layers. The name of a data set repeats the layer after the number, for users who
open the file in HDFView. Each data set is contiguous and starts on a page of 4096 bytes. Equal contents make equal
files.

HDF5 reports the structure only. The numbers are mapped from the file, so a file of 537 MB loads at once and uses memory
as its pages are read. The structure is checked before any number is read (see `hdf5`).
"""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.description.model_info import ModelInfo
from fcnlite.description.spec import NetSpec
from fcnlite.errors import FileError, SpecError
from fcnlite.files import atomic_write
from fcnlite.formats import hdf5
from fcnlite.formats.hdf5 import HDF5File

FORMAT = b"fcnlite weights"
FORMAT_VERSION = 2

_PAGE = 4096
_MAX_TEXT = 64 << 20
"""Maximum size of a JSON text in bytes; far above that of any net, and small enough to parse."""
_PARAM_TYPES = {1: ("<f4", "<f8"), 2: ("<f4", "<f8", "<f2")}
"""The types of parameters by the version of the format."""
_STATE_TYPES = ("<f4", "<f8", "<i8")

_CAFFE = "for Caffe's files call fcnlite.caffe.save(net, 'net.prototxt', 'weights.caffemodel')"
_ONNX = "for ONNX call fcnlite.interop.save_onnx(net, 'net.onnx')"
_PYTORCH = f"fcnlite writes no PyTorch files; {_ONNX}"
_OTHER_FORMATS = {
    ".prototxt": _CAFFE,
    ".pbtxt": _CAFFE,
    ".caffemodel": _CAFFE,
    ".caffemodel.h5": _CAFFE,
    ".binaryproto": _CAFFE,
    ".onnx": _ONNX,
    ".pt": _PYTORCH,
    ".pth": _PYTORCH,
    ".ckpt": _PYTORCH,
    ".safetensors": f"fcnlite reads safetensors and writes none; {_ONNX}",
    ".pb": _ONNX,
    ".tflite": _ONNX,
    ".keras": _ONNX,
    ".pkl": "",
    ".npy": "",
    ".npz": "",
    ".mat": "",
    ".json": "",
    ".zip": "",
}
"""Ends of names that promise another format, and how to write that."""


@dataclass
class WeightFile:
    """The contents of a weight file. Arrays from `load` are read-only."""

    spec: NetSpec
    params: dict[str, list[Array]]
    """Layer name to its parameters, weight before bias; kept as float32 or float64, or stored as float16."""
    info: ModelInfo = field(default_factory=ModelInfo)
    state: dict[str, Array] = field(default_factory=dict)
    """The other arrays of a checkpoint by name, such as the optimizer state: float32, float64 or int64."""
    progress: dict[str, Any] = field(default_factory=dict)
    """The progress of a checkpoint's run as JSON values: the iteration, the best score so far, and so on."""


def save(path: str | os.PathLike[str], contents: WeightFile) -> None:
    """Write `contents` to `path`, completely or not at all.

    Raises `SpecError` for contents that a weight file cannot hold, and `FileError` if `path` cannot be written or has
    the suffix of another format.
    """
    import h5py

    _check_name(path)
    _check_layers(contents.params, contents.spec)
    for name, array in contents.state.items():
        if _little(array).str not in _STATE_TYPES:
            raise SpecError(f"state {name!r} is {array.dtype}; weight files hold float32, float64 and int64.")
    counts = {layer: len(arrays) for layer, arrays in contents.params.items()}
    try:
        texts = {
            "spec": contents.spec.to_json(),
            "info": contents.info.to_json(),
            "progress": json.dumps(contents.progress),
            "index": json.dumps({"params": list(counts.items()), "state": list(contents.state)}),
        }
    except (TypeError, ValueError) as error:
        raise SpecError(f"{path}: spec, record and progress must be JSON values ({error}).") from error
    params = [array for arrays in contents.params.values() for array in arrays]
    # The structures of version 1.8 have checksums, and every HDF5 since 2008 reads them.
    layout = {"libver": ("v108", "v108"), "alignment_threshold": 1, "alignment_interval": _PAGE}
    with atomic_write(path) as temporary, _ErrorKeepingFile(temporary, "w+") as sink:
        with h5py.File(sink, "w", **layout) as file:
            file.attrs["format"] = np.bytes_(FORMAT)
            halved = any(array.dtype == np.float16 for array in params)
            file.attrs["format_version"] = np.int64(2 if halved else 1)
            for name, text in texts.items():
                file.create_dataset(name, data=np.bytes_(text.encode("ascii")))
            group = file.create_group("params")
            for name, array in zip(_names(_param_labels(counts)), params, strict=True):
                group.create_dataset(name, data=np.asarray(array, dtype=_param_type(array), order="C"))
            group = file.create_group("state")
            for name, array in zip(_names(contents.state), contents.state.values(), strict=True):
                group.create_dataset(name, data=np.asarray(array, dtype=_little(array), order="C"))
        if sink.error is not None:
            raise sink.error


def _check_name(path: str | os.PathLike[str]) -> None:
    """Raise `FileError` for a file name with the suffix of another format."""
    name = os.fsdecode(path).lower()
    ends = [each for each in _OTHER_FORMATS if name.endswith(each)]
    if not ends:
        return
    end = max(ends, key=len)
    other = f"; {_OTHER_FORMATS[end]}" if _OTHER_FORMATS[end] else ""
    raise FileError(
        f"{os.fsdecode(path)}: not written, since {end} is not the suffix of fcnlite's own format (HDF5); choose "
        f"a name that ends in .h5{other}."
    )


class _ErrorKeepingFile(io.FileIO):
    """Hides write errors from HDF5: after the first, later writes are discarded and the error is kept.

    HDF5 cannot close a file after a failed write, and then crashes the interpreter at exit.
    """

    error: OSError | None = None

    def write(self, data: Any, /) -> int:
        view = memoryview(data)
        done = 0
        while self.error is None and done < len(view):
            try:
                done += super().write(view[done:]) or 0
            except OSError as error:
                self.error = error
        return len(view)

    def truncate(self, size: int | None = None, /) -> int:
        if self.error is None:
            try:
                return super().truncate(size)
            except OSError as error:
                self.error = error
        return size or 0


def load(path: str | os.PathLike[str]) -> WeightFile:
    """The contents of the weight file `path`, with its arrays as read-only mappings.

    Raises `FileError` for a file that is missing, of another format, of a newer version, damaged or hostile.
    """
    with hdf5.opened(path) as file:
        version = _marked_version(file)
        if version is None:
            raise FileError(_other_format(file))
        if version > FORMAT_VERSION:
            raise FileError(
                f"{path}: is a weight file of format version {version}, and this fcnlite reads up to version "
                f"{FORMAT_VERSION}; update fcnlite."
            )
        try:
            spec = NetSpec.from_json(_text(file, "spec"))
            info = ModelInfo.from_json(_text(file, "info"))
        except SpecError as error:
            raise file.damaged(str(error).rstrip(".")) from error
        progress = _mapping(file, "progress")
        counts, state_names = _read_index(file, _mapping(file, "index"))
        arrays = map(_computable, _arrays(file, "params", _param_labels(counts), _PARAM_TYPES[version]))
        params = {layer: [next(arrays) for _ in range(count)] for layer, count in counts.items()}
        state = dict(zip(state_names, _arrays(file, "state", state_names, _STATE_TYPES), strict=True))
        try:
            _check_layers(params, spec)
        except SpecError as error:
            raise file.damaged(str(error).rstrip(".")) from error
    return WeightFile(spec, params, info, state, progress)


def is_weight_file(path: str | os.PathLike[str]) -> bool:
    """Whether `path` is a weight file of fcnlite, of any version; reads only its attributes."""
    try:
        with hdf5.opened(path) as file:
            return _marked_version(file) is not None
    except FileError:
        return False


def as_float16(array: Array, layer: str) -> Array:
    """`array` rounded to float16, of the same shape; `layer` is its layer, for the message.

    A value from 2⁻¹⁴ to 65504 changes by at most 2⁻¹¹ of itself, a smaller one by at most 2⁻²⁵. Raises `SpecError` for
    a finite value that float16 does not hold.
    """
    with np.errstate(over="ignore"):
        rounded = array.astype(np.float16)
    lost = np.isfinite(array) & ~np.isfinite(rounded)
    if lost.any():
        raise SpecError(
            f"layer {layer!r}: has a value of {array[lost][0]:g}, and float16 holds values up to 65504; save in "
            "float32."
        )
    return rounded


def _computable(array: Array) -> Array:
    """A loaded parameter in the type that nets compute in: float32 for float16."""
    if array.dtype != np.float16:
        return array
    widened = array.astype(np.float32)
    widened.flags.writeable = False
    return widened


def _check_layers(params: dict[str, list[Array]], spec: NetSpec) -> None:
    unknown = sorted(params.keys() - {layer.name for layer in spec})
    if unknown:
        raise SpecError(f"there are parameters for layer {unknown[0]!r}, which the net does not have.")


def _param_type(array: Array) -> str:
    """The stored type of a parameter: float64 and float16 for themselves, else float32."""
    return {np.dtype(np.float64): "<f8", np.dtype(np.float16): "<f2"}.get(array.dtype, "<f4")


def _little(array: Array) -> np.dtype[Any]:
    return array.dtype.newbyteorder("<")


def _param_labels(counts: dict[str, int]) -> list[str]:
    """The layer and position of each parameter, from the number of parameters of each layer."""
    return [f"{layer} {position}" for layer, count in counts.items() for position in range(count)]


def _names(labels: Iterable[str]) -> list[str]:
    """The names of data sets: a number, which makes them unique, and the label with unsafe characters replaced."""
    readable = (re.sub("[^0-9A-Za-z_. -]", "_", label[-80:]) for label in labels)
    return [f"{number:05d} {label}" for number, label in enumerate(readable)]


def _marked_version(file: HDF5File) -> int | None:
    """The format version in the file's attributes; None for a file of another format."""
    attributes = file.root.attrs
    if not {"format", "format_version"} <= set(attributes):
        return None
    marks = [attributes.get_id(name) for name in ("format", "format_version")]
    # Check sizes first: in a file of another format these attributes may be large.
    if any(mark.shape != () or mark.get_storage_size() > 64 for mark in marks):
        return None
    mark, version = attributes["format"], attributes["format_version"]
    if not isinstance(mark, bytes) or mark != FORMAT or not isinstance(version, np.integer) or version < 1:
        return None
    return int(version)


def _other_format(file: HDF5File) -> str:
    """The error text for an HDF5 file of another format."""
    path, names = file.path, set(file.names(file.root))
    if "data" in names:
        return (
            f"{path}: is not a weight file of fcnlite but looks like Caffe's (.caffemodel.h5), "
            "which holds no net; give its prototxt first and this file second."
        )
    if {"iter", "history"} <= names:
        return f"{path}: is Caffe's solver state (.solverstate.h5), which holds no net; give a weight file."
    return f"{path}: is an HDF5 file, but not a weight file of fcnlite."


def _text(file: HDF5File, name: str) -> str:
    import h5py

    data_set, raw = file.data_set(file.root, name)
    kind = data_set.id.get_type()
    if not isinstance(kind, h5py.h5t.TypeStringID) or kind.is_variable_str() or data_set.shape != ():
        raise file.damaged(f"{name!r} is not a text")
    if len(raw) > _MAX_TEXT:
        raise file.damaged(f"the text {name!r} has {len(raw)} bytes, more than {_MAX_TEXT}")
    try:
        return raw.tobytes().decode("ascii")
    except UnicodeDecodeError as error:
        raise file.damaged(f"the text {name!r} has bytes that are not ASCII") from error


def _mapping(file: HDF5File, name: str) -> dict[str, Any]:
    try:
        value = json.loads(_text(file, name))
    except (ValueError, RecursionError) as error:
        raise file.damaged(f"the text {name!r} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise file.damaged(f"the text {name!r} is not a JSON mapping")
    return value


def _read_index(file: HDF5File, index: dict[str, Any]) -> tuple[dict[str, int], list[str]]:
    """The number of parameters of each layer, and the names of the state arrays."""
    match index:
        case {"params": list(params), "state": list(state)}:
            pass
        case _:
            raise file.damaged("its index is malformed")
    counts: dict[str, int] = {}
    for entry in params:
        match entry:
            case [str(layer), int(count)] if layer not in counts and 0 <= count <= 1000:
                counts[layer] = count
            case _:
                raise file.damaged(f"its index has the unusable entry {str(entry)[:80]!r}")
    if not all(isinstance(name, str) for name in state) or len(set(state)) != len(state):
        raise file.damaged("its index has unusable names of state arrays")
    return counts, state


def _arrays(file: HDF5File, group: str, labels: Sequence[str], allowed: Sequence[str]) -> list[Array]:
    """The arrays of a group in the order of the index, as views of the file's content."""
    import h5py

    members = file.group(file.root, group)
    names = _names(labels)
    if len(members) != len(names):
        raise file.damaged(f"its index lists {len(names)} arrays in {group!r}, which holds {len(members)}")
    arrays = []
    for name in names:
        data_set, raw = file.data_set(members, name)
        kind = data_set.id.get_type()
        dtype = next((each for each in map(np.dtype, allowed) if h5py.h5t.py_create(each) == kind), None)
        if dtype is None:
            expected = ", ".join(np.dtype(each).name for each in allowed)
            raise file.damaged(f"data set {name!r} is {data_set.dtype}, expected {expected}")
        array = raw.view(dtype).reshape(data_set.shape)
        # Other tools rewrite files without this alignment, which the kernels need.
        arrays.append(array if array.flags.aligned else np.require(array, requirements="A"))
    return arrays

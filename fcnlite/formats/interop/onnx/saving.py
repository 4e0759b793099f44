"""Writes a net in phase TEST as an ONNX file, for every batch and picture size that the net takes."""

from __future__ import annotations

import os
from collections.abc import Sequence

from fcnlite._version import __version__
from fcnlite.errors import FcnliteError, FileError, SpecError
from fcnlite.files import atomic_write
from fcnlite.formats.exportable import (
    Exportable,
    check_complete,
    float32_params,
    inference_layers,
    inference_schedule,
    input_shapes,
)
from fcnlite.formats.interop.onnx import axes, elementwise, forks, scores, windows
from fcnlite.formats.interop.onnx.graph import Converter, OnnxGraph
from fcnlite.formats.interop.onnx.sizes import Sizes

OPSET = 18
IR_VERSION = 8
"""The version that belongs to this opset; older runtimes do not read newer ones."""
MAX_BYTES = 2**31 - 1
"""Protobuf's limit for one message."""

CONVERTERS: dict[str, Converter] = {
    **windows.CONVERTERS,
    **elementwise.CONVERTERS,
    **axes.CONVERTERS,
    **scores.CONVERTERS,
    **forks.CONVERTERS,
}
"""The function that writes the nodes of each layer type."""


def save_onnx(net: Exportable, path: str | os.PathLike[str], *, outputs: Sequence[str] | None = None) -> None:
    """Write `net` in phase TEST to an ONNX file that computes the same `outputs`.

    `outputs`: blobs by name; by default those that no layer reads except losses and Accuracy. Losses, Accuracy and
    labels are left out. Inputs and outputs have the names of the blobs; batch, height and width are open where the net
    allows it. Raises `SpecError`, naming layer and type, for a layer that ONNX cannot compute as Caffe does, and
    `FileError` if the file cannot be written.
    """
    try:
        import onnx
    except ImportError as error:
        raise FcnliteError("save_onnx needs the package onnx; install it with `pip install onnx`.") from error

    layers = inference_layers(net.spec)
    schedule = inference_schedule(layers, outputs)
    inputs = [each for each in layers if not each.spec.bottom and any(top in schedule.inputs for top in each.spec.top)]
    described = {top: shape for each in inputs for top, shape in input_shapes(each).items() if top in schedule.inputs}
    for step in schedule.steps:
        if step.layer.type not in CONVERTERS:
            spec = step.layer.spec
            raise SpecError(
                f"layer {spec.name!r}: type {spec.type} cannot be written as ONNX; name outputs before it (outputs=)."
            )
    sizes = Sizes.infer(schedule, described)
    check_complete(net, path, {step.layer.spec.name for step in schedule.steps})
    graph = OnnxGraph(schedule, sizes, float32_params(net, path))
    for step in schedule.steps:
        graph.convert(step, CONVERTERS[step.layer.type])
    model = onnx.helper.make_model(
        graph.finish(net.spec.name or "net"),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="fcnlite",
        producer_version=__version__,
    )
    if (size := model.ByteSize()) > MAX_BYTES:
        raise FileError(f"{path}: {size:,} bytes do not fit; an ONNX file ends at 2 GiB.")
    with atomic_write(path) as temporary:
        temporary.write_bytes(model.SerializeToString())

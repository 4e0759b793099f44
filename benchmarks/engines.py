"""The engines: ours and the peers, each in its fastest public form, behind one interface.

An engine is a function of a workload and a folder with the net's files; it prepares, and returns what is timed: one
inference, which returns the output, or one training step, which returns the loss.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.workloads import CLASSES, RATES, Workload

Run = Callable[[], Any]
Engine = Callable[[Workload, Path, int], Run]


def inputs(workload: Workload) -> dict[str, np.ndarray]:
    """A picture of noise; for training its labels too, a tenth of them void."""
    rng = np.random.default_rng(0)
    count, _, height, width = workload.shape
    blobs = {"data": rng.normal(0, 60, workload.shape).astype(np.float32)}
    if workload.training:
        label = rng.integers(0, CLASSES, (count, 1, height, width))
        label[:, :, : height // 10] = 255
        blobs["label"] = label
    return blobs


def prepare(workload: Workload, folder: Path) -> None:
    """Write the net for all engines: net.h5, for inference net.onnx and net.prototxt with net.caffemodel too."""
    from fcnlite import caffe, interop, models
    from fcnlite.net import Net

    classes = None if workload.model == "vgg16" else CLASSES
    net = models.build(workload.model, classes=classes, width=workload.width)
    rng = np.random.default_rng(1)
    for name, parameters in net.params.items():
        if name.startswith(("score", "fc8")):
            parameters[0].data = rng.normal(0, 1e-3, parameters[0].shape)
    net.save(folder / "net.h5")
    if not workload.training:
        interop.save_onnx(net, folder / "net.onnx", outputs=[workload.output])
        # OpenCV wants every input fed: no label, no loss.
        layers = tuple(layer for layer in net.spec if "label" not in (*layer.bottom, *layer.top))
        deployed = Net(replace(net.spec, layers=layers), shared=net.params)
        caffe.save(deployed, folder / "net.prototxt", folder / "net.caffemodel")


def fcnlite_(workload: Workload, folder: Path, threads: int) -> Run:
    import fcnlite
    from fcnlite.solver import SGD

    fcnlite.set_num_threads(threads)
    blobs = inputs(workload)
    if workload.training:
        solver = SGD(_without_dropout(fcnlite.load(folder / "net.h5", phase="TRAIN")), **RATES)
        return lambda: solver.step(blobs)
    net = fcnlite.load(folder / "net.h5")
    return lambda: net.forward(blobs, outputs=[workload.output])[workload.output]


def _without_dropout(net: Any) -> Any:
    """Engines draw different masks, and their losses could not be compared."""
    from fcnlite.net import Net

    layers = tuple(layer for layer in net.spec.layers if layer.type != "Dropout")
    return Net(replace(net.spec, layers=layers), phase="TRAIN", shared=net.params)


def _torch(workload: Workload, folder: Path, threads: int, channels_last: bool) -> Run:
    import torch

    import fcnlite
    from benchmarks.in_torch import InTorch

    torch.set_num_threads(threads)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    net = fcnlite.load(folder / "net.h5", phase="TRAIN" if workload.training else "TEST")
    twin = InTorch(net, **RATES, layout=layout)
    blobs = inputs(workload)
    if workload.training:
        return lambda: twin.step(**blobs)

    def run() -> np.ndarray:
        with torch.inference_mode():
            return twin.forward(workload.output, **blobs).contiguous().numpy()

    return run


def torch_channels_last(workload: Workload, folder: Path, threads: int) -> Run:
    return _torch(workload, folder, threads, channels_last=True)


def torch_nchw(workload: Workload, folder: Path, threads: int) -> Run:
    return _torch(workload, folder, threads, channels_last=False)


def onnxruntime_(workload: Workload, folder: Path, threads: int) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(folder / "net.onnx", options, providers=["CPUExecutionProvider"])
    blobs = inputs(workload)
    return lambda: session.run([workload.output], blobs)[0]


def _openvino(workload: Workload, folder: Path, threads: int, **how: Any) -> Run:
    import openvino

    core = openvino.Core()
    model = core.read_model(folder / "net.onnx")
    model.reshape({"data": list(workload.shape)})
    compiled = core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": threads, **how})
    request, blobs = compiled.create_infer_request(), inputs(workload)
    return lambda: next(iter(request.infer(blobs, share_inputs=True, share_outputs=True).values()))


def openvino_f32(workload: Workload, folder: Path, threads: int) -> Run:
    return _openvino(workload, folder, threads, INFERENCE_PRECISION_HINT="f32")


def openvino_default(workload: Workload, folder: Path, threads: int) -> Run:
    """bfloat16 where the machine has it: shown beside, not a float32 peer."""
    return _openvino(workload, folder, threads)


def opencv(workload: Workload, folder: Path, threads: int) -> Run:
    import cv2

    cv2.setNumThreads(threads)
    net = cv2.dnn.readNetFromCaffe(str(folder / "net.prototxt"), str(folder / "net.caffemodel"))
    data = inputs(workload)["data"]

    def run() -> np.ndarray:
        net.setInput(data, "data")
        return net.forward(workload.output)

    return run


OURS = "fcnlite"
INFERENCE: dict[str, Engine] = {
    OURS: fcnlite_,
    "PyTorch, channels last": torch_channels_last,
    "ONNX Runtime": onnxruntime_,
    "OpenVINO, f32": openvino_f32,
    "OpenCV": opencv,
    "OpenVINO, default": openvino_default,
}
TRAINING: dict[str, Engine] = {
    OURS: fcnlite_,
    "PyTorch, channels last": torch_channels_last,
    "PyTorch, NCHW": torch_nchw,
}
NOT_FLOAT32 = ("OpenVINO, default",)
"""Shown for information; the ratio is to the others."""

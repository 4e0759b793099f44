"""The engines, ours and the peers, each in its fastest public form, behind one interface.

An engine prepares a workload from the net's files in a folder and returns the function that is timed: one inference or
one training step. A run returns the results that the engines must agree on: the output, or a step's loss and the
gradient of the first layer's weights, which depends on all of backward.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.nets import NETS
from benchmarks.workloads import CLASSES, RATES, Workload

if TYPE_CHECKING:
    from fcnlite.net import Net

Run = Callable[[], list[np.ndarray]]


def build_net(workload: Workload) -> Net:
    """The net of a workload, with its fillers' values, except that score weights are noise.

    The statistics of BatchNorm are 0 and 1, or in `NETS`, whose values would grow with depth, those of the input.
    """
    from fcnlite import models
    from fcnlite.net import Net

    if workload.model in NETS:
        net = Net(NETS[workload.model](CLASSES))
    else:
        classes = None if "prob" in workload.outputs else CLASSES
        net = models.build(workload.model, classes=classes, width=workload.width)
    rng = np.random.default_rng(1)
    for name, parameters in net.params.items():
        if name.startswith(("score", "fc8")):
            parameters[0].data = rng.normal(0, 1e-3, parameters[0].shape)
    for layer in net.spec:
        if layer.type == "BatchNorm":
            for statistic in net.params[layer.name][1:]:
                statistic.data = np.ones(statistic.shape)
    if workload.model in NETS and any(layer.type == "BatchNorm" for layer in net.spec):
        _adapt(net, workload)
    return net


def _adapt(net: Net, workload: Workload) -> None:
    """Make the statistics of every BatchNorm those of the workload's input."""
    for layer in net.spec:
        if layer.type == "BatchNorm":
            for statistic in net.params[layer.name]:
                statistic.data = np.zeros(statistic.shape)
    net.share(phase="TRAIN").forward(workload.inputs(), outputs=workload.outputs)


def save_net(workload: Workload, folder: Path) -> None:
    """Write the net for all engines: net.h5; for inference also net.prototxt, net.caffemodel and, if onnx is installed,
    net.onnx.
    """
    from fcnlite import caffe, interop
    from fcnlite.net import Net

    net = build_net(workload)
    net.save(folder / "net.h5")
    if not workload.training:
        if find_spec("onnx"):
            interop.save_onnx(net, folder / "net.onnx", outputs=workload.outputs)
        # OpenCV needs every input: the label and the loss are removed.
        layers = tuple(layer for layer in net.spec if "label" not in (*layer.bottom, *layer.top))
        deployed = Net(replace(net.spec, layers=layers), shared=net.params)
        caffe.save(deployed, folder / "net.prototxt", folder / "net.caffemodel")


def load_net(workload: Workload, folder: Path) -> Net:
    """The net of `save_net`. For training it has no Dropout, since every engine would draw different masks."""
    import fcnlite
    from fcnlite.net import Net

    if not workload.training:
        return fcnlite.load(folder / "net.h5")
    net = fcnlite.load(folder / "net.h5", phase="TRAIN")
    layers = tuple(layer for layer in net.spec.layers if layer.type != "Dropout")
    return Net(replace(net.spec, layers=layers), phase="TRAIN", shared=net.params)


def fcnlite_(workload: Workload, folder: Path, threads: int) -> Run:
    import fcnlite
    from fcnlite.solver import SGD

    fcnlite.set_num_threads(threads)
    net, blobs = load_net(workload, folder), workload.inputs()
    if not workload.training:
        return lambda: list(net.forward(blobs, outputs=workload.outputs).values())
    solver, compared = SGD(net, **RATES), net.params[workload.compared][0]
    return lambda: [np.asarray(solver.step(blobs)), compared.grad]


def _torch(workload: Workload, folder: Path, threads: int, channels_last: bool) -> Run:
    import torch

    from benchmarks.in_torch import InTorch

    torch.set_num_threads(threads)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    net, blobs = InTorch(load_net(workload, folder), **RATES, layout=layout), workload.inputs()

    def infer() -> list[np.ndarray]:
        with torch.inference_mode():
            return [each.contiguous().numpy() for each in net.forward(workload.outputs, **blobs)]

    def step() -> list[np.ndarray]:
        loss = net.step(**blobs)
        gradient = net.params[workload.compared][0].grad
        assert gradient is not None
        return [np.asarray(loss), gradient.numpy()]

    return step if workload.training else infer


def torch_channels_last(workload: Workload, folder: Path, threads: int) -> Run:
    return _torch(workload, folder, threads, channels_last=True)


def torch_nchw(workload: Workload, folder: Path, threads: int) -> Run:
    return _torch(workload, folder, threads, channels_last=False)


def onnxruntime_(workload: Workload, folder: Path, threads: int) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(folder / "net.onnx", options, providers=["CPUExecutionProvider"])
    blobs = workload.inputs()
    return lambda: session.run(list(workload.outputs), blobs)


def _openvino(workload: Workload, folder: Path, threads: int, **how: Any) -> Run:
    import openvino

    core = openvino.Core()
    model = core.read_model(folder / "net.onnx")
    model.reshape({"data": list(workload.shape)})
    compiled = core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": threads, **how})
    request, blobs = compiled.create_infer_request(), workload.inputs()
    return lambda: list(request.infer(blobs, share_inputs=True, share_outputs=True).values())


def openvino_f32(workload: Workload, folder: Path, threads: int) -> Run:
    return _openvino(workload, folder, threads, INFERENCE_PRECISION_HINT="f32")


def openvino_default(workload: Workload, folder: Path, threads: int) -> Run:
    return _openvino(workload, folder, threads)


def opencv(workload: Workload, folder: Path, threads: int) -> Run:
    import cv2

    cv2.setNumThreads(threads)
    net = cv2.dnn.readNetFromCaffe(str(folder / "net.prototxt"), str(folder / "net.caffemodel"))
    data = workload.inputs()["data"]

    def run() -> list[np.ndarray]:
        net.setInput(data, "data")
        return list(net.forward(list(workload.outputs)))

    return run


PACKAGES = {"cv2": "opencv-python-headless"}
"""The package of each module that has another name."""


@dataclass(frozen=True)
class Engine:
    """One column of the table."""

    name: str
    start: Callable[[Workload, Path, int], Run]
    needs: tuple[str, ...] = ()
    """The modules that it imports, except ours."""
    infers: bool = True
    trains: bool = False
    peer: bool = True
    """Whether ours is compared with it: another engine in float32."""
    tolerance: float = 1e-3
    """The largest difference of its outputs from ours, through a whole net, relative to the largest value."""
    environment: Mapping[str, str] = field(default_factory=dict)

    def does(self, workload: Workload) -> bool:
        return self.trains if workload.training else self.infers

    @property
    def missing(self) -> list[str]:
        """The packages that it needs and that are not installed."""
        return [PACKAGES.get(module, module) for module in self.needs if not find_spec(module)]


OURS = Engine("fcnlite", fcnlite_, trains=True, peer=False)
AVX2 = Engine("fcnlite, AVX2", fcnlite_, trains=True, peer=False, environment={"FCNLITE_ISA": "v3"})
"""Our engine as on a machine without AVX-512."""
PEERS = [
    Engine("PyTorch, channels last", torch_channels_last, ("torch",), trains=True),
    Engine("PyTorch, NCHW", torch_nchw, ("torch",), infers=False, trains=True),
    Engine("ONNX Runtime", onnxruntime_, ("onnxruntime", "onnx")),
    Engine("OpenVINO, f32", openvino_f32, ("openvino", "onnx")),
    Engine("OpenCV", opencv, ("cv2",)),
    # bfloat16 if the machine has it: shown, but not compared.
    Engine("OpenVINO, default", openvino_default, ("openvino", "onnx"), peer=False, tolerance=0.1),
]


def engines() -> list[Engine]:
    """The engines that are installed and that this machine can run, ours first."""
    from fcnlite._kernels import isa

    forced = isa.name() != "v3" and "v3" in isa.available()
    return [OURS, *([AVX2] if forced else []), *(each for each in PEERS if not each.missing)]

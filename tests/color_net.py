"""A net whose answers are known: it takes every pixel for the strongest of red, green and blue."""

from __future__ import annotations

from fcnlite.description.model_info import ModelInfo, Preprocessing
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.net import Net

CLASSES = ("red", "green", "blue")
COLORS = ((255, 0, 0), (0, 255, 0), (0, 0, 255))
INFO = ModelInfo(Preprocessing(mean=(100.0, 100.0, 100.0)), CLASSES, COLORS)


def color_net(info: ModelInfo = INFO, top: str = "score", outputs: int = 3, stride: int = 1) -> Net:
    """One 1×1 convolution, class by class the red, green and blue channel of the BGR input."""
    layers = (
        LayerSpec("data", "Input", (), ("data",), {"shape": [{"dim": [1, 3, 8, 8]}]}),
        LayerSpec("label", "Input", (), ("label",), {"shape": [{"dim": [1, 1, 8 // stride, 8 // stride]}]}),
        LayerSpec(
            "classify",
            "Convolution",
            ("data",),
            (top,),
            {"num_output": outputs, "kernel_size": [1], "stride": [stride]},
        ),
        LayerSpec("loss", "SoftmaxWithLoss", (top, "label"), ("loss",)),
    )
    net = Net(NetSpec("color", layers), info=info)
    weight = net.params["classify"][0].data
    for output in range(min(outputs, 3)):
        weight[output, 2 - output] = 1
    return net

"""The workloads: nets, sizes and bars of `make bench` and `make bench-all`."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace

import numpy as np

CLASSES = 21
RATES = {"base_lr": 1e-10, "momentum": 0.99, "weight_decay": 0.0005}
"""Rates of the training steps: those of the FCN reference, whose loss is not normalised."""


@dataclass(frozen=True)
class Workload:
    """One net on one input. The bar is the largest allowed ratio of our time to the fastest peer's."""

    name: str
    model: str
    shape: tuple[int, int, int, int]
    bar: float | None = None
    width: float = 1.0
    training: bool = False
    threads: int | None = None
    """The number of threads; None for all cores."""
    compared: str = "conv1_1"
    """In training, the layer whose weight gradient all engines must agree on."""
    outputs: tuple[str, ...] = ("score",)
    calls: int = 1
    """The number of calls in a timed run, for small nets: one call after a pause mostly measures cold caches."""
    share: float = 1.0
    """The share of the values that engines must agree on. Unpooling puts a value where max pooling found it, and which
    of nearly equal values that is depends on the last digits."""
    limit: float | None = None
    """The most seconds of one call of ours."""
    processor_time: bool = False
    """Whether processor time is measured, on a machine that others use too."""

    def on_one_thread(self) -> Workload:
        """The workload in processor time of one thread. It has no bar."""
        return replace(self, threads=1, processor_time=True, bar=None, limit=None)

    def inputs(self) -> dict[str, np.ndarray]:
        """A picture of noise; for training also labels, a tenth of them void."""
        rng = np.random.default_rng(0)
        count, _, height, width = self.shape
        blobs: dict[str, np.ndarray] = {"data": rng.normal(0, 60, self.shape).astype(np.float32)}
        if self.training:
            label = rng.integers(0, CLASSES, (count, 1, height, width))
            label[:, :, : height // 10] = 255
            blobs["label"] = label
        return blobs

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Workload:
        values = json.loads(text)
        return cls(**{**values, "shape": tuple(values["shape"]), "outputs": tuple(values["outputs"])})


WORKLOADS = [
    Workload("FCN-8s, 500×500", "voc-fcn8s", (1, 3, 500, 500), 0.33),
    Workload("FCN-8s, 375×500", "voc-fcn8s", (1, 3, 375, 500), 0.35),
    Workload("FCN-8s, 1000×1000", "voc-fcn8s", (1, 3, 1000, 1000), 0.35),
    Workload("FCN-32s, 500×500", "voc-fcn32s", (1, 3, 500, 500), 0.33),
    Workload("FCN-AlexNet, 500×500", "voc-fcn-alexnet", (1, 3, 500, 500), 0.8),
    Workload("FCN-GoogLeNet, 500×500", "voc-fcn-googlenet", (1, 3, 500, 500)),
    Workload("DeepLab-LargeFOV, 513×513", "deeplab-largefov", (1, 3, 513, 513)),
    Workload("VGG-16, 224×224", "vgg16", (1, 3, 224, 224), 0.7, outputs=("prob",)),
    Workload("VGG-16, 224×224, batch 8", "vgg16", (8, 3, 224, 224), 0.7, outputs=("prob",)),
    Workload("FCN-8s, 500×500, training", "voc-fcn8s", (1, 3, 500, 500), 0.35, training=True),
    Workload(
        "FCN-8s at a quarter, 360×480, batch 4, training", "voc-fcn8s", (4, 3, 360, 480), 0.5, width=0.25, training=True
    ),
    # Deeper gradients depend on which of nearly equal values pooling selects, after batch normalisation of noise.
    Workload(
        "lite-fcn4s at a quarter, 288×384, batch 4, training",
        "lite-fcn4s",
        (4, 3, 288, 384),
        0.5,
        width=0.25,
        training=True,
        compared="conv2_skip",
    ),
    Workload("FCN-8s, 500×500, one thread", "voc-fcn8s", (1, 3, 500, 500), 0.35, threads=1),
]
"""The rows of `make bench`."""
FURTHER = [
    Workload("ResNet-50, 224×224", "resnet-50", (1, 3, 224, 224), 0.95, calls=5),
    Workload("ResNet-50, 224×224, batch 8", "resnet-50", (8, 3, 224, 224), 0.95),
    Workload("MobileNet v1, 224×224", "mobilenet-v1", (1, 3, 224, 224), 1.2, calls=10),
    Workload("MobileNet v2, 224×224", "mobilenet-v2", (1, 3, 224, 224), 1.2, calls=10),
    Workload("SqueezeNet 1.1, 227×227", "squeezenet-1.1", (1, 3, 227, 227), 0.8, calls=10),
    Workload("ENet, 256×512", "enet", (1, 3, 256, 512), 0.8),
    Workload("ERFNet, 256×512", "erfnet", (1, 3, 256, 512), 0.8),
    Workload("SegNet-basic, 360×480", "segnet-basic", (1, 3, 360, 480), 0.5, share=0.95),
    Workload("U-Net, 572×572", "u-net", (1, 3, 572, 572), 0.5),
    Workload("PSPNet-50, 473×473", "pspnet-50", (1, 3, 473, 473), 0.6),
    Workload("MTCNN's det1, 120×160", "det1", (1, 3, 120, 160), 1.0, outputs=("conv4-2", "prob1"), calls=10),
    Workload("MTCNN's det1, 12×12", "det1", (1, 3, 12, 12), outputs=("conv4-2", "prob1"), calls=200, limit=0.15e-3),
    Workload("LeNet, 28×28", "lenet", (1, 1, 28, 28), outputs=("prob",), calls=200, limit=0.25e-3),
    Workload("lite-fcn4s at a quarter, 288×384", "lite-fcn4s", (1, 3, 288, 384), 0.5, width=0.25),
    Workload("lite-fcn2s-topdown at a quarter, 288×384", "lite-fcn2s-topdown", (1, 3, 288, 384), 0.5, width=0.25),
    Workload(
        "lite-fcn2s-topdown at a quarter, 288×384, batch 4, training",
        "lite-fcn2s-topdown",
        (4, 3, 288, 384),
        0.5,
        width=0.25,
        training=True,
        compared="score_fr",
    ),
    Workload(
        "lite-dilated at a quarter, 288×384, batch 4, training",
        "lite-dilated",
        (4, 3, 288, 384),
        0.6,
        width=0.25,
        training=True,
        compared="score_pool3",
    ),
]
"""The rows of `make bench-all`."""
MAIN = WORKLOADS[0]
"""The workload of --more and --profile."""
UNPADDED = Workload("lite-fcn8s, 500×500", "lite-fcn8s", (1, 3, 500, 500))
"""A net with the same trunk, but without the pad of 100."""

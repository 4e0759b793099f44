"""Layers of the user's own that derive from ours: no pass may take them for what they derive from."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite.layers import base
from fcnlite.layers.base import Layer, Run, register
from fcnlite.layers.batch_norm import BatchNorm
from fcnlite.layers.bias import Bias
from fcnlite.layers.convolution import Convolution
from fcnlite.layers.deconvolution import Deconvolution
from fcnlite.layers.elementwise import Sigmoid, TanH
from fcnlite.layers.inner_product import InnerProduct
from fcnlite.layers.pooling import Pooling
from fcnlite.layers.prelu import PReLU
from fcnlite.layers.relu import ReLU
from fcnlite.layers.scale import Scale
from fcnlite.layers.softmax import Softmax
from fcnlite.layers.softmax_loss import SoftmaxWithLoss
from tests.compiler.twins import (
    Array,
    assert_all_near,
    assert_same_outputs,
    conv,
    filled,
    layer,
    normal,
    plain_twin,
    spec_of,
)

FEEDS = {"data": normal(0, 2, 3, 13, 18)}
UPSAMPLING = {"num_output": 20, "group": 20, "kernel_size": [4], "stride": [2], "bias_term": False}
LAYERS = {
    "ReLU": (ReLU, {}),
    "PReLU": (PReLU, {}),
    "BatchNorm": (BatchNorm, {"use_global_stats": True}),
    "BatchNorm of the batch": (BatchNorm, {"use_global_stats": False}),
    "Scale": (Scale, {}),
    "Bias": (Bias, {}),
    "Pooling": (Pooling, {"kernel_size": 2, "stride": 2}),
    "Convolution": (Convolution, {"num_output": 5, "kernel_size": [3]}),
    "Deconvolution": (Deconvolution, {**UPSAMPLING, "weight_filler": {"type": "bilinear"}}),
    "InnerProduct": (InnerProduct, {"num_output": 7}),
}


@pytest.fixture
def doubled(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """A layer `Doubled`, which makes twice what the one of this kind makes."""
    derived_from = LAYERS[kind][0] if kind in LAYERS else SoftmaxWithLoss

    class Doubled(derived_from):  # type: ignore[misc, valid-type]
        type = "Doubled"
        overwrites = False

        def forward(self, bottom: list[Array], run: Run) -> list[Array]:
            return [2 * each for each in super().forward(bottom, run)]

    monkeypatch.setattr(base, "_registry", dict(base._registry))
    register(Doubled)


@pytest.mark.usefixtures("doubled")
@pytest.mark.parametrize("kind", LAYERS)
def test_it_is_computed_as_itself(kind: str) -> None:
    after = layer("c", "ReLU", "b") if kind == "InnerProduct" else conv("c", "b", 4, 1)
    net = filled(spec_of((2, 3, 13, 18), conv("a", "data", 20), layer("b", "Doubled", "a", **LAYERS[kind][1]), after))
    for parameter in net.params.get("b", ()):
        parameter.data = np.abs(parameter.array)  # BatchNorm's variances cannot be negative
    assert_same_outputs(net, FEEDS)


@pytest.mark.usefixtures("doubled")
@pytest.mark.parametrize("kind", ["SoftmaxWithLoss"])
def test_a_loss_too(kind: str) -> None:
    labels = layer("label", "Input", (), shape=[{"dim": [2, 1, 13, 18]}])
    net = filled(spec_of((2, 3, 13, 18), labels, layer("loss", "Doubled", ("data", "label"))))
    assert_same_outputs(net, {**FEEDS, "label": np.ones((2, 1, 13, 18), np.float32)})


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("derived_from", [TanH, Sigmoid, ReLU, Softmax, InnerProduct])
def test_one_that_returns_a_view_of_what_ours_wrote(
    derived_from: type[Layer], keep: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Flipped(derived_from):  # type: ignore[misc, valid-type]
        type = "Flipped"

        def forward(self, bottom: list[Array], run: Run) -> list[Array]:
            return [each[:, ::-1] for each in super().forward(bottom, run)]

    monkeypatch.setattr(base, "_registry", dict(base._registry))
    register(Flipped)
    options = {"num_output": 7} if derived_from is InnerProduct else {}
    net = filled(spec_of((2, 3, 13, 18), layer("b", "Flipped", "data", **options), layer("c", "Power", "b", shift=1.0)))
    expected = plain_twin(net).forward(FEEDS, keep=keep)
    assert_all_near(net.forward(FEEDS, keep=keep), expected)

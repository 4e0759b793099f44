"""Layers of the user's own that derive from ours: no pass may take them for what they derive from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from fcnlite.errors import ShapeError
from fcnlite.layers import base
from fcnlite.layers.base import Layer, Run, create, register
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
    assert_near,
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
@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("derived_from", [TanH, Sigmoid, ReLU, Softmax, InnerProduct])
def test_one_that_calls_ours_as_it_likes(
    derived_from: type[Layer], in_place: bool, keep: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice, say, and returns a view."""

    class Folded(derived_from):  # type: ignore[misc, valid-type]
        type = "Folded"

        def forward(self, bottom: list[Array], run: Run) -> list[Array]:
            (x,), (negative,) = super().forward(bottom, run), super().forward([-bottom[0]], run)
            return [(x - 3 * negative)[:, ::-1]]

    monkeypatch.setattr(base, "_registry", dict(base._registry))
    register(Folded)
    options = {"num_output": 7} if derived_from is InnerProduct else {}
    folded = layer("b", "Folded", "a", **options)
    if in_place:
        folded = replace(folded, top=("a",))
    after = layer("c", "Power", folded.top[0], shift=1.0)
    net = filled(spec_of((2, 3, 13, 18), layer("a", "Power", "data", scale=0.5), folded, after))
    x = 0.5 * FEEDS["data"]
    once = create(net.spec.layer("b"), "TEST")
    made = once.forward([x], Run([each.array for each in net.params.get("b", ())]))[0]
    for path in (net, plain_twin(net)):
        assert_near(path.forward(FEEDS, keep=keep)["c"], made + 1)


def test_one_whose_top_is_not_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(TanH):
        type = "Wrong"

        def forward(self, bottom: list[Array], run: Run) -> list[Array]:
            return [bottom[0][:, :1]]

    monkeypatch.setattr(base, "_registry", dict(base._registry))
    register(Wrong)
    net = filled(spec_of((2, 3, 13, 18), layer("b", "Wrong", "data")))
    with pytest.raises(ShapeError, match=r"layer 'b' \(Wrong\): .* 'b' 2×1×13×18, .* top_shapes says 2×3×13×18"):
        net.forward(FEEDS)

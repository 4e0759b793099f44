"""Custom layers that derive from ours: passes must not treat them like their base class."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest

from fcnlite.arrays import Array, Shape
from fcnlite.description.shapes import show
from fcnlite.errors import ShapeError, SpecError
from fcnlite.layers import registry
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer
from fcnlite.layers.batch_norm import BatchNorm
from fcnlite.layers.bias import Bias
from fcnlite.layers.convolution import Convolution
from fcnlite.layers.deconvolution import Deconvolution
from fcnlite.layers.elementwise import Sigmoid, TanH
from fcnlite.layers.inner_product import InnerProduct
from fcnlite.layers.pooling import Pooling
from fcnlite.layers.prelu import PReLU
from fcnlite.layers.registry import create, register
from fcnlite.layers.relu import ReLU
from fcnlite.layers.reshape import Reshape
from fcnlite.layers.scale import Scale
from fcnlite.layers.slice import Slice
from fcnlite.layers.softmax import Softmax
from fcnlite.layers.softmax_loss import SoftmaxWithLoss
from fcnlite.net import Net
from tests.compiler.path_comparison import (
    GRADIENT_BAR,
    assert_all_near,
    assert_near,
    assert_same_outputs,
    conv,
    filled,
    gradients,
    layer,
    normal,
    reference_net,
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
    """A layer `Doubled`, whose outputs are twice those of this type."""
    derived_from = LAYERS[kind][0] if kind in LAYERS else SoftmaxWithLoss

    class Doubled(derived_from):  # type: ignore[misc, valid-type]
        type = "Doubled"

        def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
            return [2 * each for each in super().forward(bottom, run)]

    monkeypatch.setattr(registry, "_registry", dict(registry._registry))
    register(Doubled)


@pytest.mark.usefixtures("doubled")
@pytest.mark.parametrize("kind", LAYERS)
def test_a_derived_layer_is_computed_by_its_own_methods(kind: str) -> None:
    after = layer("c", "ReLU", "b") if kind == "InnerProduct" else conv("c", "b", 4, 1)
    net = filled(spec_of((2, 3, 13, 18), conv("a", "data", 20), layer("b", "Doubled", "a", **LAYERS[kind][1]), after))
    for parameter in net.params.get("b", ()):
        parameter.data = np.abs(parameter.array)  # BatchNorm's variances cannot be negative
    assert_same_outputs(net, FEEDS)


@pytest.mark.usefixtures("doubled")
@pytest.mark.parametrize("kind", ["SoftmaxWithLoss"])
def test_a_derived_loss_is_computed_by_its_own_methods(kind: str) -> None:
    labels = layer("label", "Input", (), shape=[{"dim": [2, 1, 13, 18]}])
    net = filled(spec_of((2, 3, 13, 18), labels, layer("loss", "Doubled", ("data", "label"))))
    assert_same_outputs(net, {**FEEDS, "label": np.ones((2, 1, 13, 18), np.float32)})


@pytest.fixture
def own_types(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restore the registry after each test."""
    monkeypatch.setattr(registry, "_registry", dict(registry._registry))


class Twice:
    """Calls its base class's forward twice, and returns a view."""

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        (x,), (negative,) = super().forward(bottom, run), super().forward([-bottom[0]], run)  # type: ignore[misc]
        return [(x - 3 * negative)[:, ::-1]]


@pytest.mark.usefixtures("own_types")
@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("in_place", [False, True])
@pytest.mark.parametrize("mixin", [False, True])
@pytest.mark.parametrize("derived_from", [TanH, Sigmoid, ReLU, Softmax, InnerProduct])
def test_a_layer_that_calls_our_forward_twice(
    derived_from: type[Layer], mixin: bool, in_place: bool, keep: bool
) -> None:
    if mixin:
        register(type("Folded", (Twice, derived_from), {"type": "Folded"}))
    else:

        class Folded(derived_from):  # type: ignore[misc, valid-type]
            type = "Folded"

            def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
                (x,), (negative,) = super().forward(bottom, run), super().forward([-bottom[0]], run)
                return [(x - 3 * negative)[:, ::-1]]

        register(Folded)
    options = {"num_output": 7} if derived_from is InnerProduct else {}
    folded = layer("b", "Folded", "a", **options)
    if in_place:
        folded = replace(folded, top=("a",))
    after = layer("c", "Power", folded.top[0], shift=1.0)
    net = filled(spec_of((2, 3, 13, 18), layer("a", "Power", "data", scale=0.5), folded, after))
    once = create(net.spec.layer("b"), "TEST")
    (made,) = once.forward([0.5 * FEEDS["data"]], ForwardRun([each.array for each in net.params.get("b", ())]))
    for path in (net, reference_net(net)):
        assert_near(path.forward(FEEDS, keep=keep)["c"], made + 1)


@pytest.mark.usefixtures("own_types")
@pytest.mark.parametrize("derived_from", [TanH, Convolution, Pooling])
def test_a_layer_whose_backward_calls_forward(derived_from: type[Layer]) -> None:
    """The outputs of the first forward stay unchanged."""

    class Numeric(derived_from):  # type: ignore[misc, valid-type]
        type = "Numeric"
        backward_reads = frozenset({"bottom", "top"})

        def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
            (x,) = run.bottom
            (up,), (down,) = self.forward([x + 0.5], run), self.forward([x - 0.5], run)
            assert up is not down
            for each in run.dparams:
                if each is not None:
                    each.fill(0)
            return [np.full_like(x, (dtop[0] * (up - down)).sum())]

    register(Numeric)
    kind = derived_from.__name__
    numeric = layer("b", "Numeric", "data", **LAYERS[kind][1] if kind in LAYERS else {})
    net = filled(spec_of((2, 3, 13, 18), numeric))
    made = net.forward(FEEDS, keep=True)["b"]
    reference = reference_net(net)
    reference.forward(FEEDS, keep=True)
    for each in (net, reference):
        each.backward({"b": normal(5, *made.shape)}, wrt=["data"])
        assert_near(each.blobs["b"], made)
    assert_near(net.grads["data"], reference.grads["data"])


@pytest.mark.usefixtures("own_types")
@pytest.mark.parametrize("writes_out", [False, True])
def test_a_layer_that_returns_its_tops_in_another_order(writes_out: bool) -> None:
    class Reordered(Slice):
        type = "Reordered"

        def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
            return super().forward(bottom, run)[::-1]

    Reordered.writes_out = writes_out
    register(Reordered)
    reordered = replace(layer("s", "Reordered", "data"), top=("a", "b", "c"))
    tanh = [layer(f"tanh_{each}", "TanH", each) for each in "abc"]
    assert_same_outputs(filled(spec_of((2, 3, 13, 18), reordered, *tanh)), FEEDS)


@pytest.mark.usefixtures("own_types")
def test_a_layer_whose_tops_have_other_shapes() -> None:
    class Unstack(Slice):
        type = "Unstack"

        def top_shapes(self, *bottom: Shape) -> list[Shape]:
            return [(n, *rest) for n, _, *rest in super().top_shapes(*bottom)]

        def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
            return [each[:, 0] for each in super().forward(bottom, run)]

    class Counted(Pooling):
        type = "Counted"
        tops = (1, 3)

        def top_shapes(self, *bottom: Shape) -> list[Shape]:
            return [*super().top_shapes(*bottom)[:2], (1,)]

        def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
            return [*super().forward(bottom, run), np.full(1, 3.0)]

    register(Unstack)
    register(Counted)
    unstack = replace(layer("s", "Unstack", "data"), top=("a", "b", "c"))
    counted = replace(layer("p", "Counted", "data", kernel_size=2, stride=2), top=("y", "places", "count"))
    for each in (unstack, counted):
        assert_same_outputs(filled(spec_of((2, 3, 13, 18), each)), FEEDS)


@pytest.mark.usefixtures("own_types")
@pytest.mark.parametrize("path", ["fast", "plain"])
def test_a_layer_that_returns_its_bottom_without_declaring_it(path: str) -> None:
    class Same(Layer):
        type = "Same"

        def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
            return [bottom[0]]

    register(Same)
    spec = spec_of((2, 3, 13, 18), layer("b", "Same", "data"), replace(layer("c", "ReLU", "b"), top=("b",)))
    before = FEEDS["data"].copy()
    found = Net(spec, path=path).forward(FEEDS)["b"]
    np.testing.assert_array_equal(found, np.maximum(before, 0))
    np.testing.assert_array_equal(FEEDS["data"], before)


@pytest.mark.usefixtures("own_types")
@pytest.mark.parametrize("path", ["fast", "plain"])
def test_a_layer_that_returns_other_dtypes_or_strides(path: str) -> None:
    class Other(Reshape):  # which `aliases`
        type = "Other"

        def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
            return [bottom[0].astype(np.float64)[:, :, ::-1, ::-1]]

    register(Other)
    other = layer("b", "Other", "data", shape={"dim": [0, 0, 0, 0]})
    net = filled(spec_of((2, 3, 13, 18), other, conv("c", "b", 4), layer("d", "LRN", "b")))
    net.path = path
    rest = filled(spec_of((2, 3, 13, 18), conv("c", "data", 4), layer("d", "LRN", "data")))
    assert_all_near(net.forward(FEEDS), rest.forward(data=FEEDS["data"][:, :, ::-1, ::-1]))


@pytest.mark.usefixtures("own_types")
@pytest.mark.parametrize("path", ["fast", "plain"])
def test_a_layer_whose_top_differs_from_its_declaration(path: str) -> None:
    class Wrong(TanH):
        type = "Wrong"

        def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
            return [bottom[0][:, :1], bottom[0]][: 1 if bottom[0].ndim == 4 else 2]

    register(Wrong)
    for shape, made in (((2, 3, 13, 18), "2×1×13×18"), ((2, 3), "2×1, 2×3")):
        net = Net(spec_of(shape, layer("b", "Wrong", "data")), path=path)
        says = re.escape(show(shape))
        with pytest.raises(ShapeError, match=rf"layer 'b' \(Wrong\): .* shape {made}, but top_shapes says {says}\."):
            net.forward(data=np.ones(shape))


def test_methods_of_other_base_classes_are_allowed() -> None:
    class Registered:
        names: ClassVar[list[str]] = []

        def __init_subclass__(cls, name: str, **options: Any) -> None:
            super().__init_subclass__(**options)
            Registered.names.append(name)

    class Known(TanH, Registered, name="known"):
        type = "Known"

    assert Registered.names == ["known"]
    assert Known.writes_out


@pytest.mark.parametrize(
    "change",
    [
        lambda dx: dx.astype(np.float64),
        np.asfortranarray,
        lambda dx: dx.astype(">f4"),
        lambda dx: np.repeat(dx, 2, axis=-1)[..., ::2],
    ],
    ids=["float64", "in another order", "big-endian", "strided"],
)
def test_gradients_may_be_arrays_of_any_dtype_and_strides(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[Array], Array]
) -> None:
    class Odd(ReLU):
        type = "Odd"

        def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
            (dx,) = super().backward(dtop, run)
            assert dx is not None
            return [change(dx)]

    monkeypatch.setattr(registry, "_registry", dict(registry._registry))
    register(Odd)
    found = []
    for kind in ("Odd", "ReLU"):
        net = filled(spec_of((2, 3, 13, 18), conv("a", "data", 20), layer("b", kind, "a"), conv("c", "b", 8)))
        found += [gradients(each, FEEDS) for each in (net, reference_net(net))]
    for other in found[1:]:
        assert_all_near(found[0], other, GRADIENT_BAR)


@pytest.mark.parametrize("path", ["fast", "plain"])
def test_a_layer_without_backward_is_named(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    class Forward(Layer):
        type = "Forward"

        def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
            return [2 * bottom[0]]

    monkeypatch.setattr(registry, "_registry", dict(registry._registry))
    register(Forward)
    net = filled(spec_of((2, 3, 13, 18), conv("a", "data", 20), layer("mine", "Forward", "a")), path=path)
    with pytest.raises(SpecError, match=r"layer 'mine' \(Forward\): type Forward has no gradient"):
        gradients(net, FEEDS)

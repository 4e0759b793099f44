"""The gradient check for custom layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fcnlite.description.spec import LayerSpec
from fcnlite.errors import GradientError, ShapeError, SpecError
from fcnlite.layers import BackwardRun, ForwardRun, Layer, check_gradients, create
from tests.layers.own import Arrays, Scaled, registered

X = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
MINE = LayerSpec("mine", "Mine", ("x",), ("y",))


def changed(**members: Any) -> type[Scaled]:
    return type("Mine", (Scaled,), {"type": "Mine", **members})


def check(cls: type[Scaled], *bottom: Any, **how: Any) -> Any:
    with registered(cls):
        return check_gradients(MINE, *(bottom or (X,)), **how)


def test_a_right_layer_passes_and_the_report_names_its_arrays() -> None:
    found = check(changed())
    assert [each.name for each in found] == ["bottom 0", "parameter 0"]
    assert all(each.worst is None and each.error < 1e-6 for each in found)
    assert str(found[0]).startswith("bottom 0: relative error ")
    with registered(changed()):
        layer = create(MINE, "TEST")
    assert len(check_gradients(layer, X, params=[np.ones(3)])) == 2


def test_the_worst_entry_is_found() -> None:
    def backward(self: Scaled, dtop: Arrays, run: BackwardRun) -> Any:
        (dx,) = Scaled.backward(self, dtop, run)
        assert dx is not None
        dx[1, 2, 3, 4] *= 2
        dx[0, 0, 0, 0] *= 1.001
        return [dx]

    with pytest.raises(GradientError) as caught:
        check(changed(backward=backward), params=[np.full(3, 2.0)])
    first, bottom, parameter = str(caught.value).splitlines()
    assert first == "layer 'mine' (Mine): backward does not fit forward:"
    assert "bottom 0: relative error " in bottom and "the worst entry is [1, 2, 3, 4]: " in bottom
    assert "relative error 5.0e-01" in bottom and "kink" not in bottom
    assert "parameter 0" in parameter and "worst" not in parameter


def test_a_wrong_gradient_of_a_parameter_is_found() -> None:
    def backward(self: Scaled, dtop: Arrays, run: BackwardRun) -> Any:
        if run.dparams[0] is not None:
            run.dparams[0][...] = (dtop[0] * run.bottom[0]).mean((0, 2, 3))
        return [dtop[0] * run.params[0][:, None, None]]

    with pytest.raises(GradientError, match=r"parameter 0: .*the worst entry is \[\d\]: .*relative error 9\.8e-01"):
        check(changed(backward=backward))


def test_kinks_are_reported_as_kinks() -> None:
    spec = LayerSpec("relu", "ReLU", ("x",), ("y",))
    x = X.copy()
    x[0, 1, 2, 3] = 0
    with pytest.raises(GradientError, match=r"worst entry is \[0, 1, 2, 3\].*a kink such as ReLU's at 0"):
        check_gradients(spec, x)
    check_gradients(spec, X + 0.01 * np.sign(X))


class WrongGate(Layer):
    """y = x·σ(2x), whose backward misses a factor 2."""

    type = "Mine"
    backward_reads = frozenset({"bottom"})

    def forward(self, bottom: Arrays, run: ForwardRun) -> Arrays:
        return [bottom[0] / (1 + np.exp(-2 * bottom[0]))]

    def backward(self, dtop: Arrays, run: BackwardRun) -> Any:
        x = run.bottom[0]
        gate = 1 / (1 + np.exp(-2 * x))
        return [dtop[0] * (gate + x * gate * (1 - gate))]


def test_curvature_is_no_kink() -> None:
    for seed in range(20):  # in some, the worst entry has a small slope, so that its relative change is large
        with registered(WrongGate), pytest.raises(GradientError) as wrong:
            check_gradients(MINE, np.random.default_rng(seed).normal(size=(2, 3, 5, 4)))
        assert "worst entry" in str(wrong.value) and "kink" not in str(wrong.value)


@pytest.mark.parametrize("place", [0.0, 3e-5, -1e-4, 1.5e-4])
def test_a_kink_near_the_value_is_one_too(place: float) -> None:
    x = X + 0.01 * np.sign(X)
    x[0, 1, 2, 3] = place
    with pytest.raises(GradientError, match=r"worst entry is \[0, 1, 2, 3\].*a kink"):
        check_gradients(LayerSpec("relu", "ReLU", ("x",), ("y",)), x)


def frozen(self: Scaled, dtop: Arrays, run: BackwardRun) -> Any:
    Scaled.backward(self, dtop, run)
    return [dtop[0] * (1.0 if run.dparams[0] is None else run.params[0][:, None, None])]


def unneeded(self: Scaled, dtop: Arrays, run: BackwardRun) -> Any:
    found = Scaled.backward(self, dtop, run)
    if not run.needs[0] and run.dparams[0] is not None:
        run.dparams[0].fill(0)
    return found


def drawing(self: Scaled, bottom: Arrays, run: ForwardRun) -> Any:
    return [bottom[0] * np.random.default_rng().normal(size=bottom[0].shape)]


@pytest.mark.parametrize(
    ("members", "error", "words"),
    [
        ({"backward": frozen}, GradientError, "with frozen parameters.* backward gives other gradients"),
        ({"backward": unneeded}, GradientError, "with bottoms that need no gradient.* backward gives other gradients"),
        ({"forward": drawing}, GradientError, r"other numbers the second time; draw random numbers from run.rng\(\)"),
        ({"backward_reads": frozenset()}, SpecError, "backward reads run.bottom .*add backward_reads = frozenset"),
        ({"backward": lambda self, dtop, run: dtop[0]}, SpecError, "backward returned an array"),
        ({"top_shapes": lambda self, x: [x[:2]]}, ShapeError, "forward made tops of shape"),
    ],
)
def test_other_faults_are_found_too(members: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=rf"layer 'mine' \(Mine\): .*{words}"):
        check(changed(**members))


def test_arguments_that_do_not_fit_are_errors() -> None:
    for bottom, how, words in (
        ((X, X), {}, "2 arrays for 1 bottoms"),
        ((X,), {"params": [np.ones(4)]}, r"params have the shapes \[\(4,\)\]; expected \[\(3,\)\]"),
    ):
        with pytest.raises(GradientError, match=words):
            check(changed(), *bottom, **how)
    with pytest.raises(SpecError, match="unknown type 'Convolutoin'; did you mean 'Convolution'"):
        check_gradients(LayerSpec("c", "Convolutoin", ("x",), ("y",)), X)


def test_only_some_entries_of_a_large_array_are_searched() -> None:
    """The check takes about a second, and the entry that it names is wrong."""

    def backward(self: Scaled, dtop: Arrays, run: BackwardRun) -> Any:
        Scaled.backward(self, dtop, run)
        return [1.5 * dtop[0] * run.params[0][:, None, None]]

    with pytest.raises(GradientError, match=r"bottom 0: .*relative error 3\.3e-01"):
        check(changed(backward=backward), np.random.default_rng(1).normal(size=(1, 3, 40, 50)))


def test_statistics_are_not_checked() -> None:
    found = check_gradients(LayerSpec("bn", "BatchNorm", ("x",), ("y",)), X)
    assert [each.name for each in found] == ["bottom 0"]

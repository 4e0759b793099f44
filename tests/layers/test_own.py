"""The checks of the results of custom layers, on both paths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fcnlite.errors import FcnliteError, ShapeError, SpecError
from fcnlite.layers import BackwardRun, ForwardRun
from tests.layers.own import Arrays, Scaled, batch, net_with

PATHS = ["plain", "fast"]


def gradients(net: Any) -> dict[str, np.ndarray]:
    net.forward(batch(), keep=True)
    net.backward(wrt=["data"])
    found = {f"{name}[{i}]": each.grad.copy() for name, params in net.params.items() for i, each in enumerate(params)}
    return {**found, "data": net.grads["data"].copy()}


@pytest.mark.parametrize("path", PATHS)
def test_a_right_layer_gives_the_same_gradients_at_every_pass(path: str) -> None:
    double, net = net_with(Scaled, "plain", "float64"), net_with(Scaled, path)
    for name, parameters in net.params.items():
        for theirs, ours in zip(double.params[name], parameters, strict=True):
            theirs.data = ours.array
    reference = gradients(double)
    for _ in range(2):
        for name, found in gradients(net).items():
            np.testing.assert_allclose(found, reference[name], rtol=1e-4, atol=1e-5)
    net.forward(batch(), keep=True)
    net.backward(accumulate=True)
    np.testing.assert_allclose(net.params["mine"][0].grad, 2 * reference["mine[0]"], rtol=1e-4)


def rebinds(self: Scaled, dtop: Arrays, run: BackwardRun) -> Any:
    run.dparams[0] = (dtop[0] * run.bottom[0]).sum((0, 2, 3))  # type: ignore[index]
    return [dtop[0] * run.params[0][:, None, None]]


def replaces(self: Scaled, dtop: Arrays, run: BackwardRun) -> Any:
    run.dparams = [(dtop[0] * run.bottom[0]).sum((0, 2, 3))]
    return [dtop[0] * run.params[0][:, None, None]]


def appends(self: Scaled, dtop: Arrays, run: BackwardRun) -> Any:
    run.dparams.append((dtop[0] * run.bottom[0]).sum((0, 2, 3)))  # type: ignore[attr-defined]
    return [dtop[0] * run.params[0][:, None, None]]


def adds(self: Scaled, dtop: Arrays, run: BackwardRun) -> Any:
    run.dparams[0] += (dtop[0] * run.bottom[0]).sum((0, 2, 3))  # type: ignore[index, operator]
    return [dtop[0] * run.params[0][:, None, None]]


def forgets(self: Scaled, dtop: Arrays, run: BackwardRun) -> Any:
    return [dtop[0] * run.params[0][:, None, None]]


def writes_in_part(self: Scaled, dtop: Arrays, run: BackwardRun) -> Any:
    run.dparams[0][:2] = (dtop[0] * run.bottom[0]).sum((0, 2, 3))[:2]  # type: ignore[index]
    return [dtop[0] * run.params[0][:, None, None]]


def writes_dtop(self: Scaled, dtop: Arrays, run: BackwardRun) -> Any:
    Scaled.backward(self, dtop, run)
    dtop[0] *= run.params[0][:, None, None]
    return dtop


def writes_bottom(self: Scaled, dtop: Arrays, run: BackwardRun) -> Any:
    run.bottom[0] *= dtop[0]
    return Scaled.backward(self, dtop, run)


def returning(change: Any) -> Any:
    def backward(self: Scaled, dtop: Arrays, run: BackwardRun) -> Any:
        (dx,) = Scaled.backward(self, dtop, run)
        return change(dx)

    return backward


BACKWARD: dict[str, tuple[Any, str]] = {
    "rebinds": (rebinds, r"another array into run.dparams\[0\]; write .*run.dparams\[0\]\[...\] = gradient"),
    "replaces": (replaces, r"another array into run.dparams\[0\]"),
    "appends": (appends, "run.dparams with 2 entries instead of 1"),
    "adds": (adds, r"wrote 0 of the 3 numbers of run.dparams\[0\], or added .*not \+="),
    "forgets": (forgets, r"wrote 0 of the 3 numbers of run.dparams\[0\]"),
    "writes in part": (writes_in_part, r"wrote 2 of the 3 numbers of run.dparams\[0\]"),
    "writes dtop": (writes_dtop, r"writes into an array that it may only read \(test_own.py, line \d+\)"),
    "writes bottom": (writes_bottom, "writes into an array that it may only read"),
    "array": (returning(lambda dx: dx), "returned an array of shape 2×3×6×5; expected a list of 1 array, one for each"),
    "nothing": (returning(lambda dx: None), "returned nothing; expected a list of 1 array"),
    "dict": (returning(lambda dx: {"conv": dx}), "returned a dict; expected a list"),
    "too few": (returning(lambda dx: []), "returned a list of 0; expected one array for each of the 1 bottoms"),
    "too many": (
        returning(lambda dx: [dx, None]),
        "returned a list of 2; expected one array for each of the 1 bottoms",
    ),
    "None": (returning(lambda dx: [None]), "None for bottom 0, whose gradient is wanted.*no_gradient"),
    "nested list": (returning(lambda dx: [dx.tolist()]), "a list for the gradient of bottom 0; expected a NumPy array"),
    "whole numbers": (returning(lambda dx: [dx.astype(int)]), "gradient of bottom 0 as int64; expected float"),
    "truth": (returning(lambda dx: [dx > 0]), "gradient of bottom 0 as bool; expected float"),
    "objects": (returning(lambda dx: [dx.astype(object)]), "gradient of bottom 0 as object; expected float"),
    "one picture": (returning(lambda dx: [dx[:1]]), "gradient of shape 1×3×6×5 for bottom 0 of shape 2×3×6×5"),
    "number": (returning(lambda dx: [dx.sum()]), "returned a float32 for the gradient of bottom 0; expected a NumPy"),
    "transposed": (returning(lambda dx: [dx.transpose(0, 1, 3, 2)]), "gradient of shape 2×3×5×6 for bottom 0"),
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", BACKWARD)
def test_faults_of_backward_are_errors(kind: str, path: str) -> None:
    backward, words = BACKWARD[kind]
    net = net_with(type("Mine", (Scaled,), {"type": "Mine", "backward": backward}), path)
    net.forward(batch(), keep=True)
    with pytest.raises(FcnliteError, match=rf"^layer 'mine' \(Mine\): backward .*{words}"):
        net.backward()


FORWARD: dict[str, tuple[Any, type[FcnliteError], str]] = {
    "array": (
        lambda y: y,
        SpecError,
        "returned an array of shape 2×3×6×5; expected a list of 1 array, one for each top",
    ),
    "nothing": (lambda y: None, SpecError, "returned nothing; expected a list"),
    "too many": (lambda y: [y, y], ShapeError, "made tops of shape 2×3×6×5, 2×3×6×5, but top_shapes says 2×3×6×5"),
    "nested list": (lambda y: [y.tolist()], SpecError, "returned a list for top 0; expected a NumPy array"),
    "complex": (lambda y: [y + 1j], SpecError, "returned top 0 as complex64; expected float numbers"),
    "objects": (lambda y: [y.astype(object)], SpecError, "returned top 0 as object"),
    "shape": (lambda y: [y[:, :1]], ShapeError, "made tops of shape 2×1×6×5, but top_shapes says 2×3×6×5"),
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", FORWARD)
def test_faults_of_forward_are_errors(kind: str, path: str) -> None:
    change, error, words = FORWARD[kind]

    def forward(self: Scaled, bottom: Arrays, run: ForwardRun) -> Any:
        return change(Scaled.forward(self, bottom, run)[0])

    net = net_with(type("Mine", (Scaled,), {"type": "Mine", "forward": forward}), path)
    with pytest.raises(error, match=rf"^layer 'mine' \(Mine\): forward {words}"):
        net.forward(batch())


@pytest.mark.parametrize(
    ("method", "result", "words"),
    [
        ("top_shapes", (2, 3, 6, 5), r"top_shapes returned \(2, 3, 6, 5\); expected a list of shapes"),
        ("top_shapes", None, "top_shapes returned None"),
        ("top_shapes", [(2, 3, 6, 2.5)], r"top_shapes returned \[\(2, 3, 6, 2.5\)\]"),
        ("top_shapes", [(2, 3, -1, 5)], "top_shapes returned"),
        ("top_shapes", [(2, 3, 6, 5)] * 2, "top_shapes returned 2 shapes for 1 tops"),
        ("params", [(3,)], r"params returned \[\(3,\)\]; expected a list of ParamShape"),
        ("params", None, "params returned None"),
    ],
)
def test_declared_shapes_are_checked(method: str, result: Any, words: str) -> None:
    with pytest.raises(SpecError, match=rf"^layer 'mine' \(Mine\): {words}"):
        net_with(type("Mine", (Scaled,), {"type": "Mine", method: lambda self, *bottom: result}), "plain")


def test_shapes_may_be_lists_and_numpy_s_numbers() -> None:
    def top_shapes(self: Scaled, *bottom: tuple[int, ...]) -> Any:
        return [list(np.array(bottom[0]))]

    net = net_with(type("Mine", (Scaled,), {"type": "Mine", "top_shapes": top_shapes}), "fast")
    assert net.forward(batch(), outputs=["mine"])["mine"].shape == (2, 3, 6, 5)


@pytest.mark.parametrize("path", PATHS)
def test_a_forward_that_writes_into_its_bottom_is_an_error(path: str) -> None:
    def forward(self: Scaled, bottom: Arrays, run: ForwardRun) -> Any:
        bottom[0] *= 2
        return bottom

    net = net_with(type("Mine", (Scaled,), {"type": "Mine", "forward": forward}), path)
    with pytest.raises(
        SpecError, match=r"'mine' \(Mine\): forward writes into an array that it may only read \(test_own"
    ):
        net.forward(batch())


@pytest.mark.parametrize("path", PATHS)
def test_a_layer_may_return_its_arguments(path: str) -> None:
    """It returns its bottom, and its top's gradient; the adjacent layers may write to them."""

    class Same(Scaled):
        type = "Same"

        def forward(self, bottom: Arrays, run: ForwardRun) -> Arrays:
            return bottom

        def backward(self, dtop: Arrays, run: BackwardRun) -> Any:
            run.dparams[0].fill(0)  # type: ignore[union-attr]
            return dtop

    class Once(Scaled):
        type = "Once"

        def forward(self, bottom: Arrays, run: ForwardRun) -> Arrays:
            return [bottom[0] * 1]

        def backward(self, dtop: Arrays, run: BackwardRun) -> Any:
            run.dparams[0].fill(0)  # type: ignore[union-attr]
            return [dtop[0] * 1]

    same, once = gradients(net_with(Same, path)), gradients(net_with(Once, path))
    for name, found in same.items():
        np.testing.assert_array_equal(found, once[name])


@pytest.mark.parametrize("path", PATHS)
def test_the_next_layer_does_not_overwrite_a_saved_top(path: str) -> None:
    """A rectifier in place follows, and the class does not declare that backward reads the top."""

    class Squashed(Scaled):
        type = "Squashed"

        def forward(self, bottom: Arrays, run: ForwardRun) -> Arrays:
            run.saved = np.tanh(bottom[0])
            return [run.saved]

        def backward(self, dtop: Arrays, run: BackwardRun) -> Any:
            run.dparams[0].fill(0)  # type: ignore[union-attr]
            return [dtop[0] * (1 - run.saved**2)]

    class Kept(Squashed):
        type = "Kept"

        def forward(self, bottom: Arrays, run: ForwardRun) -> Arrays:
            run.saved = np.tanh(bottom[0])
            return [run.saved.copy()]

    found, wanted = gradients(net_with(Squashed, path)), gradients(net_with(Kept, path))
    for name in found:
        np.testing.assert_array_equal(found[name], wanted[name])


@pytest.mark.parametrize("path", PATHS)
def test_the_gradient_of_a_frozen_parameter_is_none_and_must_stay_none(path: str) -> None:
    net = net_with(Scaled, path, options="param { lr_mult: 0 }")
    gradients(net)
    assert not net.params["mine"][0].grad.any()
    cls = type("Mine", (Scaled,), {"type": "Mine", "backward": rebinds})
    net = net_with(cls, path, options="param { lr_mult: 0 }")
    net.forward(batch(), keep=True)
    with pytest.raises(SpecError, match=r"run.dparams\[0\]; it was None, which asks for no gradient"):
        net.backward()

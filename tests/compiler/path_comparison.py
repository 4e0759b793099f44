"""Compare the two paths: small nets, run on both with the same parameters and inputs, and the allowed differences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.compiler import Plan
from fcnlite.compiler.executor import FastPath
from fcnlite.compiler.ir import Operation
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.engine.backprop import Timer
from fcnlite.engine.reference import ReferencePass, ReferencePath, run_layer
from fcnlite.engine.state import State
from fcnlite.graph.preparation import Kept, PreparedRun
from fcnlite.net import Net

OUTPUT_BAR = 1e-4
GRADIENT_BAR = 1e-3
"""Allowed differences, relative to the largest value."""


def normal(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


# Descriptions of nets


def layer(name: str, type_: str, bottom: str | Sequence[str], top: str | None = None, **options: Any) -> LayerSpec:
    """One layer; the top has the name of the layer unless `top` is given."""
    bottoms = (bottom,) if isinstance(bottom, str) else tuple(bottom)
    return LayerSpec(name, type_, bottoms, (top or name,), options)


def conv(name: str, bottom: str, num_output: int, kernel_size: int = 3, **options: Any) -> LayerSpec:
    return layer(name, "Convolution", bottom, num_output=num_output, kernel_size=[kernel_size], **options)


def in_place(type_: str, blob: str, **options: Any) -> LayerSpec:
    return layer(f"{type_.lower()}_{blob}", type_, blob, blob, **options)


def pool(name: str, bottom: str, kernel_size: int = 2, stride: int = 2, **options: Any) -> LayerSpec:
    return layer(name, "Pooling", bottom, kernel_size=kernel_size, stride=stride, **options)


def spec_of(shape: Sequence[int], *layers: LayerSpec) -> NetSpec:
    """A net that reads `data` of this shape."""
    data = LayerSpec("data", "Input", top=("data",), options={"shape": [{"dim": list(shape)}]})
    return NetSpec("made", (data, *layers))


# Running nets


def filled(spec: NetSpec, seed: int = 0, **how: Any) -> Net:
    """The net with random nonzero parameters that preserve the scale of the blobs; bilinear weights stay."""
    net = Net(spec, seed=seed, **how)
    rng = np.random.default_rng(seed)
    for each in net.layers:
        for i, parameter in enumerate(net.params.get(each.spec.name, ())):
            if each.type == "Deconvolution" and each.spec.options.get("weight_filler"):
                continue
            values = rng.normal(size=parameter.shape)
            if each.type == "BatchNorm":
                values = 0.3 * values if i == 0 else 1 + np.abs(values)
            elif each.type in ("Scale", "PReLU") and i == 0:
                values = np.where(values > 0, 1, -1) * (0.5 + np.abs(values) / 2)
            elif len(parameter.shape) > 1:
                values *= np.sqrt(2 / max(1, np.prod(parameter.shape[1:])))
            else:
                values = np.where(values > 0, 0.3, -0.3) + 0.2 * values
            parameter.data = values
    return net


def reference_net(net: Net) -> Net:
    """The same net on the reference path, with shared parameters."""
    return Net(net.spec, phase=net.phase, path="plain", seed=net.seed, shared=net.params)


def plan_of(net: Net, feeds: Mapping[str, Array], outputs: Sequence[str] | None = None, keep: bool = False) -> Plan:
    """The plan with which the fast path runs `net` on these inputs."""
    assert isinstance(net.executor, FastPath)
    return net.executor.plan(net._prepare({name: array.shape for name, array in feeds.items()}, outputs, Kept(keep)))


def does(plan: Plan, layer_name: str) -> Operation:
    """The operation that computes a layer."""
    found = [each for each in plan.graph.operations if layer_name in each.layers]
    assert len(found) == 1, f"{layer_name}: {[each.describe() for each in found]}"
    return found[0]


def worked(plan: Plan) -> set[str]:
    """The layers that the plan's operations compute."""
    return {name for each in plan.graph.operations for name in each.layers}


# Comparison


def error(found: Array, expected: Array) -> float:
    """The largest difference, relative to the largest value."""
    assert found.shape == expected.shape, f"shape {found.shape}, expected {expected.shape}"
    largest = float(np.abs(expected).max(initial=0))
    worst = float(np.abs(found.astype(np.float64) - expected).max(initial=0))
    assert np.isfinite(worst)
    return worst / max(largest, 1e-6)


def assert_near(found: Array, expected: Array, bar: float = OUTPUT_BAR, what: str = "") -> None:
    assert found.dtype == np.float32
    assert error(found, expected) <= bar, f"{what}: off by {error(found, expected):.1e} of the largest value"


def assert_all_near(found: Mapping[str, Array], expected: Mapping[str, Array], bar: float = OUTPUT_BAR) -> None:
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert_near(found[name], array, bar, name)


def assert_same_outputs(net: Net, feeds: Mapping[str, Array], outputs: Sequence[str] | None = None) -> Plan:
    """Check that the paths agree in inference. Returns the plan of the fast path."""
    expected = reference_net(net).forward(feeds, outputs=outputs)
    assert_all_near(net.forward(feeds, outputs=outputs), expected)
    return plan_of(net, feeds, outputs)


def gradients(net: Net, feeds: Mapping[str, Array], wrt: Iterable[str] = ("data",)) -> dict[str, Array]:
    """Gradients of all parameters (`conv1[0]`) and of the blobs `wrt`, for random gradients of the outputs."""
    blobs = [name for name in wrt if name not in feeds]
    outputs = net.forward(feeds, keep=blobs or True)
    dtops = {name: normal(7 + i, *array.shape) for i, (name, array) in enumerate(sorted(outputs.items()))}
    net.backward(dtops, wrt=list(wrt), frozen=True)
    found = {name: array.copy() for name, array in net.grads.items()}
    for name, parameters in net.params.items():
        found.update({f"{name}[{i}]": each.grad.copy() for i, each in enumerate(parameters) if not each.statistic})
    return found


# Gradients that do not depend on rounding


class Following(ReferencePath):
    """The reference path, in which each layer's tops are overwritten with those of another net's forward pass.

    Thus both nets agree on the side of every ReLU and the place of every maximum, even between values that are nearly
    equal, so that their gradients can be compared.
    """

    def __init__(self, state: State, leading: Mapping[int, Array]) -> None:
        super().__init__(state)
        self._leading = leading

    def forward(
        self, prepared: PreparedRun, feeds: Mapping[str, Array], timer: Timer | None
    ) -> tuple[dict[str, Array], ReferencePass]:
        schedule = prepared.schedule
        values = {version: feeds[name] for name, version in schedule.inputs.items()}
        runs = []
        for step in schedule.steps:
            top, run = run_layer(step.layer, [values[version] for version in step.bottom], (), self._state)
            for version, array in zip(step.top, top, strict=True):
                if version in self._leading and array.flags.writeable:
                    array[...] = self._leading[version]
            values.update(zip(step.top, top, strict=True))
            runs.append(run)
        outputs = {name: values[version] for name, version in schedule.outputs.items()}
        return outputs, ReferencePass(schedule, values, runs)


def following(net: Net) -> Net:
    """The reference path, on the same parameters, that follows the last pass of `net`."""
    reference = reference_net(net)
    assert net._last is not None
    reference.executor = Following(reference.state, net._last.values)
    return reference


def gradient_errors(net: Net, feeds: Mapping[str, Array], wrt: Iterable[str] = ("data",)) -> dict[str, float]:
    """The `error` of each gradient of the fast path against the reference path with the same blobs."""
    before = net.iteration
    found = gradients(net, feeds, wrt)
    reference = following(net)
    reference.iteration = before
    expected = gradients(reference, feeds, wrt)
    assert found.keys() == expected.keys()
    return {name: error(found[name], expected[name]) for name in expected}


def assert_same_gradients(net: Net, feeds: Mapping[str, Array], wrt: Iterable[str] = ("data",)) -> None:
    found = gradient_errors(net, feeds, wrt)
    assert max(found.values()) <= GRADIENT_BAR, found

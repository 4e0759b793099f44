"""Which layers run, in which order, and the lifetimes of values."""

from __future__ import annotations

from typing import Any

import pytest

from fcnlite.description.spec import LayerSpec
from fcnlite.engine.backprop import needed
from fcnlite.engine.reference import ReferencePass
from fcnlite.errors import SpecError
from fcnlite.graph.schedule import Schedule, Versions
from fcnlite.layers.base import BackwardRun
from fcnlite.layers.registry import create

LAYERS = [
    LayerSpec("data", "Input", top=("data",)),
    LayerSpec("label", "Input", top=("label",)),
    LayerSpec("conv", "Convolution", ("data",), ("a",), {"num_output": 1, "kernel_size": [1]}),
    LayerSpec("relu", "ReLU", ("a",), ("a",)),
    LayerSpec("pool", "Pooling", ("a",), ("b",), {"kernel_size": 2}),
    LayerSpec("side", "Softmax", ("data",), ("side",)),
    LayerSpec("loss", "SoftmaxWithLoss", ("b", "label"), ("loss",)),
]


def schedule(*fed: str, outputs: tuple[str, ...] | None = None, keep: bool = False) -> Schedule:
    layers = [create(spec, "TEST") for spec in LAYERS]
    return Schedule.make(layers, frozenset(fed), outputs, keep)


def names(found: Schedule) -> list[str]:
    return [step.layer.spec.name for step in found.steps]


def test_layers_run_in_the_order_of_the_description() -> None:
    assert names(schedule("data", "label")) == ["conv", "relu", "pool", "side", "loss"]
    assert set(schedule("data", "label").outputs) == {"side", "loss"}


def test_layers_without_their_inputs_are_left_out() -> None:
    assert names(schedule("data")) == ["conv", "relu", "pool", "side"]
    assert set(schedule("data").outputs) == {"b", "side"}
    assert schedule("data").losses == {}


def test_outputs_prune_and_keep_does_not() -> None:
    assert names(schedule("data", "label", outputs=("a",))) == ["conv", "relu"]
    assert names(schedule("data", "label", outputs=("a",), keep=True)) == ["conv", "relu", "pool", "side", "loss"]
    assert names(schedule("data", outputs=("data",))) == []


def test_unknown_types_are_left_out_with_the_layers_that_depend_on_them() -> None:
    unknown = LayerSpec("unknown", "Nonesuch", ("a",), ("a",))
    layers = [create(spec, "TEST") for spec in (*LAYERS[:4], unknown, *LAYERS[4:6])]
    found = Versions.number(layers, frozenset({"data"}))
    assert [step.layer.spec.name for step in found.steps] == ["conv", "relu", "side"]
    assert [layer.spec.name for layer in found.unknown] == ["unknown"]
    assert "a" not in found.last
    everything = Versions.number(layers, unknown_types=True)
    assert [step.layer.spec.name for step in everything.steps] == ["conv", "relu", "unknown", "pool", "side"]
    assert set(everything.inputs) == {"data", "label"}


def test_every_write_is_a_version() -> None:
    found = schedule("data", "label")
    conv, relu, pool = found.steps[:3]
    assert relu.bottom == conv.top and relu.top != conv.top and pool.bottom == relu.top
    assert found.version("a") == relu.top[0]
    with pytest.raises(SpecError, match=r"'aa'.*'a'"):
        found.version("aa")


@pytest.mark.parametrize("keep", [False, True])
def test_values_are_released_after_their_last_reader(keep: bool) -> None:
    found = schedule("data", "label", keep=keep)
    living = set(found.inputs.values())
    for step in found.steps:
        assert living.issuperset(step.bottom)
        living |= set(step.top)
        living -= set(step.release)
    lasting = set(found.outputs.values()) | (set(found.last.values()) if keep else set())
    assert living == lasting


def test_a_layer_overwrites_what_nobody_else_reads() -> None:
    def overwrites(*layers: LayerSpec, **how: Any) -> bool:
        found = Schedule.make(
            [create(each, "TEST") for each in (*LAYERS[:3], *layers)], frozenset({"data"}), None, **how
        )
        return next(step for step in found.steps if step.layer.spec.name == "relu").overwrite

    relu = LAYERS[3]
    assert overwrites(relu, keep=False)
    assert overwrites(relu, keep=True)  # a convolution's backward does not read its top
    assert not overwrites(LayerSpec("side", "Softmax", ("a",), ("side",)), relu, keep=False)
    assert not overwrites(LayerSpec("relu", "ReLU", ("data",), ("data",)), keep=False)  # it is the caller's
    elsewhere = LayerSpec("relu", "ReLU", ("a",), ("b",))
    assert not overwrites(elsewhere, keep=False)
    softmax = LayerSpec("soft", "Softmax", ("a",), ("p",))
    after = LayerSpec("relu", "ReLU", ("p",), ("p",))
    assert not overwrites(softmax, after, keep=True)  # its backward reads its top
    dropout = LayerSpec("drop", "Dropout", ("data",), ("d",))
    assert not overwrites(dropout, LayerSpec("relu", "ReLU", ("d",), ("d",)), keep=False)  # in TEST d is data


def test_gradients_are_needed_above_what_learns_or_is_asked_for() -> None:
    found = schedule("data", "label", keep=True)
    versions = {step.layer.spec.name: step.top[0] for step in found.steps}
    all_but_side = {versions[name] for name in ("conv", "relu", "pool", "loss")}
    nodes = list(ReferencePass(found, {}, [BackwardRun([]) for _ in found.steps]).nodes())
    assert needed(nodes, set(), lambda layer: layer == "conv") == all_but_side
    assert needed(nodes, set(), lambda layer: False) == set()
    asked = needed(nodes, {versions["pool"]}, lambda layer: False)
    assert asked == {versions["pool"], versions["loss"]}


def test_losses_have_their_weights() -> None:
    found = schedule("data", "label")
    assert found.losses == {found.version("loss"): 1.0}

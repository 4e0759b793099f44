"""The tests that every registered layer type must pass."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite.arrays import Array
from fcnlite.compiler import plan
from fcnlite.compiler.plan import PlanPass, PlanStep
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import SpecError
from fcnlite.layers import check_gradients, registered
from fcnlite.layers.base import ForwardRun
from fcnlite.layers.registry import create
from fcnlite.net import Net
from tests.layers.examples import EXAMPLES, Example

NO_COMPUTATION = {"Silence", *(name for name, cls in registered().items() if cls.bottoms == (0, 0))}  # inputs
NO_GRADIENT = {"Accuracy", "ArgMax", "Threshold"}

TYPES = sorted(set(registered()) - NO_COMPUTATION)
ITERATION = 7


def draw_example(data: st.DataObject, type_: str) -> Example:
    if type_ not in EXAMPLES:
        pytest.fail(f"layer type {type_} is registered, but tests/layers/examples/ has no strategy for it")
    return data.draw(EXAMPLES[type_])


def test_examples_are_drawn_for_every_registered_type() -> None:
    assert set(EXAMPLES) == set(TYPES)
    assert set(registered()) >= NO_COMPUTATION | NO_GRADIENT


def run(net: Net, inputs: dict[str, Array], keep: bool = False) -> dict[str, Array]:
    """A forward pass that draws the same random numbers each time."""
    net.iteration = ITERATION
    return net.forward(inputs, outputs=net.spec.layer("layer").top, keep=keep)


def differentiable(example: Example) -> list[str]:
    blocked = registered()[example.type].no_gradient
    return [name for i, name in enumerate(example.bottoms) if i not in blocked]


def top_gradients(example: Example, tops: dict[str, Array]) -> dict[str, Array]:
    """Gradients of the tops, except the further tops of a loss layer, which have none."""
    rng = np.random.default_rng((example.seed, 3))
    names = list(tops)[:1] if registered()[example.type].is_loss else list(tops)
    return {name: np.asarray(rng.normal(size=tops[name].shape)) for name in names}


@pytest.mark.parametrize("type_", sorted(set(TYPES) - NO_GRADIENT))
@settings(max_examples=40)
@given(data=st.data())
def test_gradients_match_finite_differences(type_: str, data: st.DataObject) -> None:
    example = draw_example(data, type_)
    bottoms = example.inputs().values()
    found = check_gradients(example.layer(), *bottoms, params=example.param_values(), seed=example.seed)
    assert len(found) == len(differentiable(example)) + sum(
        not each.statistic for each in example.layer().params(*example.shapes)
    )


@pytest.mark.parametrize("type_", sorted(NO_GRADIENT))
@settings(max_examples=5)
@given(data=st.data())
def test_layers_without_gradient_propagate_none(type_: str, data: st.DataObject) -> None:
    example = draw_example(data, type_)
    net = example.net("float64")
    net.backward(top_gradients(example, run(net, example.inputs(), keep=True)))
    assert set(net.grads) == set(example.bottoms)
    for name, shape in zip(example.bottoms, example.shapes, strict=True):
        np.testing.assert_array_equal(net.grads[name], np.zeros(shape))


@pytest.mark.parametrize("type_", TYPES)
@settings(max_examples=40)
@given(data=st.data())
def test_declared_shapes_are_the_computed_ones(type_: str, data: st.DataObject) -> None:
    example = draw_example(data, type_)
    layer = example.layer()
    tops = run(example.net("float64"), example.inputs())
    assert [tops[name].shape for name in example.top_names] == layer.top_shapes(*example.shapes)
    assert layer.macs(example.shapes, layer.top_shapes(*example.shapes)) >= 0


@pytest.mark.parametrize("type_", TYPES)
@settings(max_examples=15)
@given(data=st.data())
def test_bottoms_are_never_written(type_: str, data: st.DataObject) -> None:
    example = draw_example(data, type_)
    layer = example.layer()
    inputs = {name: array.astype(np.float32) for name, array in example.inputs().items()}
    before = {name: array.copy() for name, array in inputs.items()}
    for array in inputs.values():
        array.flags.writeable = False
    state = ForwardRun([each.astype(np.float32) for each in example.param_values()])
    state.rng = lambda: np.random.default_rng(0)
    state.top_shapes = layer.top_shapes(*example.shapes)
    layer.forward(list(inputs.values()), state)

    net = example.net("float32")
    tops = run(net, inputs, keep=True)
    if type_ not in NO_GRADIENT:
        seeds = {name: array.astype(np.float32) for name, array in top_gradients(example, tops).items()}
        kept = {name: array.copy() for name, array in seeds.items()}
        net.backward(seeds, wrt=differentiable(example))
        for name, array in seeds.items():
            np.testing.assert_array_equal(array, kept[name])
    for name, array in inputs.items():
        np.testing.assert_array_equal(array, before[name])


@pytest.mark.parametrize("type_", TYPES)
@settings(max_examples=10)
@given(data=st.data())
def test_in_place_and_separate_memory_give_the_same(type_: str, data: st.DataObject) -> None:
    """Tops and gradients of a layer that writes its top over its bottom, where the shapes allow it.

    The bottom is made by a layer whose backward reads its own top (TanH) or bottom (Power).
    """
    example = draw_example(data, type_)
    if example.layer().top_shapes(*example.shapes)[0] != example.shapes[0]:
        return
    maker = data.draw(st.sampled_from(["TanH", "Power"]))
    inputs, wrt = example.inputs(), differentiable(example)
    spec = example.spec()
    seeds, found = {}, []
    for first in ("y0", "made"):
        before = LayerSpec("before", maker, ("x0",), ("made",))
        bottom, top = ("made", *example.bottoms[1:]), (first, *example.top_names[1:])
        layer = dataclasses.replace(spec.layer("layer"), bottom=bottom, top=top)
        layers = (*spec.layers[:-1], before, layer)
        net = Net(NetSpec("chain", layers), phase=example.phase, path="plain", dtype="float64", seed=example.seed)
        for parameter, values in zip(net.params.get("layer", []), example.param_values(), strict=True):
            parameter.data = values
        tops = run(net, inputs, keep=True)
        seeds = seeds or top_gradients(example, tops)
        net.backward(dict(zip(top, seeds.values(), strict=False)), wrt=wrt)
        params = net.params.get("layer", [])
        found.append([*tops.values(), *(net.grads[name] for name in wrt), *(each.grad for each in params)])
    for apart, in_place in zip(*found, strict=True):
        np.testing.assert_array_equal(apart, in_place)


@pytest.mark.parametrize("type_", TYPES)
@settings(max_examples=10)
@given(data=st.data())
def test_tops_are_written_into_given_memory(type_: str, data: st.DataObject) -> None:
    example = draw_example(data, type_)
    layer, bottoms = example.layer(), list(example.inputs().values())
    found = []
    for outs in ([], [np.full(shape, np.nan) for shape in layer.top_shapes(*example.shapes)]):
        state = ForwardRun([each.copy() for each in example.param_values()], outs=outs if layer.writes_out else [])
        state.rng = lambda: np.random.default_rng(0)
        found.append(layer.forward(bottoms, state))
        for top, out in zip(found[-1], state.outs, strict=bool(state.outs)):
            assert np.may_share_memory(top, out) or out.ndim == 0 or layer.aliases
    for own, placed in zip(*found, strict=True):
        np.testing.assert_array_equal(own, placed)


@pytest.mark.parametrize("type_", TYPES)
@settings(max_examples=10)
@given(data=st.data())
def test_all_values_of_a_plan_are_in_its_arena(type_: str, data: st.DataObject) -> None:
    example = draw_example(data, type_)
    reference = example.net("float32")
    net = Net(reference.spec, phase=reference.phase, shared=reference.params)
    run(net, example.inputs(), keep=True)
    done = net._last
    assert isinstance(done, PlanPass)
    for operation in done.nodes():
        for value in operation.top:
            array = done._values[value]
            fed = any(np.may_share_memory(array, done._values[each]) for each in operation.bottom)
            assert fed or array.size == 0 or np.may_share_memory(array, net.executor.arena.of(array.size)), value.name


@pytest.mark.parametrize("type_", sorted(set(TYPES) - NO_GRADIENT))
@settings(max_examples=10)
@given(data=st.data())
def test_all_gradients_of_a_plan_are_in_its_arena(type_: str, data: st.DataObject) -> None:
    """Except those that the caller owns; in a second, accumulated pass also the gradients of parameters."""
    example = draw_example(data, type_)
    reference = example.net("float32")
    net = Net(reference.spec, phase=reference.phase, shared=reference.params)
    accumulate, passes, backward = False, 0, plan._backward

    def checked(
        step: PlanStep,
        saved: Any,
        dtop: list[Array],
        needs: Sequence[bool],
        dparams: Sequence[Array | None],
    ) -> list[Array | None]:
        nonlocal passes
        found = backward(step, saved, dtop, needs, dparams)
        for each in (*found, *(dparams if accumulate else ())):
            passed_on = each is not None and any(np.may_share_memory(each, of_top) for of_top in dtop)
            assert each is None or each.size == 0 or passed_on or step.machine.arena.holds(each)
        passes += 1
        return found

    for accumulate in (False, True):
        seeds = top_gradients(example, run(net, example.inputs(), keep=True))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(plan, "_backward", checked)
            net.backward(seeds, wrt=differentiable(example), accumulate=accumulate)
        assert not any(piece.floats_lent() for piece in net.executor.arena._lending)
    assert passes


def strided(array: Array) -> Array:
    """The same values with the axes' strides reversed, and every second place unused."""
    if array.ndim == 0:
        return array
    wide = np.full((*array.shape[::-1], 2), np.nan, array.dtype)
    view = wide[..., 0].T
    view[...] = array
    return view


@pytest.mark.parametrize("type_", TYPES)
@settings(max_examples=15)
@given(data=st.data())
def test_inputs_of_other_strides_and_dtypes_are_not_misread(type_: str, data: st.DataObject) -> None:
    example = draw_example(data, type_)
    net = example.net("float32")
    # Whole numbers, which arrays of all dtypes can hold.
    whole = {name: np.rint(4 * array) for name, array in example.inputs().items()}
    if example.classes or example.places:
        whole["x1"] = example.inputs()["x1"]
    reference = run(net, {name: array.astype(np.float32) for name, array in whole.items()})
    changes: dict[str, Callable[[Array], Array]] = {
        "strided": lambda array: strided(array.astype(np.float32)),
        "float64": lambda array: array,
        "strided float64": strided,
        "int16": lambda array: array.astype(np.int16),
        "int64": lambda array: np.asfortranarray(array.astype(np.int64)).reshape(array.shape),
        "big-endian": lambda array: array.astype(">f4"),
        "float16": lambda array: array.astype(np.float16),
    }
    for kind, change in changes.items():
        net = example.net("float32")  # running statistics start again
        found = run(net, {name: change(array) for name, array in whole.items()})
        for name in example.top_names:
            assert found[name].dtype == np.float32
            np.testing.assert_array_equal(found[name], reference[name], err_msg=kind)


@pytest.mark.parametrize("type_", TYPES)
@settings(max_examples=15)
@given(data=st.data())
def test_float32_equals_float64_within_rounding(type_: str, data: st.DataObject) -> None:
    example = draw_example(data, type_)
    found: dict[str, list[Array]] = {}
    for dtype in ("float32", "float64"):
        net = example.net(dtype)
        tops = run(net, example.inputs(), keep=True)
        arrays = [*tops.values(), *(each.array for each in net.params.get("layer", []))]
        if type_ not in NO_GRADIENT:
            net.backward(top_gradients(example, tops), wrt=differentiable(example))
            arrays += [net.grads[name] for name in differentiable(example)]
            arrays += [each.grad for each in net.params.get("layer", [])]
        assert {array.dtype for array in arrays} == {np.dtype(dtype)}
        found[dtype] = arrays
    for single, double in zip(found["float32"], found["float64"], strict=True):
        np.testing.assert_allclose(single, double, rtol=0, atol=1e-5 * max(1, np.abs(double).max()))


@pytest.mark.parametrize("type_", TYPES)
@settings(max_examples=2)
@given(data=st.data())
def test_wrong_options_are_named(type_: str, data: st.DataObject) -> None:
    example = draw_example(data, type_)
    spec = example.spec().layer("layer")

    def refused(name: str, value: Any) -> str:
        with pytest.raises(SpecError) as caught:
            create(dataclasses.replace(spec, options={**spec.options, name: value}), example.phase)
        return str(caught.value)

    message = refused("kernel_sighs", 1)
    assert "'layer'" in message and "'kernel_sighs'" in message
    for option in dataclasses.fields(registered()[type_].Options):
        for wrong in ({"no_such_field": 1}, [{"no_such_field": 1}], "\0"):
            if wrong == "\0" and option.type == "str":
                continue
            message = refused(option.name, wrong)
            assert "'layer'" in message and option.name in message


@pytest.mark.parametrize("type_", TYPES)
def test_wrong_counts_of_blobs_are_named(type_: str) -> None:
    cls = registered()[type_]
    for what, limits in (("bottom", cls.bottoms), ("top", cls.tops)):
        for count in (limits[0] - 1, None if limits[1] is None else limits[1] + 1):
            if count is None or count < 0:
                continue
            blobs = {"bottom": cls.bottoms[0], "top": cls.tops[0], what: count}
            names = {key: tuple(f"{key}{i}" for i in range(number)) for key, number in blobs.items()}
            with pytest.raises(SpecError, match=f"'layer'.*{count} {what}"):
                create(LayerSpec("layer", type_, **names), "TEST")


def test_input_declares_one_shape_for_all_tops_or_one_for_each() -> None:
    one, other = {"dim": [1, 3, 9, 8]}, {"dim": [1, 1, 9, 8]}
    for options, tops, expected in (
        ([one], ("data",), [(1, 3, 9, 8)]),
        ([one], ("left", "right"), [(1, 3, 9, 8)] * 2),
        ([one, other], ("data", "label"), [(1, 3, 9, 8), (1, 1, 9, 8)]),
        ([], ("data",), []),
    ):
        layer = create(LayerSpec("in", "Input", top=tops, options={"shape": options}), "TEST")
        assert layer.top_shapes() == expected


@pytest.mark.parametrize("shapes", [[{"dim": [1]}, {"dim": [2]}], [{"dim": [-1, 3]}], [{"dim": ["x"]}]])
def test_input_refuses_other_shapes(shapes: list[Any]) -> None:
    with pytest.raises(SpecError, match=r"'in'.*shape"):
        create(LayerSpec("in", "Input", top=("data",), options={"shape": shapes}), "TEST")

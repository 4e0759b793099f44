"""Parameters: first values, multipliers, sharing, and writing to them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from fcnlite.description.spec import LayerSpec, ParamSpec
from fcnlite.engine.parameter import Parameter
from fcnlite.errors import ShapeError, SpecError
from fcnlite.formats.caffe import parse_net
from fcnlite.net import Net
from tests.net.nets import conv, data, layer, net_of, picture, small


def test_nets_of_one_seed_are_equal_and_of_others_differ() -> None:
    one, same, other = (small(seed=seed) for seed in (3, 3, 4))
    for name, parameters in one.params.items():
        for i, parameter in enumerate(parameters):
            np.testing.assert_array_equal(parameter.array, same.params[name][i].array)
    for name in ("conv1", "score_pool"):
        assert (one.params[name][0].array != other.params[name][0].array).any()
    assert (one.params["conv1"][0].array.ravel()[:12] != one.params["score_pool"][0].array.ravel()).any()


def test_first_values_of_a_layer_do_not_depend_on_other_layers() -> None:
    alone = net_of(data(1, 2, 3, 3), conv("b", "data"))
    after = net_of(data(1, 2, 3, 3), conv("a", "data"), conv("b", "a"))
    np.testing.assert_array_equal(alone.params["b"][0].array, after.params["b"][0].array)


def test_multipliers_are_those_written_or_one() -> None:
    net = net_of(data(1, 2, 3, 3), conv("a", "data", param=(ParamSpec(lr_mult=2, decay_mult=0),)))
    assert [(each.lr_mult, each.decay_mult) for each in net.params["a"]] == [(2, 0), (1, 1)]


def test_parameters_of_statistics_do_not_learn() -> None:
    net = net_of(data(1, 2, 3, 3), layer("bn", "BatchNorm", "data"), phase="TRAIN")
    assert [each.lr_mult for each in net.params["bn"]] == [0, 0, 0] and net.learnable() == []


def sharing(*names: str, **options: Any) -> tuple[LayerSpec, ...]:
    param = tuple(ParamSpec(name=each) for each in names)
    return (
        data(1, 2, 3, 3),
        conv("a", "data", param=param, weight_filler={"type": "gaussian"}),
        conv("b", "a", param=param, weight_filler={"type": "gaussian"}, **options),
    )


def test_parameters_of_one_name_are_one() -> None:
    net = net_of(*sharing("w"))
    assert net.params["a"][0] is net.params["b"][0] and net.params["a"][1] is not net.params["b"][1]
    assert [name for name, _ in net.learnable()] == ["a[0]", "a[1]", "b[1]"]
    apart = net_of(*sharing())
    for name in "ab":
        apart.params[name][0].data = net.params["a"][0].array
    x = np.random.default_rng(0).normal(size=(1, 2, 3, 3))
    for each in (net, apart):
        each.forward(data=x, keep=True)
        each.backward(b=x)
    total = apart.params["a"][0].grad + apart.params["b"][0].grad
    np.testing.assert_allclose(net.params["a"][0].grad, total)
    net.backward(b=x, accumulate=True)
    np.testing.assert_allclose(net.params["a"][0].grad, 2 * total)


def test_sharers_of_different_shapes_are_named() -> None:
    with pytest.raises(ShapeError, match=r"'b'.*5×2×1×1.*2×2×1×1"):
        net_of(*sharing("w", num_output=5))


def test_sharers_of_different_multipliers_are_named() -> None:
    layers = list(sharing("w"))
    layers[1] = dataclasses.replace(layers[1], param=(ParamSpec("w", lr_mult=2),))
    layers[2] = dataclasses.replace(layers[2], param=(ParamSpec("w", lr_mult=5),))
    with pytest.raises(SpecError, match=r"'b'.*lr_mult.*5.*'w'.*2"):
        net_of(*layers)


@pytest.mark.parametrize("writer", [1, 2])
def test_a_multiplier_may_be_written_at_any_one_of_the_sharers(writer: int) -> None:
    layers = list(sharing("w"))
    layers[writer] = dataclasses.replace(layers[writer], param=(ParamSpec("w", lr_mult=5, decay_mult=0),))
    shared = net_of(*layers).params["a"][0]
    assert (shared.lr_mult, shared.decay_mult) == (5, 0)


def test_read_only_parameters_are_copied_when_written() -> None:
    """Values mapped from a file are copied only when they may be written."""
    start = small()
    mapped = {name: [each.array.copy() for each in parameters] for name, parameters in start.params.items()}
    for arrays in mapped.values():
        for array in arrays:
            array.flags.writeable = False
    net = small(shared={name: [Parameter(each) for each in arrays] for name, arrays in mapped.items()})
    np.testing.assert_array_equal(net.forward(data=picture())["score"], start.forward(data=picture())["score"])
    for name, parameters in net.params.items():
        for parameter, array in zip(parameters, mapped[name], strict=True):
            assert np.shares_memory(parameter.array, array)
            parameter.data[...] += 1
            np.testing.assert_array_equal(parameter.array, array + 1)
    for name, parameters in start.params.items():
        for parameter, array in zip(parameters, mapped[name], strict=True):
            np.testing.assert_array_equal(array, parameter.array)


def test_writing_between_passes_counts() -> None:
    net = small()
    held = net.params["score_pool"][1].data
    before = net.forward(data=picture())["score"]
    held += 1
    net.changed()
    np.testing.assert_allclose(
        net.forward(data=picture())["score"][:, :, 2:-2, 2:-2], before[:, :, 2:-2, 2:-2] + 1, atol=1e-5
    )


def test_a_shared_net_has_the_same_arrays() -> None:
    spec = parse_net("""
        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 2 dim: 3 dim: 3 } } }
        layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc" inner_product_param {
            num_output: 50 weight_filler { type: "xavier" } } }
        layer { name: "drop" type: "Dropout" bottom: "fc" top: "fc" include { phase: TRAIN } }
        layer { name: "more" type: "InnerProduct" bottom: "fc" top: "more" include { phase: TEST }
            inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
    """)
    train = Net(spec, phase="TRAIN", path="plain")
    test = train.share(phase="TEST")
    assert test.phase == "TEST" and test.params["fc"][0] is train.params["fc"][0]
    assert set(test.params) == {"fc", "more"} and set(train.params) == {"fc"}
    train.params["fc"][0].data[...] = 1
    train.params["fc"][1].data[...] = 0
    x = np.ones((1, 2, 3, 3))
    np.testing.assert_array_equal(test.forward(data=x, outputs=["fc"])["fc"], np.full((1, 50), 18))
    assert set(np.unique(train.forward(data=x)["fc"])) == {0, 36}


def test_batch_norm_of_a_blob_of_one_axis_keeps_the_unbiased_variance() -> None:
    text = """
    layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 5 } } }
    layer { name: "bn" type: "BatchNorm" bottom: "data" top: "y" }
    """
    net = Net(parse_net(text), phase="TRAIN")
    x = np.array([1.0, 2, 3, 4, 5])
    net.forward(data=x)
    assert net.params["bn"][1].array[0] == pytest.approx(x.var(ddof=1))


@pytest.mark.parametrize("filler", ['"xavier"', '"msra"', '"gaussian" sparse: 1'])
def test_a_parameter_without_axes_takes_any_filler(filler: str) -> None:
    text = f"""
    layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ dim: 2 dim: 3 }} }} }}
    layer {{ name: "scale" type: "Scale" bottom: "data" top: "y"
            scale_param {{ axis: 0 num_axes: 0 filler {{ type: {filler} }} }} }}
    """
    net = Net(parse_net(text))
    assert net.params["scale"][0].shape == ()
    assert np.isfinite(net.forward(data=np.ones((2, 3)))["y"]).all()

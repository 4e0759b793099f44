"""The first pass, which keeps no large filters, computes what later passes do."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from fcnlite.compiler.convolution import direct, first_pass, winograd
from fcnlite.compiler.executor import FastPath
from fcnlite.description.spec import LayerSpec
from fcnlite.net import Net
from tests.compiler.path_comparison import (
    assert_same_outputs,
    conv,
    filled,
    in_place,
    layer,
    normal,
    plan_of,
    pool,
    spec_of,
)

SIZE = 20, 26


@pytest.fixture(autouse=True)
def small_is_large() -> Iterator[None]:
    """Treats the filters of small layers as if they were large."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(first_pass, "LEAST_BYTES", 1 << 10)
        patch.setattr(first_pass, "PORTION_BYTES", 1 << 10)
        patch.setattr(winograd, "LARGE_BYTES", 1 << 10)
        patch.setattr(direct, "FEW_BYTES", 1 << 10)
        patch.setattr(direct, "MANY_BYTES", 1 << 10)
        yield


def layers() -> tuple[LayerSpec, ...]:
    """Winograd's convolution of 3×3, 5×5 and 7×7 windows, and 1×1 ones, with all that may follow in one operation."""
    return (
        conv("three", "data", 100, pad=[1]),
        in_place("ReLU", "three"),
        conv("pooled", "three", 70, pad=[1]),
        in_place("ReLU", "pooled"),
        pool("pool", "pooled"),
        conv("dilated", "pool", 40, pad=[2], dilation=[2]),
        in_place("PReLU", "dilated"),
        conv("scaled", "dilated", 130, 5, pad=[2], bias_term=False),
        layer("norm", "BatchNorm", "scaled", "scaled", use_global_stats=True),
        layer("scale", "Scale", "scaled", "scaled", bias_term=True),
        conv("seven", "scaled", 200, 7),
        in_place("ReLU", "seven"),
        conv("one", "seven", 300, 1),
        in_place("ReLU", "one"),
        conv("score", "one", 5, 1),
    )


def net_of(batch: int = 1) -> Net:
    return filled(spec_of((batch, 20, *SIZE), *layers()))


def kept(net: Net) -> set[str]:
    """The first layers of the operations whose filters are kept."""
    assert isinstance(net.executor, FastPath)
    return {key[0][0] for key, each in net.executor.derived.items() if each.value is not None}


def test_the_first_pass_computes_the_same_to_the_last_bit() -> None:
    net, x = net_of(), normal(0, 1, 20, *SIZE)
    assert_same_outputs(net, {"data": x}, ["seven", "score"])
    net = net_of()
    first = net.forward(data=x, outputs=["pool", "score"])
    assert not kept(net) & {"three", "pooled", "scaled", "seven", "one"}
    second = net.forward(data=x, outputs=["pool", "score"])
    assert kept(net) >= {"three", "pooled", "scaled", "seven", "one", "score"}
    for name, array in first.items():
        np.testing.assert_array_equal(array, second[name])


def test_the_algorithms_are_those_that_have_portions() -> None:
    net = net_of()
    found = [each.describe() for each in plan_of(net, {"data": normal(0, 1, 20, *SIZE)}).graph.operations]
    for size in ("3×3", "5×5", "7×7"):
        assert any("Winograd" in each and size in each for each in found), found
    assert sum("matrix product" in each for each in found) == 2


def test_a_second_pass_of_another_size_keeps_them() -> None:
    net = net_of()
    net.forward(data=normal(0, 1, 20, *SIZE))
    assert_same_outputs(net, {"data": normal(0, 1, 20, 30, 30)})
    assert "seven" in kept(net)


def test_weights_that_change_after_the_first_pass() -> None:
    net, x = net_of(), normal(0, 1, 20, *SIZE)
    before = net.forward(data=x)["score"]
    net.params["seven"][0].data *= -1
    found = assert_same_outputs(net, {"data": x})
    assert found and not np.array_equal(net.forward(data=x)["score"], before)


def test_a_batch_and_training_keep_them_at_once() -> None:
    net = net_of(2)
    net.forward(data=normal(0, 2, 20, *SIZE))
    assert "seven" in kept(net)
    net = net_of()
    net.forward(data=normal(0, 1, 20, *SIZE), keep=True)
    assert "seven" in kept(net)


def test_nets_that_share_parameters_have_first_passes_of_their_own() -> None:
    net, x = net_of(), normal(0, 1, 20, *SIZE)
    for _ in range(2):
        expected = net.forward(data=x)["score"]
    other = net.share()
    np.testing.assert_array_equal(other.forward(data=x)["score"], expected)
    assert "seven" not in kept(other) and "seven" in kept(net)

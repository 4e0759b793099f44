"""BatchNorm, Scale and Bias are folded into a convolution; the others stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.compiler.passes.small_nets import FEEDS, check, net_of
from tests.compiler.path_comparison import (
    assert_all_near,
    assert_same_outputs,
    conv,
    does,
    in_place,
    layer,
    plan_of,
    pool,
    reference_net,
    worked,
)

NORMALISED = (
    conv("a", "data", 20),
    layer("norm", "BatchNorm", "a", "a", use_global_stats=True),
    layer("scale", "Scale", "a", "a", bias_term=True),
    layer("bias", "Bias", "a", "a"),
    in_place("ReLU", "a"),
)


def test_normalisation_folds_into_the_convolution_before_it() -> None:
    plan = check(*NORMALISED)
    assert does(plan, "a").layers == ("a", "norm", "scale", "bias", "relu_a")
    assert len(plan.notes["fold_affine"]) == 3


def test_normalisation_folds_into_a_convolution_without_bias() -> None:
    plan = check(conv("a", "data", 20, bias_term=False), *NORMALISED[1:])
    assert does(plan, "scale") is does(plan, "a")


def test_normalisation_without_a_convolution_before_it_stays() -> None:
    plan = check(in_place("ReLU", "data"), layer("b", "BatchNorm", "data"), layer("c", "Scale", "b"))
    assert worked(plan) == {"relu_data", "b", "c"}


def test_normalisation_by_batch_statistics_is_not_folded() -> None:
    layers = (*NORMALISED[:1], layer("norm", "BatchNorm", "a", "a", use_global_stats=False), *NORMALISED[2:])
    assert_same_outputs(net_of(*layers), FEEDS)
    plan = plan_of(net_of(*layers), FEEDS)
    assert does(plan, "a").layers == ("a",) and does(plan, "norm").layers == ("norm", "scale")


@pytest.mark.parametrize("options", [{"axis": 0, "num_axes": 2}, {"axis": 2}, {"num_axes": 0}, {"num_axes": 3}])
def test_scales_of_other_axes_stay(options: dict[str, Any]) -> None:
    plan = check(conv("a", "data", 20), layer("scale", "Scale", "a", **options))
    assert does(plan, "a").layers == ("a",)


def test_a_scale_by_a_blob_stays() -> None:
    layers = (
        conv("a", "data", 5),
        layer("mean", "Pooling", "a", pool="AVE", global_pooling=True),
        layer("factors", "Reshape", "mean", shape={"dim": [0, -1]}),
        layer("scale", "Scale", ("a", "factors"), axis=0),
    )
    plan = check(*layers)
    assert does(plan, "a").layers == ("a",)


@pytest.mark.parametrize("options", [{}, {"group": 4, "pad": [2]}, {"pad": [30]}])
def test_a_scale_after_a_pooling_folds_into_the_next_convolution(options: dict[str, Any]) -> None:
    """As in fcn8s-atonce, so that elide_border and elide_padding find nothing between pooling and convolution."""
    layers = (
        conv("a", "data", 20),
        pool("pooled", "a"),
        layer("scale", "Scale", "pooled"),
        conv("b", "scale", 8, **options),
        layer("shift", "Scale", "b", "b", bias_term=True),
    )
    plan = check(*layers)
    assert does(plan, "b").layers == ("b", "shift", "scale")
    net = net_of(*layers)
    first = net.forward(FEEDS)
    net.params["scale"][0].data[...] *= 2  # prepared weights must be updated
    net.changed()
    assert_all_near(net.forward(FEEDS), reference_net(net).forward(FEEDS))
    assert not np.allclose(first["b"], net.forward(FEEDS)["b"])


@pytest.mark.parametrize("between", [{"bias_term": True}, {"axis": 2}])
def test_other_scales_after_a_pooling_stay(between: dict[str, Any]) -> None:
    layers = (pool("pooled", "data"), layer("scale", "Scale", "pooled", **between), conv("b", "scale", 8, pad=[2]))
    assert does(check(*layers), "b").layers == ("b",)


def test_a_scale_that_others_read_too_stays() -> None:
    layers = (pool("pooled", "data"), layer("scale", "Scale", "pooled"), conv("b", "scale", 8), conv("c", "scale", 8))
    assert does(check(*layers), "b").layers == ("b",)


def test_a_requested_blob_before_normalisation_prevents_folding() -> None:
    layers = (
        conv("a", "data", 20),
        layer("norm", "BatchNorm", "a", use_global_stats=True),
        layer("scale", "Scale", "norm"),
    )
    for outputs, together in ((["scale"], ("a", "norm", "scale")), (["scale", "norm"], ("a", "norm"))):
        plan = assert_same_outputs(net_of(*layers), FEEDS, outputs)
        assert does(plan, "a").layers == together
    plan = assert_same_outputs(net_of(*layers), FEEDS, ["scale", "a"])
    assert does(plan, "a").layers == ("a",)


def test_nothing_folds_in_training() -> None:
    plan = plan_of(net_of(*NORMALISED), FEEDS, keep=True)
    assert "fold_affine" not in plan.notes and does(plan, "norm").layers == ("norm", "scale")


def test_statistics_without_a_count_are_zero() -> None:
    """Caffe uses 0 for the statistics of a BatchNorm that was never trained."""
    net = net_of(*NORMALISED)
    net.params["norm"][2].data = np.zeros(1)
    assert_same_outputs(net, FEEDS)

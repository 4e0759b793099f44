"""Scores of more classes, and a first layer that takes depth."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import surgery
from fcnlite.description.spec import LayerSpec
from fcnlite.errors import ShapeError, SpecError
from tests.surgery.nets import convolution, deconvolution, net_of

RNG = np.random.default_rng(0)


def score(name: str = "score", num_output: int = 5) -> LayerSpec:
    return convolution(name, num_output=num_output, kernel_size=[1])


@pytest.mark.parametrize("bias", [(2,), (1, 1, 1, 2)])
def test_expanded_scores_are_the_old_ones_then_zero(bias: tuple[int, ...]) -> None:
    net = net_of(score(), score("score2"), convolution("features", num_output=5, kernel_size=[1]))
    features = net.params["features"][0].array.copy()
    weight, values = RNG.normal(size=(2, 3, 1, 1)), RNG.normal(size=bias)
    given = {"score": [weight, values], "features": [weight, values], "other": [weight]}
    transfers = surgery.expand_score(net, given)
    assert [str(each) for each in transfers] == [
        "score[0]: expanded (found 2×3×1×1, wanted 5×3×1×1)",
        f"score[1]: expanded (found {'×'.join(map(str, bias))}, wanted 5)",
    ]
    x = RNG.normal(size=(1, 3, 8, 8))
    top = net.forward(data=x, outputs=["score"])["score"]
    old = np.einsum("oc,nchw->nohw", weight[:, :, 0, 0], x) + values.reshape(2)[:, None, None]
    np.testing.assert_allclose(top[:, :2], old, rtol=1e-5, atol=1e-6)
    assert not top[:, 2:].any()
    np.testing.assert_array_equal(net.params["features"][0].array, features)


def test_scores_of_equally_many_classes_are_taken() -> None:
    net = net_of(score())
    assert surgery.expand_score(net, {"score": [np.ones((5, 3, 1, 1))]})[0].outcome == "taken"


def test_scores_that_cannot_be_expanded_are_refused() -> None:
    net = net_of(score(), deconvolution())
    for shape in ((6, 3, 1, 1), (2, 4, 1, 1)):
        with pytest.raises(ShapeError, match=r"'score'.*cannot be expanded to 5×3×1×1"):
            surgery.expand_score(net, {"score": [np.ones(shape)]})
    with pytest.raises(SpecError, match=r"'up' is not a convolution"):
        surgery.expand_score(net, {"up": [np.ones((2, 2, 4, 4))]}, ["up"])
    with pytest.raises(SpecError, match=r"'score' is not a layer of the weights"):
        surgery.expand_score(net, {}, ["score"])


def test_depth_is_seen_as_a_gray_picture() -> None:
    """A fourth channel g adds what the picture (g, g, g) would give, divided by three."""
    weight, x, depth = RNG.normal(size=(3, 3, 1, 1)), RNG.normal(size=3), RNG.normal()
    with_depth = surgery.add_depth(weight)
    assert with_depth.shape == (3, 4, 1, 1)
    expected = weight[:, :, 0, 0] @ (x + depth / 3)
    np.testing.assert_allclose(with_depth[:, :, 0, 0] @ [*x, depth], expected, rtol=1e-12)
    with pytest.raises(ShapeError, match=r"3×4×1×1.*O×3×H×W"):
        surgery.add_depth(with_depth)

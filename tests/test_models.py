"""Nets by name: the published descriptions, any picture size, upsampling that keeps what it is given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite import models
from fcnlite.caffe import read_net
from fcnlite.errors import SpecError
from fcnlite.fillers import bilinear_kernel
from fcnlite.net import Net
from fcnlite.spec import NetSpec

FCNS = ["voc-fcn32s", "voc-fcn16s", "voc-fcn8s"]


@pytest.mark.parametrize("name", FCNS)
@pytest.mark.parametrize("file", ["train", "val"])
def test_the_fcns_are_the_published_ones(name: str, file: str, shared: Path) -> None:
    published = read_net(shared / "reference" / "zoo" / name / f"{file}.prototxt")
    assert published.layers[0].type == "Python"
    ours = [layer for layer in models.describe(name) if layer.type != "Input"]
    for mine, theirs in zip(ours, published.layers[1:], strict=True):
        assert mine == theirs


def outputs_of(spec: NetSpec) -> dict[str, int]:
    return {each.name: each.options["num_output"] for each in spec if "num_output" in each.options}


@pytest.mark.parametrize("name", FCNS)
def test_classes_change_the_scores_alone(name: str) -> None:
    before, after = outputs_of(models.describe(name)), outputs_of(models.describe(name, classes=5))
    for layer, count in before.items():
        assert after[layer] == (5 if "score" in layer else count)
    assert {count for layer, count in before.items() if "score" in layer} == {21}


@pytest.mark.parametrize("name", models.names())
def test_width_changes_all_but_the_scores(name: str) -> None:
    whole, half = outputs_of(models.describe(name)), outputs_of(models.describe(name, width=0.5))
    for layer, count in whole.items():
        assert half[layer] == (count if "score" in layer or layer == "fc8" else count // 2)
    tiny = outputs_of(models.describe(name, width=0.0001))
    assert min(tiny.values()) == 1


@pytest.mark.parametrize("name", [*FCNS, "lite-fcn8s"])
def test_normalization_is_that_of_the_loss(name: str) -> None:
    default = models.describe(name).layer("loss").options
    assert models.describe(name, normalization="VALID").layer("loss").options == {
        "ignore_label": 255,
        "normalization": "VALID",
    }
    assert default["ignore_label"] == 255
    if name in FCNS:
        assert default["normalize"] is False


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"name": "voc-fcn4s"}, "'voc-fcn4s'.*voc-fcn"),
        ({"name": "voc-fcn8s", "classes": 0}, "classes"),
        ({"name": "voc-fcn8s", "classes": -3}, "classes"),
        ({"name": "voc-fcn8s", "width": 0}, "width"),
        ({"name": "voc-fcn8s", "width": float("nan")}, "width"),
        ({"name": "voc-fcn8s", "normalization": "MEAN"}, "MEAN"),
    ],
)
def test_wrong_choices_are_named(how: dict[str, object], words: str) -> None:
    with pytest.raises(SpecError, match=words):
        models.build(**how)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def small_nets() -> dict[str, Net]:
    return {name: models.build(name, classes=2, width=1 / 64) for name in (*FCNS, "lite-fcn8s")}


@pytest.mark.parametrize("name", [*FCNS, "lite-fcn8s"])
@settings(max_examples=6)
@given(height=st.integers(1, 90), width=st.integers(1, 90))
def test_scores_have_the_size_of_the_picture(name: str, height: int, width: int, small_nets: dict[str, Net]) -> None:
    for size in ((1, 1), (height, width)):
        x = np.random.default_rng(height).normal(size=(1, 3, *size))
        score = small_nets[name].forward(data=x)["score"]
        assert score.shape == (1, 2, *size) and np.isfinite(score).all()


def test_vgg16_gives_probabilities() -> None:
    net = models.build("vgg16", classes=4, width=1 / 64)
    prob = net.forward(data=np.random.default_rng(0).normal(size=(2, 3, 224, 224)))["prob"]
    assert prob.shape == (2, 4)
    np.testing.assert_allclose(prob.sum(1), 1, rtol=1e-5)


@pytest.mark.parametrize("name", [*FCNS, "lite-fcn8s"])
def test_built_nets_start_as_they_say(name: str) -> None:
    """Features by the msra filler, scores at zero, upsampling bilinear for each class by itself."""
    net = models.build(name, classes=3, width=1 / 8)
    for layer in net.layers:
        if layer.type == "Deconvolution":
            weight = net.params[layer.spec.name][0].array
            kernel = bilinear_kernel(weight.shape[2])
            for i in range(3):
                for j in range(weight.shape[1]):
                    expected = kernel if weight.shape[1] == 1 or i == j else 0 * kernel
                    np.testing.assert_allclose(weight[i, j], expected, rtol=1e-6)
        elif layer.type == "Convolution":
            weight, *bias = (each.array for each in net.params[layer.spec.name])
            assert not any(each.any() for each in bias)
            if "score" in layer.spec.name:
                assert not weight.any()
            elif weight.size > 2000:
                assert weight.std() == pytest.approx(np.sqrt(2 / weight[0].size), rel=0.1)


@pytest.mark.parametrize("name", [*FCNS, "lite-fcn8s"])
def test_a_constant_score_map_stays_constant(name: str, small_nets: dict[str, Net]) -> None:
    """With zero features, the coarse scores are their biases; all upsampling keeps them inside the picture."""
    net = models.build(name, classes=2, width=1 / 64)
    for layer, parameters in net.params.items():
        for parameter in parameters:
            if "upscore" not in layer:
                parameter.data[...] = 0
    for layer in net.params:
        if "score" in layer and "upscore" not in layer:
            net.params[layer][1].data[...] = (1, -3)
    skips = sum("score" in layer and "upscore" not in layer for layer in net.params)
    score = net.forward(data=np.random.default_rng(0).normal(size=(1, 3, 160, 130)))["score"]
    inside = score[0, :, 48:-48, 48:-48]
    expected = np.broadcast_to(np.array([1, -3]).reshape(2, 1, 1) * skips, inside.shape)
    np.testing.assert_allclose(inside, expected, rtol=1e-5)


def test_nets_of_one_seed_are_equal() -> None:
    one, same, other = (models.build("lite-fcn8s", width=1 / 64, seed=seed) for seed in (1, 1, 2))
    for name, parameters in one.params.items():
        for a, b in zip(parameters, same.params[name], strict=True):
            np.testing.assert_array_equal(a.array, b.array)
    assert (one.params["conv1_1"][0].array != other.params["conv1_1"][0].array).any()

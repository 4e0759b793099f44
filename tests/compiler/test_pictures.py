"""Nets on real pictures: both paths label the same pixels alike. The weights of FCN-8s are random, none being at hand;
those of the smaller net are trained.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fcnlite
from fcnlite import models
from fcnlite.arrays import Array
from fcnlite.data.transforms import to_blob
from fcnlite.net import Net
from tests.compiler.path_comparison import assert_near, reference_net

SHARE = 0.9999
"""The share of pixels that must get the same label."""
WEIGHTS = Path(__file__).parents[2] / "weights" / "camvid-fcn8s.h5"
QUICK = ["2007_000063", "2007_000129", "2007_004189"]


@pytest.fixture(scope="module")
def narrow() -> Net:
    return random_fcn8s(0.25)


def random_fcn8s(width: float) -> Net:
    """Scores of one size from each of the three depths, so that classes vary over a picture."""
    net = models.build("voc-fcn8s", width=width)
    rng = np.random.default_rng(0)
    for name, (weight, *biases) in net.params.items():
        if name.startswith("upscore"):
            continue
        weight.data = rng.normal(0, np.sqrt(2 / np.prod(weight.shape[1:])), weight.shape)
        for bias in biases:
            bias.data = rng.normal(0, 1, bias.shape)
    for name, below in (("score_pool3", 1.0), ("score_pool4", 2.0), ("score_fr", 4.0)):
        net.params[name][0].data[...] *= below
    return net


def assert_same_labels(net: Net, path: Path) -> None:
    picture = np.asarray(Image.open(path).convert("RGB"))
    x: Array = to_blob(picture, net.info.preprocessing)[None]
    found, expected = net.forward(data=x)["score"], reference_net(net).forward(data=x)["score"]
    assert_near(found, expected)
    means = expected[0].mean(axis=(1, 2), keepdims=True)  # what biases of the scores would take off
    labels = (expected[0] - means).argmax(0)
    counts = np.bincount(labels.ravel(), minlength=21)
    assert (counts > 0.001 * labels.size).sum() >= 10 and counts.max() < 0.5 * labels.size, "the labels say nothing"
    assert ((found[0] - means).argmax(0) == labels).mean() >= SHARE


@pytest.mark.parametrize("name", QUICK)
def test_labels_of_pictures_of_voc(narrow: Net, shared: Path, name: str) -> None:
    assert_same_labels(narrow, shared / "data/voc2012_subset/JPEGImages" / f"{name}.jpg")


def test_labels_of_the_papers_picture(narrow: Net, shared: Path) -> None:
    assert_same_labels(narrow, shared / "real/voc_2007_000129/image.jpg")


def test_labels_by_trained_weights(shared: Path) -> None:
    net = fcnlite.load(WEIGHTS)
    paths = sorted((shared / "data/voc2012_subset/JPEGImages").glob("*.jpg"))[:6]
    assert len(paths) == 6
    for path in paths:
        x: Array = to_blob(np.asarray(Image.open(path).convert("RGB")), net.info.preprocessing)[None]
        found, expected = net.forward(data=x)["score"], reference_net(net).forward(data=x)["score"]
        assert len(np.unique(expected.argmax(1))) > 3
        assert (found.argmax(1) == expected.argmax(1)).mean() >= SHARE


@pytest.mark.slow
def test_labels_of_all_pictures(narrow: Net, shared: Path) -> None:
    paths = sorted((shared / "data/voc2012_subset/JPEGImages").glob("*.jpg"))
    assert len(paths) >= 15
    for path in paths:
        assert_same_labels(narrow, path)


@pytest.mark.slow
def test_labels_by_the_net_of_full_width(shared: Path) -> None:
    net = random_fcn8s(1.0)
    for name in QUICK[:2]:
        assert_same_labels(net, shared / "data/voc2012_subset/JPEGImages" / f"{name}.jpg")

"""Near matches of names."""

from __future__ import annotations

import pytest

from fcnlite import data, layers, models, solver
from fcnlite.errors import near, nearest
from fcnlite.train.recipes import RECIPES

SPLITS = ("train", "val", "test")
OPTIONS = ("base-lr", "lr-policy", "batch-size", "iter-size", "iterations", "resume", "weight-decay", "out", "root")


@pytest.mark.parametrize(
    ("name", "known", "first"),
    [
        ("FCN-8s", models.names(), "voc-fcn8s"),
        ("fcn8", models.names(), "voc-fcn8s"),
        ("voc_fcn8s", models.names(), "voc-fcn8s"),
        ("FCN32", models.names(), "voc-fcn32s"),
        ("VGG16", models.names(), "vgg16"),
        ("vgg-16", models.names(), "vgg16"),
        ("VGG_ILSVRC_16_layers", models.names(), "vgg16"),
        ("AlexNet", models.names(), "alexnet"),
        ("google", models.names(), "googlenet"),
        ("lite-fcn8", models.names(), "lite-fcn8s"),
        ("pascal_voc", data.names(), "voc"),
        ("VOC2012", data.names(), "voc"),
        ("PascalContext", data.names(), "pascal-context"),
        ("cam-vid", data.names(), "camvid"),
        ("NYUv2", data.names(), "nyud"),
        ("adam", solver.TYPES, "Adam"),
        ("rms", solver.TYPES, "RMSProp"),
        ("Conv", layers.registered(), "Convolution"),
        ("Conv2d", layers.registered(), "Convolution"),
        ("MaxPool", layers.registered(), "Pooling"),
        ("BatchNormalization", layers.registered(), "BatchNorm"),
        ("softmax_loss", layers.registered(), "Softmax"),
        ("LeakyReLU", layers.registered(), "ReLU"),
        ("voc-fcn8", RECIPES, "voc-fcn8s"),
        ("camvit", RECIPES, "camvid"),
        ("validation", SPLITS, "val"),
        ("training", SPLITS, "train"),
        ("lr", OPTIONS, "base-lr"),
        ("batch", OPTIONS, "batch-size"),
    ],
)
def test_near_names_are_near(name: str, known: list[str], first: str) -> None:
    assert near(name, known)[0] == first


def test_a_name_that_differs_only_in_case_and_punctuation_is_the_only_suggestion() -> None:
    assert near("adam", solver.TYPES) == ["Adam"]
    assert near("SBD", data.names()) == ["sbd"]


def test_an_abbreviation_names_all_that_it_may_mean() -> None:
    assert near("lr", OPTIONS) == ["base-lr", "lr-policy"]
    assert near("iter", OPTIONS) == ["iter-size", "iterations"]


def test_without_similar_names_all_are_listed() -> None:
    assert near("kitti", data.names()) == []
    assert nearest("hha", ["color", "depth"]) == "known: color, depth."
    assert nearest("hha", ["color", "depth"], shown=0) == ""
    assert nearest("hha", []) == "there are none."
    assert nearest("", ["color"]) == "known: color."

"""From classifier to FCN: the labels of whole pictures, the step to convolutions, and the trunk that it leaves."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import fcnlite
from fcnlite import data
from fcnlite.analysis.paper.classifier import accuracy, classify, shape_class, single_shapes, train_classifier
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.pre_training import coarse_map, convolutional
from fcnlite.analysis.paper.table import named
from fcnlite.analysis.paper.training import CLASSIFIER, begin, shipped_trunk, small_net
from fcnlite.data.dataset import read_sample
from fcnlite.data.loader import blobs


def test_the_class_of_a_picture_is_that_of_its_shape() -> None:
    labels = np.zeros((2, 1, 3, 3), np.uint8)
    labels[0, 0, 1] = (255, 3, 255)
    labels[1, 0, 0, 0] = 1
    assert shape_class(labels).tolist() == [2, 0]
    single = data.open("shapes", size=48, count=8, single=True)
    assert all(len(np.unique(sample.label)) == 3 for sample in single), "background, one shape and void"


def test_a_training_gives_a_classifier_of_the_five_shapes() -> None:
    pictures = single_shapes("train", 16)
    net, losses = train_classifier(pictures, 2)
    assert net.info.classes == ("disc", "square", "triangle", "star", "cross")
    assert losses[0] == pytest.approx(np.log(5), rel=0.5)
    assert 0 <= accuracy(net, pictures, batch_size=6) <= 1


def test_the_shipped_classifier_knows_shapes_and_slides_over_a_scene() -> None:
    net = fcnlite.load(CLASSIFIER)
    pictures = single_shapes("test", 20)
    found, true = classify(net, pictures, range(20))
    assert np.mean(found == true) >= 0.9
    picture = blobs(read_sample(pictures, 0), net.info.preprocessing)["data"]
    sliding = convolutional(net)
    own = coarse_map(sliding, picture)
    assert own.shape == (5, 1, 1)
    np.testing.assert_allclose(own[:, 0, 0], net.forward(data=picture[None], outputs=["prob"])["prob"][0], atol=1e-5)
    assert coarse_map(sliding, np.tile(picture, (1, 1, 2))).shape == (5, 1, 6)


def test_the_trunk_fills_every_feature_of_a_small_net() -> None:
    dataset = data.open("shapes", size=64, count=1)
    trunk = shipped_trunk()
    net = begin(small_net(6, 8), dataset, trunk)
    learned = {name for name, parameters in net.params.items() if "score" not in name and parameters}
    assert learned == trunk.keys()
    for name in learned:
        for parameter, array in zip(net.params[name], trunk[name], strict=True):
            np.testing.assert_array_equal(parameter.array, array)
    assert not np.any(net.params["score_fr"][0].array)


@pytest.mark.slow
def test_the_page_has_the_accuracy_and_leaves_the_classifier(tmp_path: Path) -> None:
    page = named("pre-training").run(Settings(iterations=20))
    assert len(page.comparisons) == 2
    page.write(tmp_path)
    assert fcnlite.load(tmp_path / "shapes-classifier.h5").info.classes[0] == "disc"
    assert (tmp_path / "scenes.png").is_file()

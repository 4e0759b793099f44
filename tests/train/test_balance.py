"""Class balancing: shares, weights, and the loss that they weigh."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import data, models
from fcnlite.data import voc_colors
from fcnlite.description.model_info import Labels
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import TrainingError
from fcnlite.net import Net
from fcnlite.train.balance import balanced, class_shares, class_weights, weighted


def test_shares_are_those_of_the_labelled_pixels() -> None:
    dataset = data.open("shapes", None, "train", size=32, count=5)
    labels = np.concatenate([dataset[i].label.ravel() for i in range(5)])
    counts = np.array([(labels == label).sum() for label in range(6)])
    np.testing.assert_allclose(class_shares(dataset)["label"], counts / counts.sum())


def test_rare_classes_weigh_more_and_the_mean_weight_of_a_pixel_is_one() -> None:
    shares = np.array([0.9, 0.09, 0.01, 0.0])
    weights = np.array(class_weights(shares, 1.1))
    assert (np.diff(weights) > 0).all()
    assert weights @ shares == pytest.approx(1)
    np.testing.assert_allclose(weights[0] / weights[2], np.log(1.11) / np.log(2.0))


def test_a_weighted_loss_is_the_weighted_mean_over_the_pixels() -> None:
    spec = models.describe("lite-fcn4s", classes=3, width=1 / 64)
    unweighted = models.build("lite-fcn4s", classes=3, width=1 / 64, phase="TRAIN")
    weights = [0.5, 1.0, 4.0]
    net = Net(weighted(spec, {"label": weights}), phase="TRAIN", shared=unweighted.params)
    rng = np.random.default_rng(0)
    unweighted.params["score_fr"][0].data = rng.normal(size=unweighted.params["score_fr"][0].shape)
    x, label = rng.normal(size=(2, 3, 24, 16)), rng.integers(0, 3, (2, 1, 24, 16))
    label[0, 0, :5] = 255
    scores = unweighted.forward(data=x, outputs=["score"])["score"]
    log_p = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
    counted = label[:, 0] != 255
    of_label = np.take_along_axis(log_p, np.where(counted, label[:, 0], 0)[:, None], axis=1)[:, 0]
    expected = -(np.array(weights)[np.where(counted, label[:, 0], 0)] * of_label)[counted].mean()
    assert float(net.forward(data=x, label=label)["loss"]) == pytest.approx(expected, rel=1e-5)


class TwoMaps(data.Dataset):
    """One scene with two label maps, of three classes and of two."""

    def __init__(self, sem: np.ndarray, geo: np.ndarray) -> None:
        labels = {name: Labels(("a", "b", "c")[:count], voc_colors(count)) for name, count in (("sem", 3), ("geo", 2))}
        super().__init__("maps", "train", labels)
        self.sample = data.Sample({"data": np.zeros((*sem.shape, 3), np.uint8)}, {"sem": sem, "geo": geo}, "scene")

    def __len__(self) -> int:
        return 1

    def __getitem__(self, index: int) -> data.Sample:
        return self.sample


def test_every_label_map_of_a_net_has_weights_of_its_own() -> None:
    sem, geo = np.array([[0, 0, 0, 2]], np.uint8), np.array([[1, 1, 0, 255]], np.uint8)
    spec = models.describe("siftflow-fcn8s", classes=[3, 2], width=1 / 64)
    found = balanced(spec, TwoMaps(sem, geo), 1.1)
    matrices = {layer.bottom[1]: np.reshape(layer.options["matrix"], (-1, count)) for layer, count in losses(found)}
    np.testing.assert_allclose(matrices["sem"], np.diag(class_weights(np.array([3, 0, 1]) / 4, 1.1)))
    np.testing.assert_allclose(matrices["geo"], np.diag(class_weights(np.array([1, 2]) / 3, 1.1)))
    assert [each for each in found if each.type != "InfogainLoss"] == [
        each for each in spec if each.type != "SoftmaxWithLoss"
    ]


def losses(spec: NetSpec) -> list[tuple[LayerSpec, int]]:
    """The balanced losses, each with its classes."""
    return [
        (each, {"sem": 3, "geo": 2}[each.bottom[1]]) for each in spec.for_phase("TRAIN") if each.type == "InfogainLoss"
    ]


def test_a_net_without_a_loss_on_a_label_is_refused() -> None:
    with pytest.raises(TrainingError, match=r"--class-balance.*'siftflow-fcn8s' has none on the label 'label'"):
        weighted(models.describe("siftflow-fcn8s", width=1 / 64), {"label": [1.0] * 33})


def test_labels_that_are_all_void_are_refused() -> None:
    void = np.full((2, 2), 255, np.uint8)
    with pytest.raises(TrainingError, match="no pixel of 'geo' has a class"):
        class_shares(TwoMaps(np.zeros((2, 2), np.uint8), void))

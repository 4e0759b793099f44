"""Mirrored and resized views of a picture, against plain loops, and the resizing itself."""

from __future__ import annotations

import math
import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import fcnlite
from fcnlite import models
from fcnlite.data.transforms import to_blob
from fcnlite.description.model_info import Labels, ModelInfo, Preprocessing
from fcnlite.description.spec import LayerSpec
from fcnlite.errors import DataError
from fcnlite.net import Net
from fcnlite.segmentation import resizing
from fcnlite.segmentation.segmenter import Segmenter
from fcnlite.segmentation.views import Views
from tests.color_net import color_net

PICTURE = np.random.default_rng(0).integers(0, 256, (19, 26, 3), np.uint8)


@pytest.fixture(scope="module")
def net() -> Net:
    """A net whose scores depend on the surroundings of a pixel."""
    made = models.build("lite-fcn8s", classes=5, width=0.05, seed=4)
    rng = np.random.default_rng(1)
    for name, (first, *rest) in made.params.items():
        if name.startswith("bn"):
            first.data[...] = 0
            for each in rest:
                each.data[...] = 1
        elif name.startswith("score"):
            first.data[...] = rng.normal(0, 0.02, first.shape)
    return made


def plain_resized(planes: np.ndarray, height: int, width: int, smooth: bool) -> np.ndarray:
    """One pixel after the other, along rows, then along columns."""
    for axis, target in ((1, height), (2, width)):
        source = planes.shape[axis]
        reach = max(1.0, source / target) if smooth else 1.0
        lines = []
        for i in range(target):
            centre = (i + 0.5) * source / target - 0.5
            weights = [max(0.0, 1 - abs(j - centre) / reach) for j in range(source)]
            lines.append(np.tensordot(np.array(weights) / sum(weights), planes, (0, axis)))
        planes = np.stack(lines, axis)
    return planes


def plain_average(net: Net, picture: np.ndarray, flip: bool, scales: tuple[float, ...]) -> np.ndarray:
    """The mean of the probabilities of all views, in float64."""
    blob = to_blob(picture, net.info.preprocessing).astype(np.float64)
    _, height, width = blob.shape
    found = []
    for scale in scales:
        view = plain_resized(blob, math.floor(height * scale + 0.5), math.floor(width * scale + 0.5), smooth=True)
        for mirrored in [False, True][: 1 + flip]:
            given = view[:, :, ::-1] if mirrored else view
            scores = net.forward(data=given[None])["score"][0].astype(np.float64)
            probabilities = np.exp(scores) / np.exp(scores).sum(axis=0)
            if mirrored:
                probabilities = probabilities[:, :, ::-1]
            found.append(plain_resized(probabilities, height, width, smooth=False))
    return np.mean(found, axis=0)


@pytest.mark.parametrize(
    ("flip", "scales"), [(True, (1.0,)), (False, (0.75, 1, 1.25)), (True, (0.5, 1, 2)), (False, (1.5,))]
)
def test_probabilities_are_the_mean_over_all_views(net: Net, flip: bool, scales: tuple[float, ...]) -> None:
    segmenter = Segmenter(net, flip=flip, scales=scales)
    expected = plain_average(net, PICTURE, flip, scales)
    found = segmenter.probabilities(PICTURE)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-5)
    assert abs(found - Segmenter(net).probabilities(PICTURE)).max() > 1e-3
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)
    labels = segmenter(PICTURE)
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, found.argmax(axis=0))
    np.testing.assert_array_equal(labels, segmenter.label_maps(PICTURE)["label"])
    np.testing.assert_array_equal(labels, segmenter([PICTURE])[0])
    np.testing.assert_allclose(np.exp(segmenter.scores(PICTURE)), found, rtol=1e-4)


def test_one_view_is_the_picture_as_it_is(net: Net) -> None:
    segmenter = fcnlite.Segmenter(net, scales=[1])
    assert segmenter.views.single
    scores = net.forward(data=to_blob(PICTURE, net.info.preprocessing)[None])["score"][0]
    np.testing.assert_array_equal(segmenter.scores(PICTURE), scores)


def test_a_class_without_probability_has_a_finite_score() -> None:
    net = color_net()
    net.params["classify"][0].data *= 100
    scores = Segmenter(net, flip=True).scores(PICTURE)
    assert np.isfinite(scores).all() and scores.min() < -80


def test_probabilities_of_the_net_are_averaged_as_they_are() -> None:
    spec = color_net().spec
    soft = LayerSpec("soft", "Softmax", ("classify",), ("score",))
    layers = (
        *(replace(each, top=("classify",)) if each.name == "classify" else each for each in spec.layers[:3]),
        soft,
    )
    net = Net(replace(spec, layers=layers), info=color_net().info)
    net.params["classify"][0].data = color_net().params["classify"][0].array / 100
    plain = color_net()
    plain.params["classify"][0].data /= 100
    expected = Segmenter(plain, flip=True, scales=(1, 1.5)).probabilities(PICTURE)
    np.testing.assert_allclose(Segmenter(net, flip=True, scales=(1, 1.5)).probabilities(PICTURE), expected, atol=1e-6)


def test_all_label_maps_are_averaged(net: Net) -> None:
    both = models.build("siftflow-fcn32s", width=0.02, seed=2)
    for name in ("score_fr_sem", "score_fr_geo"):
        weight = both.params[name][0]
        weight.data = np.random.default_rng(3).normal(0, 0.001, weight.shape)
    image = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    segmenter = Segmenter(both, flip=True)
    maps = segmenter.label_maps(image)
    assert list(maps) == ["sem", "geo"]
    blob = to_blob(image, both.info.preprocessing)
    for label, head in segmenter.heads.items():
        sides = []
        for step in (1, -1):
            scores = both.forward({"data": blob[None, :, :, ::step]}, outputs=[head.blob])[head.blob][0, :, :, ::step]
            sides.append(np.exp(scores) / np.exp(scores).sum(axis=0))
        np.testing.assert_array_equal(maps[label], (sides[0] + sides[1]).argmax(axis=0))


def test_distances_are_not_interpolated() -> None:
    layers = color_net().spec.layers
    layers = (replace(layers[0], options={"shape": [{"dim": [1, 1, 8, 8]}]}), *layers[1:])
    info = ModelInfo(Preprocessing(color="DEPTH", mean=(2.0,), bits=16), Labels(("a", "b", "c"), ()).classes)
    segmenter = Segmenter(Net(replace(color_net().spec, layers=layers), info=info), scales=(1.5,))
    blob = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
    (scaled,) = segmenter._scaled({"data": blob}, 5, 6).values()
    assert scaled[0].tolist() == [[4 * i + j for j in (0, 1, 1, 2, 3, 3)] for i in (0, 0, 1, 2, 2)]


@pytest.mark.parametrize(
    ("scales", "words"),
    [
        ((), "scales is empty"),
        ((0,), "scales has 0; expected factors above 0"),
        ((1, -0.5), "scales has -0.5"),
        ((float("nan"),), "scales has nan"),
        ((float("inf"),), "scales has inf"),
        (("1",), "scales has '1'"),
        ((1, 0.75, 1), "scales has 1 twice"),
    ],
)
def test_scales_that_mean_nothing_are_refused(scales: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        Segmenter(color_net(), scales=scales)


def test_a_scale_that_leaves_no_pixel_is_named() -> None:
    with pytest.raises(DataError, match=r"of 19 rows and 26 columns has 0 rows and 1 columns at scale 0\.02; leave"):
        Segmenter(color_net(), scales=(1, 0.02))(PICTURE)
    assert Segmenter(color_net(), scales=(1, 0.03))(PICTURE).shape == (19, 26)


def test_views_in_words() -> None:
    assert str(Views(True, (0.75, 1, 1.25))) == "scales 0.75, 1, 1.25, each also mirrored"
    assert str(Views(True)) == "scale 1, also mirrored"
    assert str(Views(False, (2,))) == "scale 2"
    assert "\n  views: scale 1, also mirrored\n" in repr(Segmenter(color_net(), flip=True))
    assert "views" not in repr(Segmenter(color_net()))


def test_memory_does_not_grow_with_the_number_of_views() -> None:
    image = np.zeros((300, 400, 3), np.uint8)

    def peak(scales: tuple[float, ...]) -> int:
        segmenter = Segmenter(color_net(), flip=True, scales=scales)
        segmenter(image[:8, :8])
        tracemalloc.start()
        segmenter(image)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    one_map = 3 * 300 * 400 * 4
    assert peak((0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1)) < peak((0.95, 1)) + one_map


# Resizing


def test_bilinear_by_hand() -> None:
    line = np.array([[[0, 8]]], np.float32)
    assert resizing.bilinear(line, 1, 4).tolist() == [[[0, 2, 6, 8]]]
    assert resizing.bilinear(line, 2, 1).tolist() == [[[4], [4]]]
    four = np.array([[[0, 8, 16, 80]]], np.float32)
    assert resizing.bilinear(four, 1, 2).tolist() == [[[4, 48]]]
    # Reach 2: weights 1/4, 3/4, 3/4, 1/4 of the pixels around each centre, without those outside.
    smooth = resizing.bilinear(four, 1, 2, smooth=True)
    np.testing.assert_allclose(smooth, [[[(0.75 * 8 + 0.25 * 16) / 1.75, (2 + 12 + 60) / 1.75]]], rtol=1e-6)
    np.testing.assert_array_equal(resizing.bilinear(PICTURE.astype(np.float32), 26, 3), PICTURE)


@pytest.mark.parametrize("size", [(19, 26), (1, 1), (7, 40), (38, 52), (20, 3)])
def test_bilinear_is_the_plain_loop_and_pillows(size: tuple[int, int]) -> None:
    planes = PICTURE.transpose(2, 0, 1).astype(np.float32)
    for smooth in (False, True):
        found = resizing.bilinear(planes, *size, smooth=smooth)
        np.testing.assert_allclose(found, plain_resized(planes, *size, smooth), rtol=1e-5, atol=1e-3)
    for plane, resized in zip(planes, found, strict=True):
        pillows = Image.fromarray(plane).resize(size[::-1], Image.Resampling.BILINEAR)
        np.testing.assert_allclose(resized, np.asarray(pillows), rtol=1e-5, atol=1e-3)

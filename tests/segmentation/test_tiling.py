"""Tiles: the scores of the whole picture, for every net that has a receptive field."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fcnlite import models
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import SpecError
from fcnlite.net import Net
from fcnlite.segmentation.segmenter import Segmenter
from fcnlite.segmentation.tiling import Axis
from tests.color_net import INFO, color_net

SHIPPED = Path(__file__).parents[2] / "weights" / "camvid-fcn8s.h5"


def largest_difference(segmenter: Segmenter, tiled: Segmenter, height: int, width: int) -> float:
    """Between the scores of a random picture in tiles and as a whole, relative to the largest score."""
    picture = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    whole, parts = segmenter.scores(picture), tiled.scores(picture)
    np.testing.assert_array_equal(tiled(picture), parts.argmax(axis=0))
    return float(abs(whole - parts).max() / abs(whole).max())


@pytest.mark.parametrize("name", ["voc-fcn8s", "voc-fcn-alexnet"])
@pytest.mark.parametrize("extra", [pytest.param((0, 0), marks=pytest.mark.slow), (37, 90)])
def test_scores_are_those_of_the_whole_picture(name: str, extra: tuple[int, int]) -> None:
    net = models.build(name, classes=3, width=0.03)
    rng = np.random.default_rng(1)
    for group in net.params.values():  # scores and upsampling begin at zero
        for each in group:
            each.data = each.array + rng.normal(0, 0.02, each.array.shape).astype(np.float32)
    segmenter = Segmenter(net)
    with pytest.raises(SpecError, match=r"tiles must have at least \d+ pixels") as error:
        Segmenter(net, tile=32)
    side = int(str(error.value).partition("at least ")[2].split()[0]) + 40
    tiled = Segmenter(net, tile=side)
    assert largest_difference(segmenter, tiled, side + 130 + extra[0], side + 61 + extra[1]) < 1e-5


@pytest.mark.parametrize("file", ["camvid-fcn8s.h5", "shapes-fcn8s.h5"])
def test_the_shipped_nets_with_their_weights(file: str) -> None:
    segmenter = Segmenter(SHIPPED.with_name(file))
    with pytest.raises(SpecError, match="at least") as error:
        Segmenter(segmenter.net, tile=32)
    side = int(str(error.value).partition("at least ")[2].split()[0])
    assert largest_difference(segmenter, Segmenter(segmenter.net, tile=side), side + 50, side + 75) < 1e-5


def test_a_smaller_margin_would_change_the_scores() -> None:
    """The margins are not so wide that any others would do."""
    segmenter = Segmenter(SHIPPED)
    tiled = Segmenter(segmenter.net, tile=900)
    assert tiled._tiling is not None
    rows = tiled._tiling.rows
    narrow = Axis(rows.stride, rows.before // 8, rows.after // 8)
    object.__setattr__(tiled._tiling, "rows", narrow)
    object.__setattr__(tiled._tiling, "side", 200)
    assert largest_difference(segmenter, tiled, 500, 150) > 1e-5


def test_spans_cover_every_pixel_once() -> None:
    for size in range(1, 200):
        spans = [*Axis(4, 9, 7).spans(size, 30)]
        assert [span.start for span in spans] == [0, *(span.end for span in spans[:-1])]
        assert spans[-1].end == size
        for span in spans:
            assert span.first % 4 == 0 and span.last - span.first <= 30 and span.last <= size
            assert span.first <= max(0, span.start - 9) and span.last >= min(size, span.end + 7)


@pytest.mark.parametrize(
    "layer",
    [
        LayerSpec("mvn", "MVN", ("a",), ("b",)),
        LayerSpec("norm", "LRN", ("a",), ("b",), {"norm_region": "WITHIN_CHANNEL"}),
        LayerSpec("norm", "BatchNorm", ("a",), ("b",), {"use_global_stats": False}),
    ],
)
def test_layers_that_read_the_whole_picture_are_refused(layer: LayerSpec) -> None:
    one = {"num_output": 3, "kernel_size": [1]}
    layers = (
        LayerSpec("data", "Input", (), ("data",), {"shape": [{"dim": [1, 3, 8, 8]}]}),
        LayerSpec("first", "Convolution", ("data",), ("a",), one),
        layer,
        LayerSpec("score", "Convolution", ("b",), ("score",), one),
    )
    net = Net(NetSpec("whole", layers), info=INFO)
    Segmenter(net)
    with pytest.raises(SpecError, match=rf"layer '{layer.name}' \({layer.type}\) may depend on the whole picture"):
        Segmenter(net, tile=500)


def test_views_are_refused_and_small_pictures_are_computed_as_a_whole() -> None:
    with pytest.raises(SpecError, match="--tile goes with one view"):
        Segmenter(color_net(), tile=64, flip=True)
    picture = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    for tile in (4, 64):
        np.testing.assert_array_equal(Segmenter(color_net(), tile=tile)(picture), Segmenter(color_net())(picture))

"""Blended tiles: weights whose sum is 1, scores near the whole picture's, and the difference that is reported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fcnlite.errors import SpecError
from fcnlite.segmentation.blending import Blending
from fcnlite.segmentation.segmenter import Segmenter
from fcnlite.segmentation.tiling import Axis, Part

SHIPPED = Path(__file__).parents[2] / "weights" / "shapes-fcn8s.h5"
AXIS = Axis(4, 40, 40)


@pytest.mark.parametrize(("side", "overlap"), [(30, 0), (30, 5), (24, 10), (64, 20)])
def test_blended_constants_stay_and_every_tile_fits(side: int, overlap: int) -> None:
    blending = Blending(side, overlap, AXIS, AXIS)
    for height in range(1, 150, 7):
        fed: list[tuple[slice, slice]] = []

        def scores(rows: slice, columns: slice, fed: list[tuple[slice, slice]] = fed) -> list[np.ndarray]:
            fed.append((rows, columns))
            place = np.arange(rows.start, rows.stop)[:, None] + 1000 * np.arange(columns.start, columns.stop)
            return [np.stack([np.ones(place.shape), place]).astype(np.float32)]

        parts: list[Part] = [*blending.parts(height, 90, scores)]
        assert [part.rows.start for part in parts] == [0, *(part.rows.stop for part in parts[:-1])]
        whole = np.concatenate([part.scores[0] for part in parts], axis=1)
        assert whole.shape == (2, height, 90)
        np.testing.assert_allclose(whole[0], 1, rtol=1e-6)
        np.testing.assert_allclose(whole[1], np.arange(height)[:, None] + 1000 * np.arange(90), rtol=1e-6)
        for rows, columns in fed:
            assert rows.start % 4 == columns.start % 4 == 0
            assert rows.stop - rows.start <= side and columns.stop - columns.start <= side


def test_the_reported_difference_is_that_of_the_square() -> None:
    segmenter = Segmenter(SHIPPED)
    blended = Segmenter(segmenter.net, tile=160, overlap=32)
    picture = np.random.default_rng(3).integers(0, 256, (290, 330, 3), dtype=np.uint8)
    found = blended.segmented(picture, probabilities=False)["label"]
    assert found.difference is not None
    rows, columns = found.difference.rows, found.difference.columns
    assert (rows.stop - rows.start, columns.stop - columns.start) == (128, 128)
    ours, truth = blended.scores(picture), segmenter.scores(picture)
    np.testing.assert_array_equal(found.labels, ours.argmax(axis=0))
    np.testing.assert_array_equal(found.labels, blended(picture))
    ours, truth = ours[:, rows, columns], truth[:, rows, columns]
    assert found.difference.scores == pytest.approx(abs(ours - truth).max() / abs(truth).max(), rel=1e-3)
    assert found.difference.scores > 1e-4
    assert found.difference.pixels == pytest.approx(np.mean(ours.argmax(axis=0) != truth.argmax(axis=0)), abs=1e-3)


def test_a_larger_overlap_is_nearer_to_the_whole_picture() -> None:
    segmenter = Segmenter(SHIPPED)
    picture = np.random.default_rng(4).integers(0, 256, (200, 260, 3), dtype=np.uint8)
    whole = segmenter.scores(picture)
    off = [
        float(abs(Segmenter(segmenter.net, tile=160, overlap=overlap).scores(picture) - whole).mean())
        for overlap in (0, 64)
    ]
    assert off[1] < off[0] / 2, off


def test_small_pictures_have_no_difference_and_bad_overlaps_are_refused() -> None:
    net = Segmenter(SHIPPED).net
    picture = np.zeros((100, 150, 3), np.uint8)
    assert Segmenter(net, tile=160, overlap=16).segmented(picture)["label"].difference is None
    with pytest.raises(SpecError, match="--overlap goes with --tile"):
        Segmenter(net, overlap=16)
    with pytest.raises(SpecError, match="--overlap 2000: without this option tiles overlap by"):
        Segmenter(net, tile=5000, overlap=2000)
    with pytest.raises(SpecError, match="--tile 64: tiles that overlap by 48 pixels must have at least"):
        Segmenter(net, tile=64, overlap=48)

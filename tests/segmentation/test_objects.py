"""V_rand and V_info: thinning, hand counts, and plain loops over all pairs of pixels."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from fcnlite.data import Dataset, Subset
from fcnlite.data.sample import VOID, Sample
from fcnlite.description.model_info import Labels, ModelInfo, Preprocessing
from fcnlite.net import Net
from fcnlite.segmentation.objects import connected, object_scores, similarity, thinned
from fcnlite.segmentation.segmenter import Segmenter
from tests.color_net import color_net


def drawn(text: str) -> np.ndarray:
    """Digits of a drawing; dots are borders."""
    return np.array([[0 if c == "." else int(c) for c in line.strip()] for line in text.strip().splitlines()], np.int32)


def shown(objects: np.ndarray) -> str:
    return "\n".join("".join("." if c == 0 else str(c) for c in line) for line in objects.tolist())


# Thinning


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("1....2", "11.222"),
        ("1...2", "11.22"),
        ("1.2", "1.2"),
        ("..1..", "11111"),
        (".....", "....."),
        # A hole in an object closes, and so does a line with a loose end.
        ("1111\n1..1\n1..1\n1111", "1111\n1111\n1111\n1111"),
        ("11111\n.....\n..222\n..222", None),
    ],
)
def test_borders_become_one_pixel_wide(before: str, after: str | None) -> None:
    found = thinned(drawn(before))
    if after is not None:
        assert shown(found) == after
    assert found.dtype == np.int32


def test_what_is_left_of_borders_touches_two_objects() -> None:
    rng = np.random.default_rng(0)
    for _ in range(30):
        inside = rng.random((17, 22)) < 0.25
        objects = connected(inside)
        found = thinned(objects)
        np.testing.assert_array_equal(found[inside], objects[inside])
        padded = np.pad(found, 1)
        for y, x in zip(*np.nonzero(found == 0), strict=True):
            around = set(padded[y : y + 3, x : x + 3].ravel().tolist()) - {0}
            beside = {padded[y + dy, x + dx] for dy, dx in ((1, 2), (2, 1), (1, 0), (0, 1))} - {0}
            assert len(around) > 1 or not beside
        for y, x in zip(*np.nonzero(found), strict=True):
            beside = {padded[y + dy, x + dx] for dy, dx in ((1, 2), (2, 1), (1, 0), (0, 1))}
            assert beside <= {0, found[y, x]}
        for number in range(1, objects.max() + 1):
            assert connected(found == number).max() <= max(1, connected(objects == number).max())


def test_parts_are_connected_by_sides() -> None:
    assert connected(np.array([[1, 0, 1], [0, 1, 1]], bool)).tolist() == [[1, 0, 2], [0, 2, 2]]


# Scores


@pytest.mark.parametrize(
    ("truth", "proposal", "rand", "information"),
    [
        ("11.22", "11.22", 1, 1),
        ("11.22", "22.11", 1, 1),
        # Merged: pairs of pixels together in both 1/2, in the proposal 1, in the truth 1/2.
        ("11.22", "11111", 0.5 / 0.75, 0),
        # Split: the same the other way round.
        ("1111", "1122", 0.5 / 0.75, 0),
        # One border pixel is an object of its own: (9 + 1) / 16 against (10 / 16 + 1) / 2.
        ("1111", "111.", (10 / 16) / (26 / 32), 0),
        # What the proposal says of the truth's border does not count.
        ("11.22", "11222", 1, 1),
        ("1", "1", 1, 1),
        # H(t) = 1 bit, H(s) = 1.5 bits, H(s, t) = 1.5 bits: I = 1 bit.
        ("1122", "1123", (4 + 1 + 1) / 16 / (0.5 * 6 / 16 + 0.5 * 8 / 16), 2 / 2.5),
    ],
)
def test_scores_by_hand(truth: str, proposal: str, rand: float, information: float) -> None:
    found = similarity(drawn(truth), drawn(proposal))
    assert found == pytest.approx((rand, information), abs=1e-12)


def plain_similarity(truth: np.ndarray, proposal: np.ndarray) -> tuple[float, float]:
    """Count pairs of pixels one by one; sum the information over the joint objects."""
    pixels = [
        (int(t), int(s) or -1 - i)
        for i, (t, s) in enumerate(zip(truth.ravel(), proposal.ravel(), strict=True))
        if t > 0
    ]
    together_t = together_s = together_both = 0
    for t, s in pixels:
        for u, v in pixels:
            together_t += t == u
            together_s += s == v
            together_both += t == u and s == v
    n = len(pixels)
    p_both, p_t, p_s = Counter(pixels), Counter(t for t, _ in pixels), Counter(s for _, s in pixels)
    shared = sum(c / n * math.log(c / n / (p_t[t] / n * p_s[s] / n)) for (t, s), c in p_both.items())
    entropies = [-sum(c / n * math.log(c / n) for c in each.values()) for each in (p_t, p_s)]
    return together_both / (0.5 * together_s + 0.5 * together_t), shared / (0.5 * sum(entropies))


def test_scores_are_those_of_plain_loops() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        truth, proposal = (connected(rng.random((6, 7)) < share) for share in (0.7, 0.6))
        assert similarity(truth, proposal) == pytest.approx(plain_similarity(truth, proposal), rel=1e-12)


def test_a_truth_without_objects_has_no_score() -> None:
    assert all(map(math.isnan, similarity(drawn("..."), drawn("111"))))


# A data set


class Cells(Dataset):
    """Gray pictures whose brightness is the net's confidence in cells; class 1 is the border."""

    splits = ("val",)
    border = 1
    PICTURES = ("99099", "99499", "88888")
    TRUTHS = ("00100", "00100", "11111")

    def __init__(self) -> None:
        super().__init__("cells", "val", {"label": Labels(("cell", "border"), ((255,) * 3, (0,) * 3))})

    def __len__(self) -> int:
        return len(self.PICTURES)

    def __getitem__(self, index: int) -> Sample:
        gray = np.array([[28 * int(c) for c in self.PICTURES[index]]], np.uint8)
        label = np.array([[int(c) for c in self.TRUTHS[index]]], np.uint8)
        return Sample({"data": np.repeat(gray[:, :, None], 3, axis=2)}, {"label": label}, f"picture {index}")


def confident(classes: tuple[str, ...]) -> Segmenter:
    """Scores of cell and border whose difference is the brightness less 126, divided by 20."""
    net = color_net(ModelInfo(Preprocessing(mean=(126.0,) * 3), classes), outputs=2)
    weight, bias = net.params["classify"]
    weight.data[...] = 0
    weight.data[classes.index("cell"), 0] = 1 / 20
    bias.data[...] = 0
    return Segmenter(net)


@pytest.mark.parametrize("classes", [("cell", "border"), ("border", "cell")])
def test_the_best_threshold_counts_over_all_pictures(classes: tuple[str, ...]) -> None:
    """At low thresholds, the cells of the second picture are merged; the third has none to score."""
    segmenter, cells = confident(classes), Cells()
    found = object_scores(segmenter, cells)
    p = 1 / (1 + math.exp(-(28 * 4 - 126) / 20))
    assert 0.3 < p < 0.4
    for each in found.values():
        assert (each.score, each.threshold) == (pytest.approx(1), 0.4)
    worse = object_scores(segmenter, Subset(cells, [1, 2]))
    assert worse["v_rand"].score == pytest.approx(1)


def test_without_an_object_there_is_no_score() -> None:
    found = object_scores(confident(("cell", "border")), Subset(Cells(), [2]))
    assert all(math.isnan(each.score) for each in found.values())


def test_void_is_outside_all_objects() -> None:
    class Void(Cells):
        def __getitem__(self, index: int) -> Sample:
            sample = super().__getitem__(index)
            sample.label[sample.label == 1] = VOID
            return sample

    assert object_scores(confident(("cell", "border")), Void())["v_rand"].score == pytest.approx(1)


def test_nets_are_never_asked_for_borders_elsewhere() -> None:
    assert Dataset.border is None
    assert isinstance(color_net(), Net)

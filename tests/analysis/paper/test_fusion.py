"""Made-up depth, and the inputs and nets of early and late fusion."""

from __future__ import annotations

import numpy as np
import pytest

from fcnlite import models
from fcnlite.analysis.paper import fusion
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.fusion import depth_map, fused, inputs
from fcnlite.analysis.paper.table import named
from fcnlite.data import VOID
from fcnlite.net import Net


def test_each_shape_is_a_flat_plate_in_front_of_the_ground() -> None:
    label = np.zeros((16, 16), np.uint8)
    label[2:6, 2:6], label[9:13, 9:13], label[6] = 3, 3, VOID
    depth = depth_map(label, np.random.default_rng(0), noise=0)[0]
    first, second = depth[2:6, 2:6], depth[9:13, 9:13]
    assert np.ptp(first) == np.ptp(second) == 0 and first[0, 0] != second[0, 0]
    assert max(first.max(), second.max()) < depth[label != 3].min()


def test_late_fusion_is_the_mean_of_the_scores_of_two_nets() -> None:
    net = Net(fused("late", 4, 16))
    models.initialize(net)
    for name in ("score_fine_color", "score_fine_depth"):
        weight = net.params[name][0]
        weight.data = np.random.default_rng(1).standard_normal(weight.shape).astype(np.float32)
    rng = np.random.default_rng(0)
    blobs = {"data": rng.standard_normal((1, 3, 16, 16)), "depth": rng.standard_normal((1, 1, 16, 16))}
    found = net.forward(blobs, outputs=["score", "score_color", "score_depth"])
    np.testing.assert_allclose(found["score"], (found["score_color"] + found["score_depth"]) / 2, atol=1e-5)
    assert np.ptp(found["score_depth"]) > 0


def test_early_fusion_appends_depth_to_the_colours() -> None:
    example = {"data": np.zeros((3, 2, 2)), "depth": np.ones((1, 2, 2)), "label": np.zeros((1, 2, 2))}
    assert inputs(example, "early")["data"][:, 0, 0].tolist() == [0, 0, 0, 1]
    assert list(inputs(example, "late")) == ["data", "depth", "label"]


def test_a_short_run_fills_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fusion, "_PICTURES", (8, 4))
    page = named("fusion").run(Settings(iterations=2))
    assert [float(each.paper) for each in page.comparisons] == [29.2, 30.5, 24.2, 32.8]


@pytest.mark.slow
def test_late_fusion_is_above_early_fusion_and_the_page_says_that_depth_does_not_help() -> None:
    page = named("fusion").run(Settings())
    color, early, depth, late = (float(each.ours) for each in page.comparisons)
    assert late > early and color > depth
    said = any("depth does not help here" in part for part in page.parts if isinstance(part, str))
    assert said == (color >= max(early, late))

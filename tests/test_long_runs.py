"""The measurements of `make test-long`, on a few predictions."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import fcnlite
from fcnlite.segmentation.segmenter import Segmenter
from tests.long_runs import NET, left_open, predicted, problems

PREDICTIONS = 40

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason=f"{sys.platform} has no /proc")


def test_nothing_is_kept_of_predictions_of_changing_sizes(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(NET)
    fcnlite.load(tmp_path / "net.prototxt").save(tmp_path / "net.h5")
    segmenter = Segmenter(tmp_path / "net.h5")
    # The first round needs the most memory of each size; each further round has the same sizes in the same order.
    rounds = [predicted(segmenter, PREDICTIONS, PREDICTIONS)[0] for _ in range(4)]
    assert [each.calls for each in rounds] == [PREDICTIONS] * 4
    assert problems(segmenter.net, {"predictions": rounds[1:]}) == []
    assert left_open(tmp_path) != []
    del segmenter
    assert left_open(tmp_path) == []

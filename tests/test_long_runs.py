"""The measurements of `make test-long`, on a few predictions."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import fcnlite
from fcnlite.segmentation.segmenter import Segmenter
from tests.long_runs import NET, left_open, predicted, problems

pytestmark = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason=f"{sys.platform} has no /proc")


def test_nothing_is_kept_of_predictions_of_changing_sizes(tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(NET)
    fcnlite.load(tmp_path / "net.prototxt").save(tmp_path / "net.h5")
    segmenter = Segmenter(tmp_path / "net.h5")
    measured = predicted(segmenter, 40, 10)
    assert [each.calls for each in measured] == [10, 20, 30, 40]
    assert problems(segmenter.net, {"predictions": measured}) == []
    assert left_open(tmp_path) != []
    del segmenter
    assert left_open(tmp_path) == []

"""Times of inference, and the processor that they are of."""

from __future__ import annotations

from pathlib import Path

import pytest

from fcnlite import models
from fcnlite.analysis.paper import inference_time
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.inference_time import fill_page, timed
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.table import named
from fcnlite.environment import machine
from fcnlite.errors import FileError, SpecError


def test_the_page_has_a_row_for_each_net_and_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference_time, "SIZES", (50, 500))
    monkeypatch.setattr(inference_time, "NETS", ("voc-fcn8s", "lite-fcn8s"))
    monkeypatch.setattr(inference_time, "REPEATS", 1)
    page = Page("inference-time", "5", "")
    fill_page(Settings(), page, 1 / 32)
    assert page.html().count("<td>lite-fcn8s</td>") == 2
    assert [each.paper for each in page.comparisons] == ["less than 1/5 s", "about 175 ms", "reported 100 ms"]
    assert machine() in page.html()


def test_the_work_of_lenet() -> None:
    found = timed(models.build("lenet"), 28, 0)
    # conv1 24²·20·25, conv2 8²·50·500, ip1 500·800, ip2 10·500
    assert found.macs == 288_000 + 1_600_000 + 400_000 + 5_000
    assert found.wall > 0


def test_nets_that_cannot_be_timed_are_errors(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="takes color, hha; expected one picture"):
        timed(models.build("nyud-fcn32s-color-hha", width=1 / 64), 40, 0)
    with pytest.raises(FileError, match=r"holds weights only.*--model.*--init"):
        named("inference-time").run(Settings(model=str(tmp_path / "x.caffemodel")))

"""The metrics of a net on a data set, beside the rows of the papers."""

from __future__ import annotations

from pathlib import Path

import pytest

from fcnlite import data, models
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Picture
from fcnlite.analysis.paper.results import PAPER, rows_of
from fcnlite.analysis.paper.table import named
from fcnlite.errors import SpecError


def test_the_shipped_net_is_measured_and_not_compared() -> None:
    page = named("results").run(Settings())
    assert all(each.paper == "" and float(each.ours) > 90 for each in page.comparisons)
    assert "cannot be compared" in page.html()
    assert sum(isinstance(part, Picture) for part in page.parts) == 9


def test_the_rows_of_a_net_are_beside_its_figures(shared: Path, tmp_path: Path) -> None:
    net = models.build("voc-fcn32s", width=1 / 64)
    net.save(tmp_path / "w.h5")
    voc = data.open("voc", shared / "data" / "voc2012_subset", "val")
    page = named("results").run(Settings(val_set=voc, model=str(tmp_path / "w.h5")))
    by_metric = {each.what: each.paper for each in page.comparisons}
    assert by_metric["mean IU"].startswith("59.4 (CVPR table 2") and "reported 63.6" in by_metric["mean IU"]
    assert "seg11valid" in page.html()


def test_every_row_is_of_a_net_of_the_zoo() -> None:
    assert {row.model for row in PAPER} <= set(models.names())
    assert all(len(row.figures) == 4 for row in PAPER)
    assert rows_of(models.build("lenet"), Settings()) == []


@pytest.mark.parametrize("given", [{"model": "voc-fcn8s"}, {"val_set": data.open("shapes", count=1)}, {"init": "w.h5"}])
def test_half_of_the_settings_are_an_error(given: dict[str, object]) -> None:
    with pytest.raises(SpecError, match="without --"):
        named("results").run(Settings(**given))  # type: ignore[arg-type]

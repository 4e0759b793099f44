"""Fields, parameters and work of FCN-32s with a finer pool5."""

from __future__ import annotations

from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Table
from fcnlite.analysis.paper.table import named


def test_filters_of_14_pixels_have_four_times_the_weights_and_keep_the_field() -> None:
    page = named("pool5-stride").run(Settings())
    (table,) = (part for part in page.parts if isinstance(part, Table))
    # pool5 of stride 2 sees 212 pixels, of stride 1 its 2×2 window sees 212 as well; fc6 adds 6·32, 6·16, 13·16, 12·16.
    assert [row[1:3] for row in table.rows] == [["32", "404"], ["16", "308"], ["16", "420"], ["16", "404"]]
    assert [row[3] for row in table.rows] == ["103 M", "103 M", "411 M", "103 M"]
    assert [each.ours for each in page.comparisons][1] == "4.0 times as many"

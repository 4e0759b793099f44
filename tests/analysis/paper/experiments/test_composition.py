"""The page of the composition rule: the paper's fields and strides, exactly."""

from __future__ import annotations

from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Table
from fcnlite.analysis.paper.table import named


def test_fields_and_strides_are_those_of_table_1() -> None:
    page = named("composition").run(Settings())
    assert [(each.paper, each.ours) for each in page.comparisons] == [
        (each, each) for field in ("355", "404", "907") for each in (field, "32")
    ]
    layers, zoo = (part for part in page.parts if isinstance(part, Table))
    assert ["fc6", "7", "1", "404", "32"] in [list(row) for row in layers.rows]
    assert ["lenet", "pool2", "4", "15/2", "16"] in [list(row) for row in zoo.rows]

"""Contact sheets of labelled pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fcnlite.data.pictures import show
from fcnlite.inspection.contents import Split
from fcnlite.segmentation import plots

_MOST = 12
"""Pictures of a split on the sheet, evenly spread."""


def write(path: Path, splits: Sequence[Split]) -> None:
    """Write a sheet of pictures tinted by class, some of each split, with one legend."""
    cells = []
    for split in splits:
        usable = [*split.usable]
        for place in np.unique(np.linspace(0, len(usable) - 1, min(_MOST, len(usable))).astype(int)).tolist():
            sample = split.dataset[usable[place]]
            cells.append((show(sample.image), sample.label, f"{split.dataset.split}: {sample.name}"))
    dataset = splits[0].dataset
    plots.contact_sheet(path, cells, dataset.classes, dataset.colors)

"""Data sets made from others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fcnlite import data
from fcnlite.analysis.paper.derived import Derived, held
from fcnlite.data.sample import Sample

SHAPES = data.open("shapes", split="train", size=32, count=3)


def test_samples_are_changed_and_held_in_memory() -> None:
    calls: list[int] = []

    def change(sample: Sample, index: int) -> Sample:
        calls.append(index)
        return replace(sample, labels={"label": np.full_like(sample.label, index)})

    for hold, expected in ((False, [1, 1]), (True, [0, 1, 2])):
        calls.clear()
        dataset = Derived(SHAPES, change, hold=hold)
        assert len(dataset) == 3 and (dataset[1].label == 1).all() and (dataset[1].image == SHAPES[1].image).all()
        assert calls == expected
    assert (held(SHAPES)[2].label == SHAPES[2].label).all()

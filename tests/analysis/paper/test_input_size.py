"""Sizes of scores, crop offsets, and the pad that takes every size."""

from __future__ import annotations

import pytest

from fcnlite import models
from fcnlite.analysis.paper import input_size
from fcnlite.analysis.paper.input_size import first_pad, offsets, smallest, with_pad
from fcnlite.errors import ShapeError
from fcnlite.net import Net


def test_the_offsets_are_those_written_in_the_nets() -> None:
    for name in input_size.NETS:
        spec = models.describe(name, width=1 / 64)
        written = [(each.name, each.options["offset"][0]) for each in spec if each.type == "Crop"]
        assert offsets(spec) == written
    assert offsets(models.describe("voc-fcn8s", width=1 / 64)) == [
        ("score_pool4c", 5),
        ("score_pool3c", 9),
        ("score", 31),
    ]


def test_other_pads_move_the_offset_and_refuse_small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_size, "LARGEST", 40)
    spec = models.describe("voc-fcn32s", width=1 / 64)
    assert first_pad(spec) == 100 and first_pad(with_pad(spec, 90)) == 90
    # By hand: conv1_1 makes s + 2p − 2, five poolings divide by 32, rounded up, and fc6 needs 7: s + 2p − 2 > 192.
    found = {pad: (offsets(with_pad(spec, pad))[0][1], smallest(Net(with_pad(spec, pad)))) for pad in (81, 96, 97, 100)}
    assert found == {81: (0, 33), 96: (15, 3), 97: (16, 1), 100: (19, 1)}
    with pytest.raises(ShapeError, match="cropped by -1 pixels"):
        with_pad(spec, 80)

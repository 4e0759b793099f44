"""A net layer by layer: shapes, parameters, work, strides and receptive fields."""

from __future__ import annotations

from fcnlite import models
from fcnlite.analysis.layer_table import LayerRow, layer_rows

STAGES = ((64, 2, 224), (128, 2, 112), (256, 3, 56), (512, 3, 28), (512, 3, 14))
"""VGG-16: channels, convolutions and side of the maps of each stage."""


def rows(model: str, classes: int | None = None, **fed: tuple[int, ...]) -> dict[str, LayerRow]:
    return {row.name: row for row in layer_rows(models.describe(model, classes=classes), fed)}


def test_vgg16_has_the_parameters_and_the_work_that_its_authors_name() -> None:
    found = rows("vgg16", data=(1, 3, 224, 224))
    parameters = macs = 0
    channels = 3
    for outputs, convolutions, side in STAGES:
        for _ in range(convolutions):
            parameters += outputs * (channels * 9 + 1)
            macs += outputs * channels * 9 * side * side
            channels = outputs
    for inputs, outputs in ((512 * 7 * 7, 4096), (4096, 4096), (4096, 1000)):
        parameters += outputs * (inputs + 1)
        macs += outputs * inputs
    assert sum(row.parameters for row in found.values()) == parameters == 138_357_544
    assert sum(row.macs for row in found.values()) == macs == 15_470_264_320
    assert (found["conv1_2"].parameters, found["fc8"].shape) == (64 * (64 * 9 + 1), (1, 1000))


def test_activations_count_blobs_written_in_place_once() -> None:
    found = rows("vgg16", data=(1, 3, 224, 224))
    assert found["data"].activations == 3 * 224 * 224
    assert found["conv1_1"].activations == 64 * 224 * 224
    assert found["relu1_1"].activations == 0


def test_strides_and_receptive_fields_of_fcn32s_are_the_papers() -> None:
    found = rows("voc-fcn32s", data=(1, 3, 500, 500))
    assert (found["pool5"].stride, found["pool5"].field) == ("32", "212")
    assert (found["score_fr"].stride, found["score_fr"].field) == ("32", "404")
    assert found["score"].stride == "1"
    assert found["score"].shape == (1, 21, 500, 500)


def test_batch_and_size_scale_the_work() -> None:
    one = rows("lite-fcn8s", 5, data=(1, 3, 32, 32))
    two = rows("lite-fcn8s", 5, data=(2, 3, 32, 64))
    assert two["conv1_1"].macs == 4 * one["conv1_1"].macs
    assert two["conv1_1"].parameters == one["conv1_1"].parameters

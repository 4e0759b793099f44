"""Picture in, label map out."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import fcnlite
from fcnlite.data.voc import CLASSES as VOC_CLASSES
from fcnlite.description.model_info import Labels, ModelInfo, Preprocessing
from fcnlite.description.spec import LayerSpec
from fcnlite.errors import DataError, FileError, ShapeError, SpecError
from fcnlite.graph.sizing import image_inputs
from fcnlite.layers import create
from fcnlite.segmentation.segmenter import Segmenter, best_classes
from tests.color_net import CLASSES, COLORS, INFO, color_net

STRIPES = np.zeros((4, 6, 3), np.uint8)
STRIPES[:, 0:2, 0] = STRIPES[:, 2:4, 1] = STRIPES[:, 4:6, 2] = 200
STRIPE_LABELS = np.repeat([[0, 0, 1, 1, 2, 2]], 4, axis=0)


def test_labels_are_the_strongest_class_of_each_pixel() -> None:
    labels = Segmenter(color_net())(STRIPES)
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, STRIPE_LABELS)


def test_scores_are_those_of_the_preprocessed_picture() -> None:
    scores = Segmenter(color_net()).scores(STRIPES)
    assert (scores.shape, scores.dtype) == ((3, 4, 6), np.float32)
    np.testing.assert_array_equal(scores, STRIPES.transpose(2, 0, 1) - np.float32(100))


def test_a_weight_file_brings_net_classes_and_colors(tmp_path: Path) -> None:
    color_net().save(tmp_path / "color.h5")
    segmenter = fcnlite.Segmenter(tmp_path / "color.h5")
    assert (segmenter.classes, segmenter.colors, segmenter.net.info) == (CLASSES, COLORS, INFO)
    np.testing.assert_array_equal(segmenter(STRIPES), STRIPE_LABELS)


def test_a_net_in_its_training_phase_is_used_in_the_test_phase_on_the_same_parameters() -> None:
    net = color_net().share("TRAIN")
    segmenter = Segmenter(net)
    assert segmenter.net.phase == "TEST"
    assert segmenter.net.params["classify"][0] is net.params["classify"][0]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_pil_images_give_the_result_of_their_pixels(mode: str) -> None:
    np.testing.assert_array_equal(Segmenter(color_net())(Image.fromarray(STRIPES).convert(mode)), STRIPE_LABELS)


def test_gray_pictures_have_three_equal_channels() -> None:
    gray = np.array([[0, 50], [100, 255]], np.uint8)
    for image in (gray, Image.fromarray(gray)):
        scores = Segmenter(color_net()).scores(image)
        np.testing.assert_array_equal(scores, np.repeat(gray[None] - np.float32(100), 3, axis=0))


def test_views_of_any_strides_are_read_right() -> None:
    np.testing.assert_array_equal(Segmenter(color_net())(STRIPES[::-1, ::-1]), STRIPE_LABELS[::-1, ::-1])


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (STRIPES.astype(np.float32), r"type float32; expected H×W×3 RGB .* Give image.astype\(np.uint8\)"),
        (STRIPES.transpose(2, 0, 1), "shape 3×4×6"),
        (STRIPES[None], "shape 1×4×6×3"),
        (STRIPES[:0], "shape 0×6×3"),
        (np.zeros((4, 6, 4), np.uint8), r"shape 4×6×4 .* Give image\[:, :, :3\]"),
        (b"picture", "is a bytes; expected a path, a PIL image"),
        ((STRIPES / 255).astype(np.float32), r"give \(255 \* image\).round\(\).astype\(np.uint8\)"),
        (np.zeros((3, 4, 6)), r"give \(255 \* image.transpose\(1, 2, 0\)\)"),
        (Image.new("I;16", (4, 4)), "more than 8 bits"),
        (Image.new("F", (4, 4)), "more than 8 bits"),
    ],
)
def test_arrays_that_are_not_pictures_are_refused(image: Any, words: str) -> None:
    with pytest.raises(DataError, match=words):
        Segmenter(color_net())(image)


def test_a_damaged_pil_image_is_refused() -> None:
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (50, 50, 3), np.uint8)).save(stream, "PNG")
    with pytest.raises(DataError, match="cannot be decoded"):
        Segmenter(color_net())(Image.open(io.BytesIO(stream.getvalue()[:1000])))


def test_paths_and_lists_are_pictures_too(tmp_path: Path) -> None:
    segmenter = Segmenter(color_net())
    Image.fromarray(STRIPES).save(tmp_path / "stripes.png")
    for given in (tmp_path / "stripes.png", str(tmp_path / "stripes.png")):
        np.testing.assert_array_equal(segmenter(given), STRIPE_LABELS)
    first, second = segmenter([STRIPES[:2], tmp_path / "stripes.png"])
    np.testing.assert_array_equal(first, STRIPE_LABELS[:2])
    np.testing.assert_array_equal(second, STRIPE_LABELS)
    with pytest.raises(FileError, match=r"gone.png: no such file"):
        segmenter(tmp_path / "gone.png")


def test_probabilities_are_the_softmax_of_the_scores() -> None:
    segmenter = Segmenter(color_net())
    scores = segmenter.scores(STRIPES).astype(np.float64)
    found = segmenter.probabilities(STRIPES)
    wanted = np.exp(scores) / np.exp(scores).sum(axis=0)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-12)
    assert found.dtype == np.float32


def test_scores_of_infinity_are_noticed() -> None:
    net = color_net()
    net.params["classify"][0].data[0, 0] = np.inf
    with pytest.raises(DataError, match="'score' holds NaN or infinity"):
        Segmenter(net)(np.full((4, 6, 3), 255, np.uint8))


def test_an_output_of_another_name_is_found() -> None:
    np.testing.assert_array_equal(Segmenter(color_net(top="upscore"))(STRIPES), STRIPE_LABELS)


@pytest.mark.parametrize("model", ["voc-fcn32s", "voc-fcn16s", "voc-fcn8s", "lite-fcn8s"])
def test_the_zoo_nets_segment_at_the_size_of_the_picture(model: str) -> None:
    labels = Segmenter(fcnlite.models.build(model, classes=3, width=1 / 64))(np.zeros((5, 9, 3), np.uint8))
    assert labels.shape == (5, 9)


def test_classes_without_names_get_vocs_or_numbers() -> None:
    assert Segmenter(color_net(ModelInfo())).classes == ("class 0", "class 1", "class 2")
    segmenter = Segmenter(color_net(ModelInfo(), outputs=21))
    assert segmenter.classes == VOC_CLASSES
    assert segmenter.colors[:2] == ((0, 0, 0), (128, 0, 0))


@pytest.mark.parametrize("outputs", [1, 256])
def test_label_maps_hold_2_to_255_classes(outputs: int) -> None:
    with pytest.raises(SpecError, match=f"has {outputs} channels; expected 2 to 255 classes"):
        Segmenter(color_net(ModelInfo(), outputs=outputs))


def test_the_number_of_class_names_must_be_that_of_the_scores() -> None:
    with pytest.raises(SpecError, match="scores 4 classes, but the file names 3"):
        Segmenter(color_net(outputs=4))


def test_the_preprocessing_must_fit_the_input() -> None:
    gray = dataclasses.replace(INFO.preprocessing, color="GRAY", mean=(100.0,))
    with pytest.raises(SpecError, match="'data' has shape 1×3×8×8, but pictures in GRAY"):
        Segmenter(color_net(ModelInfo(gray)))


def test_a_classifier_is_refused() -> None:
    with pytest.raises(SpecError, match=r"0 outputs of four axes \(found: prob 1×1000\)"):
        Segmenter(fcnlite.models.build("vgg16", width=1 / 64))


def test_a_net_that_takes_two_pictures_wants_both_by_name() -> None:
    spec = color_net().spec
    hha = dataclasses.replace(spec.layers[0], name="hha", top=("hha",))
    sum_ = LayerSpec("sum", "Eltwise", ("data", "hha"), ("sum",))
    classify = dataclasses.replace(spec.layers[2], bottom=("sum",))
    preprocessing = dataclasses.replace(INFO.preprocessing, others={"hha": Preprocessing("RGB", (0.0, 0.0, 0.0))})
    info = dataclasses.replace(INFO, preprocessing=preprocessing)
    net = fcnlite.Net(dataclasses.replace(spec, layers=(*spec.layers[:2], hha, sum_, classify)), info=info)
    net.params["classify"][0].data[...] = color_net().params["classify"][0].data
    segmenter = Segmenter(net)
    assert segmenter.inputs == ("data", "hha")
    black = np.zeros_like(STRIPES)
    np.testing.assert_array_equal(segmenter({"data": STRIPES, "hha": black}), STRIPE_LABELS)
    # HHA keeps its order of channels, where colour becomes BGR.
    np.testing.assert_array_equal(segmenter({"data": black, "hha": STRIPES}), 2 - STRIPE_LABELS)
    with pytest.raises(DataError, match=r"takes 2 pictures of a scene \(data, hha\), but got one picture"):
        segmenter(STRIPES)
    with pytest.raises(DataError, match=r"but got data, depth"):
        segmenter({"data": STRIPES, "depth": STRIPES})
    with pytest.raises(DataError, match=r"'hha' has 2 rows and 6 columns, that for 'data' 4 rows"):
        segmenter({"data": STRIPES, "hha": STRIPES[:2]})


def test_a_net_of_two_labels_gives_both_maps() -> None:
    info = ModelInfo(Preprocessing(), ("a", "b"), more_labels={"geo": Labels(("x", "y", "z"), COLORS)})
    net = fcnlite.models.build("siftflow-fcn32s", classes=(2, 3), width=1 / 64)
    net.info = info
    segmenter = Segmenter(net)
    assert {name: head.labels.classes for name, head in segmenter.heads.items()} == {
        "sem": ("a", "b"),
        "geo": ("x", "y", "z"),
    }
    assert segmenter.classes == ("a", "b")
    net.params["score_fr_geo"][1].data[...] = [0, 0, 1]
    maps = segmenter.label_maps(STRIPES)
    np.testing.assert_array_equal(maps["geo"], np.full((4, 6), 2))
    np.testing.assert_array_equal(maps["sem"], segmenter(STRIPES))


def test_a_net_of_sixteen_bits_takes_such_pictures_alone() -> None:
    preprocessing = Preprocessing(mean=(2048.0,) * 3, scale=1 / 16, bits=16)
    segmenter = Segmenter(color_net(dataclasses.replace(INFO, preprocessing=preprocessing)))
    deep = np.array([[0, 4096]], np.uint16)
    for image in (deep, Image.fromarray(deep)):
        np.testing.assert_array_equal(segmenter.scores(image), np.repeat([[[-128, 128]]], 3, axis=0))
    with pytest.raises(DataError, match=r"type uint8; expected H×W of type uint16"):
        segmenter(STRIPES)


def test_scores_must_have_the_size_of_the_picture() -> None:
    with pytest.raises(ShapeError, match="4 rows and 6 columns got scores of 2 rows and 3 columns"):
        Segmenter(color_net(stride=2))(STRIPES)


def test_broken_weights_are_noticed() -> None:
    net = color_net()
    net.params["classify"][0].data[0, 0] = np.nan
    with pytest.raises(DataError, match="'score' holds NaN"):
        Segmenter(net)(STRIPES)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("missing.h5", None, "no such file"),
        ("text.h5", b"hello, world", "not an HDF5 file"),
        ("picture.png", b"\x89PNG\r\n", "not an HDF5 file"),
        ("net.prototxt", b"", "not a self-contained weight file"),
        ("net.caffemodel", b"", "not a self-contained weight file"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(FileError, match=f"{name}: .*{words}"):
        Segmenter(tmp_path / name)


def test_image_inputs_leaves_labels_out_and_keeps_described_shapes() -> None:
    layers = [create(layer, "TEST") for layer in color_net().spec]
    assert image_inputs(layers) == {"data": (1, 3, 8, 8)}
    undescribed = [create(dataclasses.replace(layers[0].spec, options={}), "TEST"), *layers[1:]]
    assert image_inputs(undescribed) == {"data": None}


@pytest.mark.parametrize("shape", [(1, 3, 4), (3, 1, 1), (11, 7, 600), (21, 5, 256), (256, 2, 17)], ids=str)
def test_best_classes_are_those_of_argmax(shape: tuple[int, int, int]) -> None:
    """The first of equal scores counts; the scores may be a part of a larger array."""
    values = np.random.default_rng(0).integers(-3, 4, (shape[0], shape[1] + 2, shape[2] + 3)).astype(np.float32)
    values[:, 0, 0] = -np.inf
    for scores in (values, values[:, 1:-1, 2:-1], values[:, ::-1]):
        found = best_classes(scores)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, scores.argmax(axis=0))

"""Labels that cannot be learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcnlite import data
from fcnlite.data import VOID, Dataset
from fcnlite.description.spec import LayerSpec
from fcnlite.doctor import Finding, labels
from fcnlite.net import Net
from tests.color_net import color_net
from tests.doctor.nets import CLASSES, LabelledPictures, changed, healthy, severities, small_fcn


def found(dataset: Dataset, net: Net | None = None) -> list[Finding]:
    return labels.check(labels.survey(dataset), net or healthy())


def all_classes(side: int = 12) -> np.ndarray:
    """Bands of all classes of the small net."""
    return np.repeat(np.arange(CLASSES), 2)[:, None] * np.ones(side, int)


def test_sound_labels_are_passed_over() -> None:
    assert found(data.open("shapes", count=40)) == []
    assert found(LabelledPictures([all_classes()] * 2, CLASSES)) == []


def test_numbers_that_are_no_class_are_named() -> None:
    label = all_classes()
    label[0, :3] = 7, 9, VOID
    (finding,) = found(LabelledPictures([label], CLASSES))
    assert (finding.severity, finding.id) == ("error", "labels-out-of-range")
    assert "hold 7, 9," in finding.what and "0 to 5" in finding.what


def test_files_that_the_set_refuses_are_told(tmp_path: Path) -> None:
    for kind, pixels in (("images", np.zeros((4, 4, 3))), ("labels", np.full((4, 4), 9))):
        (tmp_path / kind).mkdir()
        for name in "ab":
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / kind / f"{name}.png")
    dataset = data.open("folder", tmp_path, classes=CLASSES, val=0)
    (finding,) = found(dataset)
    assert (finding.severity, finding.id) == ("error", "samples-unusable")
    assert "2 samples" in finding.what and "a.png: holds 9; expected 0 to 5, 255" in finding.what


def test_void_that_the_loss_does_not_ignore_is_an_error() -> None:
    label = all_classes()
    label[0] = VOID
    dataset = LabelledPictures([label], CLASSES)
    assert found(dataset) == []
    net = Net(changed(small_fcn(), "loss", without=["ignore_label"]))
    assert severities(found(dataset, net)) == [("error", "void-not-ignored")]
    assert found(LabelledPictures([all_classes()], CLASSES), net) == []


def test_another_number_of_classes_is_an_error() -> None:
    (finding,) = found(LabelledPictures([np.indices((6, 6))[0] // 2], 3))
    assert (finding.severity, finding.id) == ("error", "classes-differ")
    assert "6 classes ('score')" in finding.what and "has 3" in finding.what
    assert found(LabelledPictures([np.indices((6, 6))[0] // 2], 3), color_net()) == []


def test_anti_aliased_labels_are_told() -> None:
    rows, columns = np.indices((60, 60))
    disc = np.where(np.hypot(rows - 30, columns - 30) < 20, 40, 0).astype(np.uint8)
    smooth = np.array(Image.fromarray(disc).resize((90, 90), Image.Resampling.BILINEAR))
    assert len(np.unique(smooth)) > 10
    (blended,) = [each for each in found(LabelledPictures([smooth], 41)) if each.id == "labels-blended"]
    assert blended.severity == "warning" and "on edges only" in blended.what
    nearest = np.array(Image.fromarray(disc).resize((90, 90), Image.Resampling.NEAREST))
    assert "labels-blended" not in [each.id for each in found(LabelledPictures([nearest], 41))]


def test_anti_aliasing_is_told_where_every_number_is_a_class_that_occurs() -> None:
    rng = np.random.default_rng(0)
    blocks = np.kron(rng.integers(0, CLASSES, (6, 6)), np.ones((10, 10))).astype(np.uint8)
    smooth = np.array(Image.fromarray(blocks).resize((90, 90), Image.Resampling.BILINEAR))
    assert set(np.unique(smooth)) == set(range(CLASSES))
    (blended,) = [each for each in found(LabelledPictures([smooth], CLASSES)) if each.id == "labels-blended"]
    assert blended.severity == "warning" and "between those of the two sides" in blended.what
    for side in (30, 90):
        nearest = np.array(Image.fromarray(blocks).resize((side, side), Image.Resampling.NEAREST))
        assert "labels-blended" not in [each.id for each in found(LabelledPictures([nearest], CLASSES))]


def test_thin_classes_are_not_taken_for_blending() -> None:
    """Lines of one pixel between two classes, like poles."""
    label = np.zeros((20, 20), int)
    label[:, 10:] = 5
    label[:, 10] = 2
    label[5, :10] = 1
    assert "labels-blended" not in [each.id for each in found(LabelledPictures([label], CLASSES))]


def test_a_missing_class_is_named() -> None:
    label = all_classes()
    label[label == 3] = 4
    (finding,) = found(LabelledPictures([label] * 3, CLASSES))
    assert (finding.severity, finding.id) == ("warning", "class-missing")
    assert "class 3:" in finding.what and "all 3 pictures" in finding.what


def test_a_class_missing_in_a_sample_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "READ", 2)
    label = all_classes()
    label[label == 3] = 4
    (finding,) = found(LabelledPictures([label, all_classes(), label, all_classes()], CLASSES))
    assert (finding.severity, finding.id) == ("note", "class-missing")
    assert "2 of 4 pictures" in finding.what


def test_a_rare_class_is_a_note_with_its_share() -> None:
    label = np.repeat(np.array([0, 1, 2, 4, 5]), 40)[:, None] * np.ones(10, int)
    label[0, :10] = 3
    (finding,) = found(LabelledPictures([label], CLASSES))
    assert (finding.severity, finding.id) == ("note", "class-rare")
    assert "class 3 (0.5 %)" in finding.what


def test_void_everywhere_is_an_error() -> None:
    assert severities(found(LabelledPictures([np.full((4, 4), VOID)], CLASSES))) == [("error", "labels-void")]


def test_no_more_pictures_are_read_than_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "READ", 5)
    survey = labels.survey(data.open("shapes", count=12))
    assert survey.read == 4
    assert (survey.counts.height, survey.counts.width) == (96, 96) if survey.counts else False


def test_the_smallest_height_and_width_are_found() -> None:
    counts = labels.survey(LabelledPictures([np.zeros((9, 5)), np.zeros((2, 30)), np.zeros((1, 40))], 2)).counts
    assert counts is not None and (counts.height, counts.width) == (1, 5)
    assert counts.all[0] == 45 + 60 + 40


def test_nets_without_a_loss_are_examined_too() -> None:
    spec = small_fcn()
    layers = tuple(each for each in spec if each.type != "SoftmaxWithLoss" and each.name != "label")
    assert isinstance(layers[0], LayerSpec)
    net = Net(type(spec)(layers=layers))
    assert severities(found(LabelledPictures([np.indices((6, 6))[0] // 2], 3), net)) == [("error", "classes-differ")]

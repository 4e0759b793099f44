"""Every published data set in its folder layout: classes, colours, void, splits, and what is said when it is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fcnlite import data
from fcnlite.data.pascal_context import NUMBERS
from fcnlite.errors import DataError, FcnliteError, FileError
from tests.data import layouts
from tests.data.layouts import bands


def labels(dataset: data.Dataset, label: str = "label") -> list[int]:
    """The numbers in the first row of the first label map."""
    return dataset[0].labels[label][0].tolist()


def names(dataset: data.Dataset) -> list[str]:
    return [sample.name for sample in dataset]


# PASCAL VOC


def test_voc_reads_palette_indices_and_void(tmp_path: Path) -> None:
    layouts.voc(tmp_path / "VOCdevkit" / "VOC2012", bands(0, 1, 20, 255), train=["a"], val=["b", "c"])
    for root in (tmp_path, tmp_path / "VOCdevkit", tmp_path / "VOCdevkit" / "VOC2012"):
        dataset = data.open("voc", root)
        dataset.check()
        assert labels(dataset)[:4] == [0, 1, 20, 255]
        assert (dataset.classes[0], dataset.classes[20], dataset.colors[15]) == (
            "background", "tvmonitor", (192, 128, 128),
        )  # fmt: skip
        assert names(data.open("voc", root, "trainval")) == ["a", "b", "c"]


def test_voc_of_several_years_wants_one_chosen(tmp_path: Path) -> None:
    for year, name in ((2007, "old"), (2011, "new")):
        layouts.voc(tmp_path / f"VOC{year}", bands(0), train=[name])
    with pytest.raises(DataError, match=r"holds several years \(2007, 2011\); choose one with year="):
        data.open("voc", tmp_path)
    assert names(data.open("voc", tmp_path, year=2007)) == ["old"]
    with pytest.raises(DataError, match=r"has no JPEGImages.*VOCdevkit/"):
        data.open("voc", tmp_path, year=2009)
    with pytest.raises(DataError, match=r"year is 1999; expected 2007 to 2012"):
        data.open("voc", tmp_path, year=1999)


def test_voc_names_errors(tmp_path: Path) -> None:
    root = layouts.voc(tmp_path, bands(0, 21), train=["a", "b"], val=["c"])
    (root / "JPEGImages" / "b.jpg").unlink()
    layouts.png(root / "SegmentationClass" / "b.png", bands(0))
    layouts.png(root / "SegmentationClass" / "c.png", bands(0, size=(5, 5)))
    with pytest.raises(DataError) as caught:
        data.open("voc", root).check()
    message = str(caught.value)
    assert "2 problems" in message
    assert "a.png: holds 21; expected 0 to 20, 255 (21 classes)" in message
    assert "b.jpg: no such file" in message
    with pytest.raises(DataError, match=r"c.jpg: is 12×8 pixels, but its label .*c.png is 5×5"):
        data.open("voc", root, "val").check()
    with pytest.raises(DataError, match=r"no list test.txt for the split 'test' \(found: train.txt, val.txt\)"):
        data.open("voc", root, "test")
    with pytest.raises(DataError, match=r"the root .*nowhere is not a folder"):
        data.open("voc", tmp_path / "nowhere")


def test_lists_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    root = layouts.voc(tmp_path, bands(0), train=["a"])
    for name in ("../../secret", "/etc/secret"):
        layouts.lines(root / "ImageSets" / "Segmentation" / "train.txt", [name])
        with pytest.raises(DataError, match=r"train.txt: lists '.*secret'; expected names within"):
            data.open("voc", root)
    layouts.lines(root / "ImageSets" / "Segmentation" / "train.txt", [])
    with pytest.raises(FileError, match=r"train.txt: is empty"):
        data.open("voc", root)


def test_the_published_voc_pictures(shared: Path) -> None:
    train, val = (data.open("voc", shared / "data" / "voc2012_subset", split) for split in ("train", "val"))
    assert (len(train), len(val)) == (14, 3)
    train.check()
    found = set().union(*(np.unique(sample.label).tolist() for sample in (*train, *val)))
    assert found <= {*range(21), 255} and 255 in found and len(found) > 5


# SBD


def test_sbd_reads_its_structs(tmp_path: Path) -> None:
    layouts.sbd(tmp_path / "benchmark_RELEASE" / "dataset", bands(0, 3, 20), train=["a"], val=["b"])
    dataset = data.open("sbd", tmp_path)
    dataset.check()
    assert labels(dataset)[:3] == [0, 3, 20]
    assert names(data.open("sbd", tmp_path, "trainval")) == ["a", "b"]
    assert dataset.classes == data.open("voc", layouts.voc(tmp_path / "v", bands(0), train=["x"])).classes


def test_seg11valid_is_vocs_validation_and_not_in_sbds_training(tmp_path: Path) -> None:
    root = layouts.sbd(tmp_path / "sbd", bands(5), train=["a", "b"], val=["c"])
    voc = layouts.voc(tmp_path / "VOCdevkit" / "VOC2011", bands(7, 255), train=["x"], val=["b", "c", "d"])
    for place in (voc, tmp_path / "VOCdevkit", tmp_path):
        dataset = data.open("sbd", root, "seg11valid", voc=str(place))
        assert names(dataset) == ["c", "d"]
        assert labels(dataset)[:2] == [7, 255]  # VOC's own labels, with their void borders
    with pytest.raises(DataError, match=r"'seg11valid' is a part of PASCAL VOC 2011's val; .*voc=DIR"):
        data.open("sbd", root, "seg11valid")
    layouts.lines(root / "train.txt", ["b", "c", "d"])
    with pytest.raises(DataError, match=r"all of .*VOC2011's val is in .*train.txt"):
        data.open("sbd", root, "seg11valid", voc=voc)


def test_sbd_names_label_files_of_another_kind(tmp_path: Path) -> None:
    root = layouts.sbd(tmp_path, bands(0), train=["a"])
    layouts.mat(root / "cls" / "a.mat", GTcls=np.eye(3))
    with pytest.raises(DataError, match=r"a.mat: GTcls has no field Segmentation"):
        data.open("sbd", root)[0]
    layouts.mat(root / "cls" / "a.mat", GTcls={"Segmentation": np.full((8, 12), 0.5)})
    with pytest.raises(DataError, match=r"a.mat: GTcls.Segmentation holds numbers that are not whole"):
        data.open("sbd", root)[0]
    layouts.mat(root / "cls" / "a.mat", GTinst=1)
    with pytest.raises(FileError, match=r"a.mat: has no variable 'GTcls'"):
        data.open("sbd", root)[0]


# NYUDv2


DEPTH = np.full(layouts.SIZE, 2550, np.uint16)


def test_nyud_shifts_its_labels_by_one(tmp_path: Path) -> None:
    root = layouts.nyud(tmp_path, bands(0, 1, 40), DEPTH, train=["5003"], val=["5010"], test=["5001"])
    dataset = data.open("nyud", root)  # trainval is train and val together
    dataset.check()
    assert names(dataset) == ["5003", "5010"]
    assert labels(dataset)[:3] == [255, 0, 39]
    assert (len(dataset.classes), dataset.classes[0], dataset.classes[39]) == (40, "wall", "otherprop")
    assert names(data.open("nyud", root, "test")) == ["5001"]


def test_nyud_gives_colour_hha_and_depth(tmp_path: Path) -> None:
    root = layouts.nyud(tmp_path, bands(1), DEPTH, trainval=["1"])
    color, hha = (Image.open(root / "data" / kind / "img_1.png") for kind in ("images", "hha"))
    ((name, image),) = data.open("nyud", root, inputs=["hha"])[0].images.items()
    assert name == "data"
    assert np.array_equal(image, np.array(hha))
    dataset = data.open("nyud", root, inputs=("color", "depth"))
    assert dataset.pictures == ("color", "depth")
    images = dataset[0].images
    assert np.array_equal(images["color"], np.array(color))
    assert images["depth"].dtype == np.uint16
    for name, kind, mean in (("color", "BGR", 116.190), ("depth", "DEPTH", 7.844)):
        found = dataset.preprocessing.of(name)
        assert (found.color, found.mean[0]) == (kind, mean)
    with pytest.raises(DataError, match=r"inputs has 'colour'; did you mean 'color'"):
        data.open("nyud", root, inputs=["colour"])


def test_nyud_needs_only_the_requested_pictures(tmp_path: Path) -> None:
    root = layouts.nyud(tmp_path, bands(1), DEPTH, trainval=["1"])
    (root / "data" / "hha").rename(root / "hha-elsewhere")
    assert len(data.open("nyud", root, inputs=["color"])) == 1
    with pytest.raises(DataError, match=r"has no data/hha"):
        data.open("nyud", root, inputs=["color", "hha"])
    layouts.png(root / "data" / "depth" / "img_1.png", np.zeros(layouts.SIZE, np.uint8))
    with pytest.raises(DataError, match=r"img_1.png: has 1 band of type uint8; expected a 16-bit gray picture"):
        data.open("nyud", root, inputs=["depth"])[0]


def test_a_real_room_of_nyud(shared: Path, tmp_path: Path) -> None:
    """Its colour, 16-bit depth and 40-class mask, in the published layout."""
    source = shared / "data" / "nyud_samples" / "ExpNYUD_joint"
    mask = np.array(Image.open(source / "segm_gt_000464.png"))
    layouts.mat(tmp_path / "segmentation" / "img_464.mat", segmentation=mask + np.uint8(1))  # void wraps to 0
    layouts.lines(tmp_path / "trainval.txt", ["464"])
    for kind, name in (("images", "000464"), ("depth", "depth_gt_000464")):
        (tmp_path / "data" / kind).mkdir(parents=True)
        Image.open(source / f"{name}.png").save(tmp_path / "data" / kind / "img_464.png")
    sample = data.open("nyud", tmp_path, inputs=["color", "depth"])[0]
    assert sample.images["color"].shape == (480, 640, 3)
    assert sample.images["depth"].max() == 26142
    assert np.array_equal(sample.label, mask)
    assert set(np.unique(mask)) <= {*range(40), 255}


# SIFT Flow


def test_siftflow_has_two_labels(tmp_path: Path) -> None:
    semantic, geometric = bands(0, 1, 33, dtype=np.float64), bands(-1, 1, 3, dtype=np.int16)
    root = layouts.siftflow(tmp_path, semantic, geometric, trainval=["a", "b"], test=["c"])
    dataset = data.open("siftflow", root)
    dataset.check()
    assert labels(dataset, "sem")[:3] == [255, 0, 32]
    assert labels(dataset, "geo")[:3] == [255, 0, 2]
    assert [len(each.classes) for each in dataset.labels.values()] == [33, 3]
    assert dataset.classes[32] == "window"
    assert dataset.labels["geo"].classes == ("sky", "horizontal", "vertical")
    assert data.usual_splits("siftflow") == ("trainval", "test")
    assert dataset.preprocessing.mean == (114.578, 115.294, 108.353)


def test_siftflow_names_the_label_that_is_wrong(tmp_path: Path) -> None:
    root = layouts.siftflow(tmp_path, bands(1), bands(4), trainval=["a", "b"])
    layouts.mat(root / "GeoLabels" / layouts.SCENES / "b.mat", S=bands(1, size=(4, 4)))
    with pytest.raises(DataError) as caught:
        data.open("siftflow", root).check()
    assert "GeoLabels/" in str(caught.value)
    assert "a.mat: holds 4; expected -1 to 3 (3 classes)" in str(caught.value)
    assert "b.mat: is 4×4 pixels, but its label" in str(caught.value)
    with pytest.raises(DataError, match=r"no list test.txt"):
        data.open("siftflow", root, "test")


# PASCAL-Context


def test_pascal_context_takes_59_of_459_classes(tmp_path: Path) -> None:
    numbers = [2, 397, 80, 19, 458, 1, 459, 0]
    layouts.mat(tmp_path / "trainval" / "a.mat", LabelMap=bands(*numbers, dtype=np.uint16))
    layouts.picture(tmp_path / "VOC2010" / "JPEGImages" / "a.jpg")
    for split in ("train", "val"):
        layouts.lines(tmp_path / "VOC2010" / "ImageSets" / "Main" / f"{split}.txt", ["a"])
    dataset = data.open("pascal-context", tmp_path)
    dataset.check()
    assert len(dataset.classes) == len(dataset.colors) == 60
    found = [dataset.classes[label] for label in labels(dataset)[:8]]
    assert found == ["aeroplane", "diningtable", "clothes", "bedcloth", "wood", *["background"] * 3]
    assert len(set(NUMBERS.values())) == 59 and 255 not in labels(dataset)
    (tmp_path / "VOC2010").rename(tmp_path / "elsewhere")
    assert len(data.open("pascal-context", tmp_path, voc=str(tmp_path / "elsewhere"))) == 1
    with pytest.raises(DataError, match=r"has no JPEGImages.*voc=DIR"):
        data.open("pascal-context", tmp_path)
    layouts.mat(tmp_path / "trainval" / "a.mat", LabelMap=bands(460, dtype=np.uint16))
    with pytest.raises(DataError, match=r"a.mat: holds 460; expected 0 to 459 \(60 classes\)"):
        data.open("pascal-context", tmp_path, voc=str(tmp_path / "elsewhere"))[0]


# Cityscapes


def test_cityscapes_label_ids_become_train_ids(tmp_path: Path) -> None:
    for split, city in (("train", "ulm"), ("train", "aachen"), ("val", "lindau")):
        stem = f"{city}_000000_000019"
        layouts.picture(tmp_path / "leftImg8bit" / split / city / f"{stem}_leftImg8bit.png")
        ids = bands(7, 8, 33, 31, 0, 29, 30, 4)
        layouts.png(tmp_path / "gtFine" / split / city / f"{stem}_gtFine_labelIds.png", ids)
        layouts.png(tmp_path / "gtFine" / split / city / f"{stem}_gtFine_instanceIds.png", ids)
    dataset = data.open("cityscapes", tmp_path)
    dataset.check()
    assert names(dataset) == ["aachen_000000_000019", "ulm_000000_000019"]
    assert labels(dataset)[:8] == [0, 1, 18, 16, 255, 255, 255, 255]
    assert (dataset.classes[18], dataset.colors[0]) == ("bicycle", (128, 64, 128))
    assert len(data.open("cityscapes", tmp_path, "val")) == 1
    (tmp_path / "gtFine" / "train" / "ulm" / "ulm_000000_000019_gtFine_labelIds.png").unlink()
    with pytest.raises(DataError, match=r"1 problem:\n.*ulm_000000_000019_gtFine_labelIds.png: no such file"):
        data.open("cityscapes", tmp_path).check()
    with pytest.raises(DataError, match=r"no split 'test'"):
        data.open("cityscapes", tmp_path, "test")


# ISBI


def slices(root: Path, count: int) -> Path:
    for number in range(count):
        layouts.png(root / "train" / "image" / f"{number}.png", np.full((6, 6), number, np.uint8))
        layouts.png(root / "train" / "label" / f"{number}.png", bands(0, 255, size=(6, 6)))
    return root


def test_isbi_folds_hold_out_blocks_that_cover_all_slices(tmp_path: Path) -> None:
    root = slices(tmp_path, 12)
    held_out = []
    for fold in range(5):
        train, val = (data.open("isbi", root, split, fold=fold) for split in ("train", "val"))
        numbers = [int(sample.image[0, 0, 0]) for sample in val]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert not set(names(train)) & set(names(val))
        assert len(train) + len(val) == 12
        held_out += numbers
    assert held_out == list(range(12))
    assert len(data.open("isbi", root, "all")) == 12
    assert labels(data.open("isbi", root))[:2] == [0, 1]
    for wrong in ({"fold": 5}, {"folds": 1}, {"folds": 13}):
        with pytest.raises(DataError, match=r"data set 'isbi': folds? is \d+; expected"):
            data.open("isbi", root, **wrong)


def test_isbi_volumes_are_the_same_as_slices(tmp_path: Path) -> None:
    root = slices(tmp_path / "slices", 4)
    for kind, name in (("image", "train-volume.tif"), ("label", "train-labels.tif")):
        pages = [Image.open(root / "train" / kind / f"{number}.png") for number in range(4)]
        (tmp_path / "volumes").mkdir(exist_ok=True)
        pages[0].save(tmp_path / "volumes" / name, save_all=True, append_images=pages[1:])
    one, other = (data.open("isbi", place, folds=2) for place in (root, tmp_path / "volumes"))
    assert names(one) == names(other)
    for a, b in zip(one, other, strict=True):
        assert np.array_equal(a.image, b.image) and np.array_equal(a.label, b.label)


def test_isbi_names_errors(tmp_path: Path) -> None:
    root = slices(tmp_path, 4)
    layouts.png(root / "train" / "label" / "2.png", bands(0, 128, size=(6, 6)))
    layouts.png(root / "train" / "label" / "3.png", bands(0, size=(5, 6)))
    with pytest.raises(DataError) as caught:
        data.open("isbi", root, "all", folds=2).check()
    assert "label/2.png: holds 128; expected 0, 255" in str(caught.value)
    assert "label/3.png: slice 3 has 6×6 and 6×5 pixels" in str(caught.value)
    with pytest.raises(DataError, match=r"has no image and no label.*train-volume.tif"):
        data.open("isbi", tmp_path / "train" / "image")


def test_the_published_slices(shared: Path) -> None:
    dataset = data.open("isbi", shared / "data" / "isbi_em_membrane", "all")
    assert len(dataset) == 30
    membrane = np.mean([sample.label == 0 for sample in dataset])
    assert dataset[7].image.shape == (512, 512, 3)
    assert 0.15 < membrane < 0.3  # dark lines between bright cells


def test_damaged_pictures_are_named_and_can_be_left_out(tmp_path: Path) -> None:
    root = layouts.voc(tmp_path, bands(0), train=["a", "b", "c"])
    (root / "JPEGImages" / "b.jpg").write_bytes((root / "JPEGImages" / "b.jpg").read_bytes()[:300])
    dataset = data.open("voc", root)
    indices, problems = dataset.usable()
    assert list(indices) == [0, 2]
    assert len(problems) == 1 and "b.jpg: is damaged" in problems[0]
    kept = data.Subset(dataset, indices)
    assert names(kept) == ["a", "c"]
    assert (kept.split, kept.classes, kept.pictures) == (dataset.split, dataset.classes, dataset.pictures)
    with pytest.raises(FcnliteError, match=r"b.jpg"):
        dataset.check()

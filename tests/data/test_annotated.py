"""Data sets of LabelMe, COCO and CVAT: folders whose label maps are known, and what is wrong with others."""

from __future__ import annotations

import base64
import io
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fcnlite import data
from fcnlite.errors import DataError, FcnliteError, FileError
from tests.data import drawn

pytest.importorskip("pycocotools", reason="needs the extra labels (pycocotools)")
pytest.importorskip("shapely", reason="needs the extra labels (shapely)")


def opened(name: str, root: Path, split: str = "train", **options: Any) -> data.Dataset:
    options = {"val": 0, **options}
    return data.open(name, root, split, **{key: value for key, value in options.items() if value is not None})


def labelme(root: Path) -> None:
    drawn.labelme(root, "a", "b")
    drawn.labelme(root / "more", "c")


def coco(root: Path) -> None:
    drawn.coco(root / "annotations" / "instances_default.json", root / "images", "a.png", "b.png", "more/c.png")


def cvat(root: Path) -> None:
    drawn.cvat(root, "a", "b", "more_c")


@pytest.mark.parametrize("make", [labelme, coco, cvat])
def test_every_format_gives_the_truth(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path)
    dataset = opened(make.__name__, tmp_path)
    dataset.check()
    assert dataset.classes == drawn.CLASSES
    assert sorted(each.replace("_", "/") for each in (dataset[i].name for i in range(3))) == ["a", "b", "more/c"]
    for i in range(3):
        np.testing.assert_array_equal(dataset[i].label, drawn.truth())
        assert dataset[i].image.shape == (*drawn.SIZE, 3)


@pytest.mark.parametrize("make", [labelme, coco, cvat])
def test_missing_files_are_named_and_skipped_only_when_asked(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path)
    lost = next(path for path in tmp_path.rglob("b.png") if "Class" not in path.parts[-2])
    lost.rename(lost.with_name("stray.png"))
    with pytest.raises(DataError, match=r"2 problems:\n.*b") as error:
        opened(make.__name__, tmp_path)
    assert "stray.png" in str(error.value)
    dataset = opened(make.__name__, tmp_path, skip_bad=True)
    indices, problems = dataset.usable()
    assert (len(dataset), list(indices), len(problems)) == (2, [0, 1], 2)


@pytest.mark.parametrize("name", ["labelme", "coco"])
def test_faulty_objects_are_counted_and_void_when_asked(name: str, tmp_path: Path) -> None:
    bow = [[3, 14], [9, 18], [9, 14], [3, 18]]
    wide = [[25, 10], [40, 10], [40, 12], [25, 12]]
    if name == "labelme":
        faulty = [
            drawn.shape("cell", bow),
            drawn.shape("cell", wide),
            drawn.shape("cell", [[1, 1], [5, 5]], "line"),
        ]
        drawn.labelme(tmp_path, "a", content=[*drawn.shapes(), *faulty])
        drawn.labelme(tmp_path / "b", "c")
    else:
        faulty = [
            {"id": 90, "image_id": 1, "category_id": 3, "segmentation": [drawn.flat(bow)]},
            {"id": 91, "image_id": 1, "category_id": 3, "segmentation": [drawn.flat(wide)]},
            {"id": 92, "image_id": 1, "category_id": 3, "bbox": [1, 1, 4, 4]},
        ]
        made = [*drawn.annotations(1), *drawn.annotations(2), *faulty]
        drawn.coco(tmp_path / "labels.json", tmp_path / "images", "a.png", "c.png", content=made)
    strict = opened(name, tmp_path)
    indices, problems = strict.usable()
    assert len(indices) == 1
    assert [words for words in ("crosses itself", "reaches outside", "has") if words not in "".join(problems)] == []
    assert len(problems) == 3
    with pytest.raises(DataError, match="3 problems"):
        opened(name, tmp_path).check()
    with pytest.raises(DataError, match=r"crosses itself near .* 2 more of its objects cannot be used"):
        strict[0]
    lenient = opened(name, tmp_path, skip_bad=True)
    indices, problems = lenient.usable()
    assert (len(indices), len(problems)) == (2, 3)
    label, wanted = lenient[0].label, drawn.truth()
    np.testing.assert_array_equal(label[:, :3], wanted[:, :3])
    assert (label[10:12, 25:30] == 255).all() and label[16, 3] == 255 and label[14, 6] == 0
    np.testing.assert_array_equal(label[:10], wanted[:10])


@pytest.mark.parametrize("name", ["labelme", "coco"])
def test_unknown_classes(name: str, tmp_path: Path) -> None:
    {"labelme": labelme, "coco": coco}[name](tmp_path)
    with pytest.raises(DataError, match=r"\(nucleus\) is of no class of the list"):
        opened(name, tmp_path, classes=["cell", "nuclei"]).check()
    kept = opened(name, tmp_path, classes=["cell", "nuclei"], others="void")
    kept.check()
    assert (kept[0].label == 255).sum() == 16
    assert (opened(name, tmp_path, classes=["cell", "nuclei"], others="background")[0].label == 0).sum() == (
        (drawn.truth() == 0).sum() + 16
    )
    rest = opened(name, tmp_path, rest="void")
    assert rest.classes == ("cell", "nucleus")
    assert ((rest[0].label == 255) == (drawn.truth() == 0)).all()


def test_other_shapes_of_labelme(tmp_path: Path) -> None:
    stamp = io.BytesIO()
    Image.fromarray(np.array([[255, 0, 255]], np.uint8)).convert("1").save(stamp, "PNG")
    drawn.labelme(
        tmp_path,
        "a",
        content=[
            drawn.shape("cell", [[8, 5], [2, 1]], "rectangle"),
            drawn.shape("cell", [[20, 10], [20, 14]], "circle"),
            drawn.shape("dot", [[1, 17], [3, 17]], "mask", mask=base64.b64encode(stamp.getvalue()).decode()),
        ],
    )
    dataset = opened("labelme", tmp_path)
    dataset.check()
    label = dataset[0].label
    assert (label[1:5, 2:8] == 1).all() and label[10, 20] == 1 and label[10, 16] == 1 and label[6, 16] == 0
    assert label[17, :5].tolist() == [0, 2, 0, 2, 0]


@pytest.mark.parametrize(
    "change, words",
    [
        ({"imageHeight": 21}, r"a.png: is 30×20 pixels, but its label .*a.json is 30×21"),
        ({"imageHeight": "x"}, r"a.json: its picture has 30×'x' pixels"),
        ({"shapes": [3]}, "a.json: its shapes are not a list of objects"),
        ({"shapes": [drawn.shape("cell", [[1, "x"]])]}, "has no points"),
        ({"shapes": [drawn.shape("cell", [[1, 1]], "circle")]}, "is a circle of 1 points; expected 2"),
        ({"shapes": [drawn.shape("cell", [[1, 1], [2, 2]], "mask", mask="!!")]}, "has a mask that cannot be read"),
        ({"shapes": [drawn.shape("", [[1, 1], [2, 2], [1, 3]])]}, r"shape 1 \(no name\) is of no class"),
        ({"imagePath": "../../../other.png", "shapes": []}, None),
        ({"imagePath": "..\\pictures\\a.png"}, None),
        ({"imageHeight": None, "imageWidth": None}, None),
    ],
)
def test_damaged_and_foreign_files_of_labelme(change: dict[str, Any], words: str | None, tmp_path: Path) -> None:
    drawn.labelme(tmp_path, "a", **change)
    options = {"classes": ["cell", "nucleus"]}
    if words is None:
        opened("labelme", tmp_path, **options).check()
        return
    with pytest.raises(DataError, match=words):
        opened("labelme", tmp_path, **options).check()


def test_other_json_files_are_left_alone_and_damaged_ones_named(tmp_path: Path) -> None:
    labelme(tmp_path)
    (tmp_path / "package.json").write_text("{}")
    assert len(opened("labelme", tmp_path)) == 3
    (tmp_path / "a.json").write_text('{"shapes": [')
    with pytest.raises(DataError, match=r"a.json: is not a JSON file"):
        opened("labelme", tmp_path)


def test_folders_and_lists_divide_labelme(tmp_path: Path) -> None:
    drawn.labelme(tmp_path / "train", "a", "b")
    drawn.labelme(tmp_path / "val", "c")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # all pictures are equal
        assert [len(opened("labelme", tmp_path, split, val=None)) for split in ("train", "val")] == [2, 1]
        (tmp_path / "val.txt").write_text("train/a\n")
        (tmp_path / "train" / "d").mkdir()
        drawn.labelme(tmp_path, "e")
        assert [len(opened("labelme", tmp_path, split, val=None)) for split in ("train", "val")] == [3, 1]


def test_coco_in_the_places_of_its_tools(tmp_path: Path) -> None:
    official, roboflow, studio = tmp_path / "coco", tmp_path / "roboflow", tmp_path / "studio"
    for split, name in (("train2017", "1.png"), ("val2017", "2.png")):
        drawn.coco(official / "annotations" / f"instances_{split}.json", official / split, name)
        (official / "annotations" / f"captions_{split}.json").write_text("{}")
    for split, name in (("train", "1.png"), ("valid", "2.png"), ("test", "3.png")):
        drawn.coco(roboflow / split / "_annotations.coco.json", roboflow / split, name)
    drawn.coco(studio / "result.json", studio, "images/1.png", "images/2.png")
    for root in (official, roboflow):
        for split, name in (("train", "1"), ("val", "2")):
            dataset = opened("coco", root, split, val=None)
            dataset.check()
            assert [dataset[0].name, len(dataset)] == [name, 1]
    assert len(opened("coco", studio)) == 2
    with pytest.raises(DataError, match="each split has its own file"):
        opened("coco", official, val=0.5)
    assert opened("coco", official, "val", annotations="annotations/instances_train2017.json", val=0.5)[0].name == "1"
    (studio / "other.json").write_text("{}")
    with pytest.raises(DataError, match=r"other.json and .*result.json both look like .* annotations=FILE"):
        opened("coco", studio)


def test_crowds_and_masks_of_coco(tmp_path: Path) -> None:
    runs = [0, 40, 560]  # the first two columns
    drawn.coco(
        tmp_path / "a.json",
        tmp_path / "images",
        "a.png",
        content=[
            {"id": 1, "image_id": 1, "category_id": 3, "iscrowd": 1, "segmentation": {"size": [20, 30], "counts": runs}}
        ],
    )
    with pytest.warns(UserWarning, match="1 of 1 objects of 'cell' are crowds .* give crowd=class"):
        assert (opened("coco", tmp_path)[0].label[:, :2] == 255).all()
    found = opened("coco", tmp_path, crowd="class")[0].label
    assert (found[:, :2] == 1).all() and not found[:, 2:].any()


@pytest.mark.parametrize(
    "change, words",
    [
        ({"categories": 3}, r"a.json: does not hold COCO's instances, since it has no list 'categories'"),
        ({"categories": [{"id": 3, "name": "cell"}]}, r"\(category 7\) has a category that the file does not list"),
        ({"categories": [{"id": 3, "name": "a"}, {"id": 3, "name": "b"}]}, r"two categories of the id 3 \('a', 'b'\)"),
        ({"images": [{"id": 1, "file_name": "../a.png"}]}, "a picture without a usable id and file_name"),
        ({"images": [{"id": 1, "file_name": "a.png", "height": 1 << 19, "width": 524288}]}, "at most 134217728 pixels"),
        ({"images": [{"id": 1, "file_name": "a.png", "height": True, "width": 30}]}, "has 30×True pixels"),
        ({"images": [{"id": 5, "file_name": "a.png", "height": 20, "width": 30}]}, "3 annotations belong to no pict"),
        ({"images": [{"id": 1, "file_name": "b.png", "height": 20, "width": 30}]}, "its picture b.png is not in"),
        (
            {"annotations": [{"image_id": 1, "category_id": 3, "segmentation": [[1, 2, 3]]}]},
            "points that are not pairs",
        ),
        ({"annotations": [{"image_id": 1, "category_id": 3, "segmentation": [[1, 2, 3, 4]]}]}, "polygon of 2 points"),
        ({"annotations": [{"image_id": 1, "category_id": [], "segmentation": []}]}, r"category \[\]"),
    ],
)
def test_damaged_files_of_coco(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    drawn.coco(tmp_path / "a.json", tmp_path / "images", "a.png", **change)
    with pytest.raises((DataError, FileError), match=words):
        opened("coco", tmp_path).check()


def test_pictures_of_another_split_in_the_same_folder_are_no_problem(tmp_path: Path) -> None:
    drawn.coco(tmp_path / "train.json", tmp_path / "images", "a.png")
    drawn.coco(tmp_path / "val.json", tmp_path / "images", "b.png")
    assert opened("coco", tmp_path, val=None)[0].name == "a"
    drawn.picture(tmp_path / "images" / "c.png")
    with pytest.raises(DataError, match=r"c.png: is not in .*train.json"):
        opened("coco", tmp_path, val=None)


def test_cvat_reads_lists_and_refuses_other_colours(tmp_path: Path) -> None:
    cvat(tmp_path)
    lists = tmp_path / "ImageSets" / "Segmentation"
    (lists / "default.txt").unlink()
    (lists / "train.txt").write_text("a\nb\n")
    (lists / "val.txt").write_text("more_c\n")
    assert opened("cvat", tmp_path, "val", val=None)[0].name == "more_c"
    void = opened("cvat", tmp_path, val=None, rest="void")
    assert void.classes == ("cell", "nucleus")
    assert ((void[0].label == 255) == (drawn.truth() == 0)).all()
    (tmp_path / "labelmap.txt").write_text("cell:250,50,83::\nbackground:0,0,0::\n")
    with pytest.raises(DataError, match="colours that the table does not have: 51 221 255"):
        opened("cvat", tmp_path, val=None).check()
    (lists / "val.txt").write_text("more_c\nd\n")
    with pytest.raises(DataError, match="lists 'd', but there is no such pair"):
        opened("cvat", tmp_path, val=None)


def test_deep_slices_keep_their_bits(tmp_path: Path) -> None:
    drawn.labelme(tmp_path, "a")
    (tmp_path / "a.png").unlink()
    Image.fromarray(np.full(drawn.SIZE, 3000, np.uint16)).save(tmp_path / "a.tif")
    dataset = opened("labelme", tmp_path)
    dataset.check()
    assert dataset[0].image.dtype == np.uint16
    assert dataset.preprocessing.bits == 16


def test_without_the_libraries_the_message_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    labelme(tmp_path)
    monkeypatch.setitem(sys.modules, "shapely", None)
    with pytest.raises(FcnliteError, match=r"the package shapely .*pip install 'fcnlite\[labels\]'"):
        opened("labelme", tmp_path).check()


def test_files_of_the_tools_have_keys_that_are_not_read(tmp_path: Path) -> None:
    coco(tmp_path)
    path = tmp_path / "annotations" / "instances_default.json"
    held = json.loads(path.read_text())
    held["info"] = {"year": 2026}
    held["licenses"] = []
    for each in held["annotations"]:
        each.update(area=3.5, bbox=[0, 0, 1, 1], attributes={"occluded": False})
    path.write_text(json.dumps(held))
    opened("coco", tmp_path).check()

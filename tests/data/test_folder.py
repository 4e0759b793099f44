"""A folder of one's own pictures: matching, splits, classes, and everything that can be wrong with them."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fcnlite import data
from fcnlite.data.splits import held_out
from fcnlite.data.transforms import to_blob
from fcnlite.errors import DataError, FcnliteError

Pairs = Callable[[int], Path]


def names(dataset: data.Dataset) -> set[str]:
    return {dataset[index].name for index in range(len(dataset))}


def opened(root: Path, split: str = "train", **options) -> data.Dataset:
    dataset = data.open("folder", root, split, **options)
    dataset.check()
    return dataset


def write_label(root: Path, name: str, label: np.ndarray) -> None:
    Image.fromarray(label).save(root / "labels" / f"{name}.png")


def test_pairs_are_matched_by_name_and_read(pairs: Pairs) -> None:
    root = pairs(5)
    picture = Image.open(root / "images" / "p0.png")
    (root / "images" / "p0.png").unlink()
    picture.save(root / "images" / "p0.JPG", format="BMP")
    train, val = opened(root), opened(root, "val")
    assert names(train) | names(val) == {f"p{number}" for number in range(5)}
    assert not names(train) & names(val)
    assert train.classes == ("class 0", "class 1", "class 2")
    assert train.colors == data.voc_colors(3)
    sample = train[0]
    assert sample.image.shape == (8, 12, 3)
    assert np.array_equal(sample.label, np.arange(96).reshape(8, 12) % 3)


def test_subdirectories_are_part_of_the_name(pairs: Pairs) -> None:
    root = pairs(2)
    for kind in ("images", "labels"):
        (root / kind / "day").mkdir()
        (root / kind / "p0.png").rename(root / kind / "day" / "p0.png")
        (root / kind / ".hidden.png").write_text("left out")
    assert names(opened(root, val=0)) == {"day/p0", "p1"}


def test_directories_of_other_names(pairs: Pairs) -> None:
    root = pairs(2)
    (root / "images").rename(root / "photos")
    (root / "labels").rename(root / "masks")
    assert len(opened(root, images="photos", labels=root / "masks", val=0)) == 2


def test_classes_from_option_file_or_labels(pairs: Pairs) -> None:
    root = pairs(2)
    assert opened(root, classes=["a", "b", "c"]).classes == ("a", "b", "c")
    assert len(opened(root, classes=7).classes) == 7
    (root / "classes.txt").write_text("sky\n\nroad\ncar\ntree\n")
    assert opened(root).classes == ("sky", "road", "car", "tree")
    for wrong in (1, 256, 10**12, (), "sky"):
        with pytest.raises(DataError, match=r"expected (2 to 255|a count)"):
            opened(root, classes=wrong)
    (root / "classes.txt").write_text("\n")
    with pytest.raises(DataError, match=r"0 classes are given .*classes.txt"):
        opened(root)


def test_void_is_no_class(pairs: Pairs) -> None:
    root = pairs(2)
    label = np.array([[0, 1, 255] * 4] * 8, np.uint8)
    write_label(root, "p0", label)
    dataset = opened(root, val=0)
    assert len(dataset.classes) == 3
    assert np.array_equal(dataset[0].label, label)


# Splits


def test_adding_pictures_moves_no_other() -> None:
    everything = [f"picture {number}" for number in range(500)]
    before, after = held_out(set(everything[:100]), 0.2), held_out(set(everything), 0.2)
    assert before == after & set(everything[:100])


@given(st.sets(st.text(), min_size=1), st.floats(1e-9, 0.99))
def test_at_least_one_isheld_out(names: set[str], fraction: float) -> None:
    assert held_out(names, fraction) & names


def test_the_fractionheld_out() -> None:
    everything = {f"picture {number}" for number in range(1000)}
    assert 160 < len(held_out(everything, 0.2)) < 240
    assert held_out(everything, 0) == set()


@pytest.mark.filterwarnings("ignore:.*neither train.txt nor val.txt:UserWarning")
def test_splits_by_file(pairs: Pairs) -> None:
    root = pairs(4)
    (root / "val.txt").write_text("p1\n")
    assert names(opened(root, "val")) == {"p1"}
    assert names(opened(root)) == {"p0", "p2", "p3"}
    (root / "train.txt").write_text("p0\np3\n")
    assert names(opened(root)) == {"p0", "p3"}
    assert names(opened(root, "val")) == {"p1"}
    (root / "val.txt").unlink()
    assert names(opened(root, "val")) == {"p1", "p2"}
    assert len(opened(root, val=0)) == 4  # the option beats the files


def test_split_files_that_are_wrong(pairs: Pairs) -> None:
    root = pairs(3)
    (root / "val.txt").write_text("p1\np9\n")
    with pytest.raises(DataError, match=r"val.txt: lists 'p9', but no pair"):
        opened(root)
    (root / "val.txt").write_text("p1\n")
    (root / "train.txt").write_text("p0\np1\n")
    with pytest.raises(DataError, match=r"val.txt: lists 'p1', as .*train.txt does"):
        opened(root)
    (root / "train.txt").write_text("")
    with pytest.raises(DataError, match=r"the split 'train' is empty"):
        opened(root)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"val": 1.0}, "val is 1.0; expected a fraction"),
        ({"val": -0.1}, "val is -0.1"),
        ({"val": 0, "split": "val"}, "the split 'val' is empty with 2 pictures and val=0"),
    ],
)
def test_fractions_that_are_wrong(pairs: Pairs, options: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        opened(pairs(2), **options)


# What is found before training starts


def test_labels_out_of_range_are_named_with_their_values(pairs: Pairs) -> None:
    root = pairs(3)
    write_label(root, "p1", np.array([[0, 5, 6, 7, 9, 255] * 2] * 8, np.uint8))
    with pytest.raises(DataError, match=r"p1.png: holds 5 to 7, 9; expected 0 to 2, 255 \(3 classes\)"):
        opened(root, classes=3, val=0)
    write_label(root, "p1", np.arange(0, 192, 2, dtype=np.uint8).reshape(8, 12))
    with pytest.raises(DataError, match=r"p1.png: holds 4, 6, 8, 10, 12, 14, 16, 18, \.\.\.; expected"):
        opened(root, classes=3, val=0)


def test_masks_are_recognised_and_can_be_asked_for(pairs: Pairs) -> None:
    root = pairs(2)
    mask = np.array([[0, 255] * 6] * 8, np.uint8)
    for name in ("p0", "p1"):
        write_label(root, name, mask)
    for options in ({}, {"classes": 2}):
        with pytest.raises(DataError, match=r"hold only 0 and 255 .*binary_masks=True"):
            opened(root, **options)
    dataset = opened(root, val=0, binary_masks=True)
    assert dataset.classes == ("background", "foreground")
    assert np.array_equal(dataset[0].label, mask // 255)
    with pytest.raises(DataError, match=r"needs 2 classes, but 3 are given"):
        opened(root, binary_masks=True, classes=3)
    write_label(root, "p1", mask // 2)
    with pytest.raises(DataError, match=r"p1.png: holds 127; expected 0, 255"):
        opened(root, val=0, binary_masks=True)


def test_one_label_of_background_and_void_is_no_mask(pairs: Pairs) -> None:
    root = pairs(2)
    write_label(root, "p0", np.array([[0, 255] * 6] * 8, np.uint8))
    assert set(np.unique(opened(root, val=0, classes=3)[0].label)) == {0, 255}


def test_labels_of_one_class_are_refused(pairs: Pairs) -> None:
    root = pairs(2)
    for name in ("p0", "p1"):
        write_label(root, name, np.zeros((8, 12), np.uint8))
    with pytest.raises(DataError, match=r"all labels are class 0"):
        opened(root)


def test_missing_partners_and_jpeg_labels(pairs: Pairs) -> None:
    root = pairs(4)
    (root / "labels" / "p0.png").unlink()
    (root / "images" / "p1.png").unlink()
    (root / "labels" / "p2.png").rename(root / "labels" / "p2.jpg")
    (root / "images" / "p3.bmp").write_bytes(b"")
    with pytest.raises(DataError) as caught:
        opened(root)
    message = str(caught.value)
    assert re.search(r"images/p0.png: has no label .*labels/p0.png", message)
    assert re.search(r"labels/p1.png: no picture .* has this name", message)
    assert re.search(r"labels/p2.jpg: is no PNG", message)
    assert re.search(r"p3.(bmp|png): p3.(bmp|png) has the same name", message)


def test_check_lists_every_bad_file_at_once(pairs: Pairs) -> None:
    root = pairs(5)
    write_label(root, "p0", np.zeros((4, 4), np.uint8))
    (root / "images" / "p1.png").write_bytes((root / "images" / "p1.png").read_bytes()[:90])
    Image.fromarray(np.zeros((8, 12, 3), np.uint8)).save(root / "labels" / "p2.png")
    seen: list[tuple[int, int]] = []
    dataset = data.open("folder", root, val=0, classes=3)
    with pytest.raises(DataError) as caught:
        dataset.check(progress=lambda done, total: seen.append((done, total)))
    message = str(caught.value)
    assert "3 problems" in message
    assert re.search(r"images/p0.png: is 12×8 pixels, but its label .*labels/p0.png is 4×4", message)
    assert re.search(r"images/p1.png: is damaged", message)
    assert re.search(r"labels/p2.png: holds colours", message)
    assert seen == [(number, 5) for number in range(1, 6)]


def test_a_long_list_is_cut(pairs: Pairs) -> None:
    root = pairs(14)
    for number in range(13):
        write_label(root, f"p{number}", np.full((8, 12), 9, np.uint8))
    with pytest.raises(DataError) as caught:
        opened(root, val=0, classes=3)
    lines = str(caught.value).splitlines()
    assert "13 problems" in lines[0]
    assert len(lines) == 12
    assert lines[-1] == "  and 3 more."


def test_bad_labels_are_named_where_classes_are_counted(pairs: Pairs) -> None:
    root = pairs(3)
    (root / "labels" / "p1.png").write_text("no picture")
    with pytest.raises(DataError, match=r"labels/p1.png: is not a picture"):
        data.open("folder", root)


def test_folders_that_are_empty_or_missing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"images: is no directory"):
        opened(tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    with pytest.raises(DataError, match=r"images: holds no pictures"):
        opened(tmp_path)


def test_a_file_that_vanishes_later_is_named_too(pairs: Pairs) -> None:
    root = pairs(2)
    dataset = opened(root, val=0)
    (root / "images" / "p1.png").unlink()
    with pytest.raises(FcnliteError, match=r"p1.png: no such file"):
        dataset[1]


# Real files


def test_palette_labels_of_voc(shared: Path) -> None:
    root = shared / "data" / "voc2012_subset"
    dataset = opened(root, images="JPEGImages", labels="SegmentationClass", classes=21, val=0)
    found = set().union(*(np.unique(sample.label).tolist() for sample in dataset))
    assert len(dataset) == 17
    assert 255 in found
    assert found - {255} <= set(range(21))
    assert len(found) > 5


def test_membrane_masks(shared: Path) -> None:
    root = shared / "data" / "isbi_em_membrane" / "train"
    with pytest.raises(DataError, match=r"0 and 255 \(.*png and 29 others\).*binary_masks=True"):
        data.open("folder", root, images="image", labels="label")
    dataset = data.open("folder", root, images="image", labels="label", binary_masks=True)
    assert set(np.unique(dataset[0].label)) == {0, 1}
    assert dataset[0].image.shape == (512, 512, 3)


# Colour-coded labels

TABLE = "# red green blue name\n128 0 0 roof\n0, 128, 0, green lawn\n0 0 128 roof\n0 0 0 void\n"


def write_colors(root: Path, *colors: tuple[int, int, int]) -> None:
    for name in ("p0", "p1"):
        write_label(root, name, np.resize(np.array(colors, np.uint8), (8, 12, 3)))


def test_a_table_says_what_colours_mean(pairs: Pairs) -> None:
    root = pairs(2)
    (root / "colors.txt").write_text(TABLE)
    write_colors(root, (128, 0, 0), (0, 128, 0), (0, 0, 128), (0, 0, 0))
    dataset = opened(root, val=0)
    assert dataset.classes == ("roof", "green lawn")
    assert dataset.colors == ((128, 0, 0), (0, 128, 0))
    assert dataset[0].label[0, :4].tolist() == [0, 1, 0, 255]
    palette = Image.fromarray(np.resize(np.array([7, 9], np.uint8), (8, 12)))
    palette.putpalette([0] * 21 + [0, 128, 0] + [0] * 3 + [128, 0, 0])
    palette.save(root / "labels" / "p0.png")
    assert opened(root, val=0)[0].label[0, :2].tolist() == [1, 0]
    (root / "colors.txt").rename(root / "legend.txt")
    assert opened(root, val=0, colors="legend.txt").classes == dataset.classes


def test_colours_without_a_table_are_shown_as_it_has_them(pairs: Pairs) -> None:
    root = pairs(2)
    write_colors(root, (128, 0, 0), (128, 0, 0), (0, 128, 0))
    words = r"labels show colours \(p0.png\).*colors.txt, .*Found: 128 0 0 \(66.7 %\), 0 128 0 \(33.3 %\)"
    with pytest.raises(DataError, match=words):
        opened(root, val=0)


def test_colours_that_are_not_in_the_table_are_named(pairs: Pairs) -> None:
    root = pairs(2)
    (root / "colors.txt").write_text(TABLE)
    write_colors(root, (128, 0, 0), (1, 2, 3))
    with pytest.raises(DataError, match=r"p0.png: holds colours that the table does not have: 1 2 3 \(48 pixels\)"):
        opened(root, val=0)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ("1 2 3 a\n1 2 3 b\n", r"line 2: the colour 1 2 3 is given twice"),
        ("1 2 300 a\n", r"line 1: found '1 2 300 a', expected one line a class"),
        ("road 1 2\n", r"line 1: found 'road 1 2'"),
        ("1 2 3 a\n0 0 0 void\n", r"names 1 classes; expected 2 to 255"),
    ],
)
def test_tables_that_are_wrong(pairs: Pairs, table: str, words: str) -> None:
    root = pairs(2)
    (root / "colors.txt").write_text(table)
    with pytest.raises(DataError, match=words):
        opened(root, val=0)


def test_a_table_and_classes_exclude_each_other(pairs: Pairs) -> None:
    root = pairs(2)
    (root / "colors.txt").write_text(TABLE)
    assert opened(root, val=0, classes=3).classes == ("class 0", "class 1", "class 2")
    for options in ({"classes": 3}, {"binary_masks": True}):
        with pytest.raises(DataError, match=r"exclude each other"):
            opened(root, val=0, colors="colors.txt", **options)


# Labels that lost their numbers


def blobs_of_classes(*values: object) -> np.ndarray:
    """Large squares of three values, 90×120."""
    squares = np.array([[0, 1, 2, 1], [2, 0, 1, 0], [1, 2, 0, 2]])
    return np.array(values, np.uint8)[squares].repeat(30, 0).repeat(30, 1)


def enlarged(root: Path) -> None:
    for name in ("p0", "p1"):
        Image.new("RGB", (120, 90)).save(root / "images" / f"{name}.png")


def smoothed(label: np.ndarray) -> np.ndarray:
    return np.array(Image.fromarray(label).resize((80, 60), Image.Resampling.BILINEAR).resize((120, 90), 2))


def as_jpeg(label: np.ndarray, tmp_path: Path) -> np.ndarray:
    Image.fromarray(label).save(tmp_path / "x.jpg", quality=85)
    return np.array(Image.open(tmp_path / "x.jpg"))


REMEDY = "make the labels anew, resizing by nearest neighbour"


@pytest.mark.parametrize("spoil", ["smoothed", "as_jpeg"])
def test_blended_numbers_are_recognised(pairs: Pairs, tmp_path: Path, spoil: str) -> None:
    root = pairs(2)
    enlarged(root)
    label = blobs_of_classes(0, 60, 120)
    spoilt = smoothed(label) if spoil == "smoothed" else as_jpeg(label, tmp_path)
    for name in ("p0", "p1"):
        write_label(root, name, spoilt)
    with pytest.raises(DataError, match=rf"classes cannot be counted: .*{REMEDY}.*classes=N"):
        opened(root, val=0)
    with pytest.raises(DataError, match=rf"p0.png: holds .*; expected 0 to 9, 255 .* on edges, .*{REMEDY}"):
        opened(root, val=0, classes=10)


@pytest.mark.parametrize("spoil", ["smoothed", "as_jpeg"])
def test_blended_colours_are_recognised(pairs: Pairs, tmp_path: Path, spoil: str) -> None:
    root = pairs(2)
    enlarged(root)
    (root / "colors.txt").write_text(TABLE)
    label = blobs_of_classes((128, 0, 0), (0, 128, 0), (0, 0, 0))
    spoilt = smoothed(label) if spoil == "smoothed" else as_jpeg(label, tmp_path)
    for name in ("p0", "p1"):
        write_label(root, name, spoilt)
    with pytest.raises(DataError, match=rf"p0.png: holds \d+ colours that the table does not have.*{REMEDY}"):
        opened(root, val=0)


def test_blending_within_the_classes_is_warned_of(pairs: Pairs) -> None:
    root = pairs(2)
    enlarged(root)
    for name in ("p0", "p1"):
        write_label(root, name, smoothed(blobs_of_classes(0, 60, 120)))
    with pytest.warns(UserWarning, match=rf"on edges.*{REMEDY}"):
        opened(root, val=0, classes=121)
    for name in ("p0", "p1"):
        write_label(root, name, blobs_of_classes(0, 60, 120))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        opened(root, val=0, classes=121)


# Pictures of 16 bits


def test_gray_pictures_of_sixteen_bits_keep_their_values(pairs: Pairs) -> None:
    root = pairs(2)
    deep = np.arange(96, dtype=np.uint16).reshape(8, 12) * 40
    for name in ("p0", "p1"):
        Image.fromarray(deep).save(root / "images" / f"{name}.png")
    dataset = opened(root, val=0, white=4000)
    assert np.array_equal(dataset[0].image, deep)
    assert (dataset.preprocessing.bits, dataset.preprocessing.mean) == (16, (2000.0,) * 3)
    blob = to_blob(dataset[0].image, dataset.preprocessing)
    assert blob[:, 0, 0] == pytest.approx([-127.5] * 3)
    assert blob[2, 7, 11] == pytest.approx((3800 - 2000) * 255 / 4000)
    Image.fromarray(np.zeros((8, 12, 3), np.uint8)).save(root / "images" / "p1.png")
    with pytest.raises(DataError, match=r"p1.png: is no gray picture of 16 bits"):
        opened(root, val=0)
    with pytest.raises(DataError, match=r"white is 0; expected 1 to 65535"):
        opened(root, val=0, white=0)


# Skipping what is bad


def test_what_cannot_be_used_is_passed_over_when_asked(pairs: Pairs) -> None:
    root = pairs(6)
    (root / "labels" / "p1.png").unlink()
    (root / "images" / "p2.png").unlink()
    (root / "labels" / "p3.png").write_text("damaged")
    (root / "images" / "p4.png").write_bytes((root / "images" / "p4.png").read_bytes()[:80])
    with pytest.raises(DataError, match=r"2 problems"):
        data.open("folder", root, val=0)
    dataset = data.open("folder", root, val=0, skip_bad=True)
    assert len(dataset.classes) == 3
    indices, problems = dataset.usable()
    assert names(data.Subset(dataset, indices)) == {"p0", "p5"}
    assert len(problems) == 4
    for name in ("p1", "p2", "p3", "p4"):
        assert sum(f"{name}.png" in problem for problem in problems) == 1


def test_palettes_that_differ_are_colours(pairs: Pairs) -> None:
    root = pairs(2)
    for name, colors in (("p0", [0, 0, 0, 255, 0, 0]), ("p1", [255, 0, 0, 0, 0, 0])):
        label = Image.fromarray(np.resize(np.array([0, 1], np.uint8), (8, 12)))
        label.putpalette(colors)
        label.save(root / "labels" / f"{name}.png")
    words = r"palettes that differ \(0 is 0 0 0 in p0.png, 255 0 0 in p1.png\).*Found: .*255 0 0 \(50.0 %\)"
    for options in ({}, {"classes": 2}):
        with pytest.raises(DataError, match=words):
            opened(root, val=0, **options)
    (root / "colors.txt").write_text("0 0 0 ground\n255 0 0 roof\n")
    assert opened(root, val=0)[1].label[0, :2].tolist() == [1, 0]
    with pytest.raises(DataError, match=r"colors.txt, which the colours of the labels want, and classes exclude"):
        opened(root, val=0, classes=2)


@pytest.mark.parametrize("spoil", ["blurred", "jpeg"])
def test_blended_colours_are_recognised_without_a_table_too(pairs: Pairs, tmp_path: Path, spoil: str) -> None:
    root = pairs(2)
    for name in ("p0", "p1"):
        Image.new("RGB", (160, 120)).save(root / "images" / f"{name}.png")
        sharp = np.zeros((120, 160, 3), np.uint8)
        sharp[20:70, 30:90] = (255, 0, 0)
        sharp[50:110, 60:150] = (0, 255, 0)
        label = Image.fromarray(sharp)
        if spoil == "blurred":
            label = label.resize((81, 61), Image.Resampling.BILINEAR).resize((160, 120), Image.Resampling.BILINEAR)
        else:
            label.save(tmp_path / "lossy.jpg", quality=60)
            label = Image.open(tmp_path / "lossy.jpg")
        label.save(root / "labels" / f"{name}.png")
    with pytest.raises(DataError, match=r"others, which look anti-aliased or .* \(JPEG\): make the labels anew"):
        opened(root, val=0)


def test_one_blended_label_is_named_and_can_be_left_out(pairs: Pairs) -> None:
    root = pairs(6)
    smooth = np.clip(np.add.outer(np.arange(40), np.arange(60)) * 2, 0, 254).astype(np.uint8)
    sharp = np.kron(np.arange(6).reshape(2, 3) % 3, np.ones((20, 20))).astype(np.uint8)
    for number in range(6):
        Image.new("RGB", (60, 40)).save(root / "images" / f"p{number}.png")
        write_label(root, f"p{number}", smooth if number == 4 else sharp)
    with pytest.raises(DataError, match=r"cannot be counted: .* \(p4.png\)"):
        opened(root, val=0)
    dataset = data.open("folder", root, "train", val=0, skip_bad=True)
    assert len(dataset.classes) == 3
    good, problems = dataset.usable()
    assert len(good) == 5
    assert len(problems) == 1 and "p4.png" in problems[0]


def test_a_label_with_losses_comes_with_the_remedy(pairs: Pairs) -> None:
    root = pairs(2)
    Image.open(root / "labels" / "p0.png").convert("L").save(root / "labels" / "p0.jpg")
    (root / "labels" / "p0.png").unlink()
    with pytest.raises(DataError, match=r"p0.jpg: is no PNG; .*: make the labels anew"):
        opened(root, val=0)


def test_a_table_may_begin_with_a_byte_order_mark(pairs: Pairs) -> None:
    root = pairs(2)
    (root / "classes.txt").write_text("ground\nroof\nroad\n", encoding="utf-8-sig")
    assert opened(root, val=0).classes == ("ground", "roof", "road")

"""The list of augmentation: its entries as text, edits of it, and what is refused before training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fcnlite import data
from fcnlite.data.augmentation import TRANSFORMS, Augment, edited
from fcnlite.data.augmentation.base import Transform
from fcnlite.description.model_info import Preprocessing
from fcnlite.errors import DataError

SHAPES = data.open("shapes", count=3, size=32)


@pytest.mark.parametrize("kind", TRANSFORMS.values(), ids=lambda kind: kind.name)
def test_every_transform_reads_its_own_text_and_has_a_docstring_form_and_example(kind: type[Transform]) -> None:
    (made,) = Augment.of([kind.example]).transforms
    assert type(made) is kind
    assert Augment.of([str(made)]).transforms == (made,)
    assert kind.form.partition("=")[0] == kind.example.partition("=")[0] == kind.name == kind.__name__.lower()
    assert kind.__doc__ and kind.about and kind.__module__.endswith(f".{kind.name}")


def test_a_list_is_the_same_as_text_and_by_keyword() -> None:
    by_name = Augment(flip=True, scale=(0.5, 2), crop=[288, 384], brightness=0.1 + 0.2, elastic=(8, 32), turn=False)
    assert by_name.entries == (
        "scale=0.5:2", "crop=288:384", "flip", "brightness=0.30000000000000004", "elastic=8:32",
    )  # fmt: skip
    assert Augment.of(by_name.entries) == by_name and hash(by_name) == hash(Augment.of(by_name.entries))
    assert Augment.of(["scale=0.5:2:log", "elastic=8:64"]).entries == ("scale=0.5:2:log", "elastic=8")
    assert by_name.changed(crop=None, flip=False, hue=0.1).entries[-1] == "hue=0.1"
    assert (by_name.crop, Augment().crop) == ((288, 384), None)
    assert repr(Augment(flip=True)) == "Augment.of(['flip'])"
    assert Augment(brightness=0, shift=0, crop=None, scale=None) == Augment()


def test_edits_of_a_list() -> None:
    base = ("crop=8:8", "flip", "brightness=0.3")
    assert edited(base, ["brightness=0.5", "noise=2"]) == ("crop=8:8", "flip", "brightness=0.5", "noise=2")
    assert edited(base, ["flip=off", "turn=off"]) == ("crop=8:8", "brightness=0.3")
    assert edited(base, ["none"]) == ()
    assert edited(base, ["none", "flip"]) == ("flip",)
    assert edited(base, []) == base
    for edits, message in (
        (["flip", "none"], "none: empties the list, so it comes first"),
        (["flip", "flip=off"], "flip: is added and removed"),
        (["noise=2", "noise=3"], "noise: is in the list twice, noise=2 and noise=3"),
        (["nose=off"], "augmentation 'nose' is unknown; did you mean 'noise'"),
    ):
        with pytest.raises(DataError, match=message):
            edited(base, edits)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("scale=0:1", "0 < LOW ≤ HIGH"),
        ("scale=2:1", "0 < LOW ≤ HIGH"),
        ("scale=1:inf", "0 < LOW ≤ HIGH"),
        ("scale=1", "expected scale=LOW:HIGH"),
        ("scale=1:2:3", "uniform or log"),
        ("crop=0:5", "at least 1"),
        ("crop=5x5", "expected crop=HEIGHT:WIDTH, such as crop=288:384"),
        ("crop=1.5:5", "expected crop=HEIGHT:WIDTH"),
        ("flip=1", "expected flip"),
        ("brightness=1.1", "above 0, at most 1"),
        ("brightness=nan", "above 0, at most 1"),
        ("brightness", "expected brightness=X"),
        ("contrast=-1", "above 0, at most 1"),
        ("gamma=4", "above 0, at most 3"),
        ("saturation=2", "above 0, at most 1"),
        ("temperature=2", "above 0, at most 1"),
        ("hue=0.6", "above 0, at most 0.5"),
        ("noise=300", "above 0, at most 255"),
        ("blur=0", "above 0, at most 100"),
        ("shift=0", "at least 1 pixel"),
        ("rotation=190", "at most 180 degrees"),
        ("perspective=0.3", "at most 0.25"),
        ("elastic=20", "a quarter of the spacing"),
        ("elastic=1:2", "at least 4 pixels"),
        ("cutout=0", "at least 1 rectangle"),
        ("cutout=1:1", "below 1"),
        ("cutout=4:0.5", "COUNT · SHARE² below 1, not 1"),
        ("classcrop=1.5", "a probability"),
        ("cutmix=0", "a probability"),
        ("classmix=2", "a probability"),
        ("brighness=0.5", "did you mean 'brightness'"),
        ("", "augmentation '' is unknown"),
    ],
)
def test_bad_entries_are_one_sentence(entry: str, expected: str) -> None:
    with pytest.raises(DataError) as caught:
        Augment.of([entry])
    words = str(caught.value)
    assert expected in words and words.endswith((".", "?")) and "\n" not in words
    assert entry in words or "is unknown" in words


def test_bad_keywords_are_one_sentence() -> None:
    for values, message in (
        ({"shift": -1}, "shift=-1: expected at least 1 pixel"),
        ({"flip": 0.5}, "flip: has the value 0.5; expected flip"),
        ({"crop": 5}, "crop: has the value 5; expected crop=HEIGHT:WIDTH"),
        ({"brightness": True}, "brightness: has the value True; expected brightness=X"),
        ({"zoom": 2}, "augmentation 'zoom' is unknown"),
        ({"cutmix": 0.75, "classmix": 0.5}, "cutmix=0.75 classmix=0.5: a picture is mixed in one way"),
    ):
        with pytest.raises(DataError, match=message):
            Augment(**values)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (["scale=0.01:1"], r"scale=0.01:1: leaves less than a pixel of .*, whose shorter side has 32 pixels"),
        (["classcrop=0.5"], "classcrop=0.5: chooses the place of a crop; add crop=HEIGHT:WIDTH"),
        (["cutmix=1"], "cutmix=1: puts a part of one picture over another, so both need one size; add crop"),
    ],
)
def test_lists_that_do_not_fit_the_data(entries: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Augment.of(entries).check(SHAPES)


def test_mixing_needs_two_pictures_and_a_larger_crop_is_padded() -> None:
    Augment.of(["crop=64:64", "cutmix=0.5", "classmix=0.5"]).check(SHAPES)
    with pytest.raises(DataError, match=r"classmix=1: needs a second picture, and data set 'shapes' \(train\) has one"):
        Augment.of(["crop=8:8", "classmix=1"]).check(data.open("shapes", count=1, size=32))


class Bands(data.Dataset):
    """Pictures of 16 bits, beside distances."""

    splits = ("train",)

    def __init__(self) -> None:
        depth = Preprocessing(color="DEPTH", mean=(7.0,), bits=16)
        bands = Preprocessing(mean=(9.0,) * 3, bits=16, others={"depth": depth})
        super().__init__("bands", "train", SHAPES.labels, bands, ("data", "depth"))

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> data.Sample:
        deep = np.full((9, 9), 5, np.uint16)
        return data.Sample({"data": deep, "depth": deep}, {"label": np.zeros((9, 9), np.uint8)}, str(index))


def test_transforms_of_colours_are_refused_for_other_pictures() -> None:
    for name in ("gamma=0.5", "temperature=0.1", "saturation=0.5", "hue=0.1"):
        Augment.of([name]).check(SHAPES)
        with pytest.raises(DataError, match=f"{name}: changes colours, and the pictures of data set 'bands' are not"):
            Augment.of([name]).check(Bands())
    Augment.of(["brightness=0.5", "contrast=0.5", "noise=9", "blur=1", "rotation=5"]).check(Bands())


def test_a_transform_is_one_file_one_entry_and_one_row_of_the_docs() -> None:
    folder = Path(data.__file__).parent / "augmentation"
    files = {each.stem for each in folder.glob("*.py")}
    assert files >= set(TRANSFORMS)
    page = (Path(data.__file__).parents[2] / "docs" / "augmentation.md").read_text(encoding="utf-8")
    rows = [
        line.split("`")[1] for line in page.partition("## What is refused")[0].splitlines() if line.startswith("| `")
    ]
    assert sorted(rows) == sorted(kind.form for kind in TRANSFORMS.values())

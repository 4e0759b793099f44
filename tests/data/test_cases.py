"""The correct results for files from the shared folder that once caused errors."""

from __future__ import annotations

import runpy
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

import fcnlite
from fcnlite import data
from fcnlite.data.pictures import read_image
from fcnlite.errors import DataError, FcnliteError


@pytest.fixture
def users(shared: Path) -> Path:
    return shared / "cases" / "users"


@pytest.mark.parametrize("name", ["mean_file", "raw", "power"])
def test_means_are_those_of_caffe(users: Path, name: str) -> None:
    folder = users / "01-mean-ignored"
    net = fcnlite.load(folder / f"{name}.prototxt", folder / f"{name}.caffemodel")
    assert (fcnlite.Segmenter(net)(folder / f"{name}.png") == 1).all()


def test_two_threads_get_the_label_maps_of_one(users: Path) -> None:
    segmenter = fcnlite.Segmenter(Path(__file__).parents[2] / "weights" / "shapes-fcn8s.h5")
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (96, 96, 3), np.uint8) for _ in range(8)]
    wanted = [segmenter(each) for each in pictures]
    with ThreadPoolExecutor(2) as pool:
        for found, right in zip(pool.map(segmenter, pictures * 3), wanted * 3, strict=True):
            np.testing.assert_array_equal(found, right)


def made(users: Path, name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run the case's make.py in `folder`. Returns the folder of photos that it writes."""
    monkeypatch.chdir(folder)
    script = folder / "make.py"
    script.write_text((users / name / "make.py").read_text())
    runpy.run_path(str(script), run_name="__main__")
    return folder / "photos"


def test_all_sixteen_bits_of_a_tiff_are_read(users: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = made(users, "03-16bit-colour-tiff", tmp_path, monkeypatch)
    dataset = data.open("folder", photos)
    dataset.check()
    files = sorted((photos / "images").iterdir())
    stored = {path.stem: tifffile.imread(path) for path in files if path.suffix.startswith(".tif")}
    assert stored
    for i in range(len(dataset)):
        if dataset[i].name in stored:
            np.testing.assert_array_equal(dataset[i].image, stored[dataset[i].name])
    assert len(dataset.preprocessing.std) == 3 and dataset.preprocessing.bits == 16
    with pytest.raises(DataError, match="more than 8 bits"):
        read_image(files[0])


def test_masks_of_128_are_no_129_classes(users: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = made(users, "05-gray-mask-129-classes", tmp_path, monkeypatch)
    with pytest.raises(FcnliteError, match=r"(?s)0, 128.*masks=nonzero.*masks=threshold:128.*remap=.*classes=N"):
        data.open("folder", photos)
    dataset = data.open("folder", photos, masks="nonzero")
    assert len(dataset.classes) == 2
    label = np.asarray(Image.open(photos / "labels" / f"{dataset[0].name}.png"))
    np.testing.assert_array_equal(dataset[0].label, label != 0)


def test_fork_types_of_both_forms_make_the_same_net(users: Path) -> None:
    nets = []
    for form in ("v1", "v2"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            nets.append(fcnlite.load(users / "11-v1-fork-type" / f"{form}.prototxt", phase="TRAIN"))
    first, second = (net.info.preprocessing for net in nets)
    assert (first.mean, first.scale) == (second.mean, second.scale)
    assert [layer.spec.top for layer in nets[0].layers] == [layer.spec.top for layer in nets[1].layers]

"""Batches: the same whatever came before, read ahead, and closed cleanly."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from fcnlite import data
from fcnlite.data import Augment, Loader, Sample
from fcnlite.data.augmentation import TRANSFORMS
from fcnlite.data.loader import blobs
from fcnlite.data.transforms import from_blob, to_blob
from fcnlite.description.model_info import Labels, Preprocessing
from fcnlite.errors import DataError, FcnliteError

PREPROCESSING = Preprocessing()
ALL = Augment.of(
    [
        "scale=0.5:1.5:log", "turn", "crop=24:24", "classcrop=0.5", "flip", "brightness=0.5", "shift=3", "rotation=10",
        "perspective=0.1", "elastic=4:16", "contrast=0.5", "gamma=0.7", "temperature=0.2", "saturation=0.8", "hue=0.1",
        "blur=1", "noise=9", "cutout=2", "cutmix=0.3", "classmix=0.4",
    ]
)  # fmt: skip
SINGLE = ALL.changed(cutmix=None, classmix=None)


class Numbered(data.Dataset):
    """Sample k is a 4×4 picture of label k; some can be made to fail, to differ in size or to take long."""

    splits = ("train",)

    def __init__(self, count: int, seconds: float = 0, fails: int = -1, larger: int = -1) -> None:
        labels = Labels(tuple(map(str, range(255))), data.voc_colors(255))
        super().__init__("numbered", "train", {"label": labels})
        self.count, self.seconds, self.fails, self.larger = count, seconds, fails, larger
        self.reads = 0

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        self.reads += 1
        time.sleep(self.seconds)
        if index == self.fails:
            raise RuntimeError("worn out")
        side = 5 if index == self.larger else 4
        label = np.full((side, side), index, np.uint8)
        return Sample({"data": np.repeat(label[:, :, None], 3, axis=2)}, {"label": label}, f"number {index}")


def take(count: int, start: int = 0, **options) -> list[dict[str, np.ndarray]]:
    settings = {"dataset": data.open("shapes", count=10, size=32), "batch_size": 3, "augment": ALL, "seed": 5}
    loader = Loader(**{**settings, "preprocessing": PREPROCESSING, **options})
    return list(islice(loader.batches(start), count))


def same(first: list[dict[str, np.ndarray]], second: list[dict[str, np.ndarray]]) -> bool:
    return all(
        np.array_equal(a[name], b[name]) for a, b in zip(first, second, strict=True) for name in ("data", "label")
    )


def loader_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("fcnlite-loader")]


def test_the_list_has_every_transform() -> None:
    assert {each.name for each in ALL.transforms} == set(TRANSFORMS)


def test_shapes_and_types() -> None:
    (batch,) = take(1)
    assert batch["data"].shape == (3, 3, 24, 24)
    assert batch["data"].dtype == np.float32
    assert batch["data"].flags.c_contiguous
    assert batch["label"].shape == (3, 1, 24, 24)
    assert batch["label"].dtype == np.uint8


def test_a_batch_is_the_same_whatever_came_before_and_however_many_threads() -> None:
    batches = take(9)
    assert same(batches, take(9, threads=1, ahead=1))
    assert same(batches[4:], take(5, start=4 * 3))
    assert not same(batches, take(9, seed=6))


def test_batches_of_another_size_go_on_with_the_next_sample() -> None:
    """Over the end of the first epoch, at sample 10."""
    samples = take(24, batch_size=1)
    four = take(3, batch_size=4, start=7)
    for name in ("data", "label"):
        single = np.concatenate([batch[name] for batch in samples[7:19]])
        assert np.array_equal(single, np.concatenate([batch[name] for batch in four]))


def test_the_seed_determines_order_and_augmentation() -> None:
    def order(seed: int) -> list[int]:
        batches = take(20, dataset=Numbered(20), batch_size=1, augment=None, seed=seed)
        return [int(batch["label"][0, 0, 0, 0]) for batch in batches]

    assert order(5) != order(6)
    one = {"dataset": data.open("shapes", count=1, size=32), "augment": SINGLE}
    assert same(take(4, **one), take(4, **one))
    assert not same(take(4, **one), take(4, **one, seed=6))


def test_data_and_label_belong_together_and_each_epoch_has_every_sample_once() -> None:
    batches = take(8, dataset=Numbered(6), batch_size=3, augment=None)
    indices = np.array([batch["label"][:, 0, 0, 0] for batch in batches]).reshape(4, 6)
    for batch in batches:
        for blob, label in zip(batch["data"], batch["label"], strict=True):
            assert np.all(from_blob(blob, PREPROCESSING) == label[0][:, :, None])
    assert np.array_equal(np.sort(indices, axis=1), np.tile(np.arange(6), (4, 1)))
    assert len({tuple(epoch) for epoch in indices.tolist()}) > 1


def test_augmentation_differs_from_epoch_to_epoch() -> None:
    first, second = take(2, dataset=data.open("shapes", count=1, size=32), batch_size=1, augment=SINGLE)
    assert not np.array_equal(first["data"], second["data"])


def test_reading_ahead_is_bounded() -> None:
    dataset = Numbered(100)
    batches = Loader(dataset, batch_size=2, preprocessing=PREPROCESSING, ahead=3).batches()
    next(batches)
    time.sleep(0.1)
    assert dataset.reads == 6
    batches.close()


def test_the_time_waited_is_counted() -> None:
    slow = Loader(Numbered(9, seconds=0.02), batch_size=2, preprocessing=PREPROCESSING, threads=1)
    for _ in islice(slow.batches(), 2):
        pass
    assert 0.06 < slow.waited < 2


def test_closing_ends_the_threads() -> None:
    batches = Loader(Numbered(100, seconds=0.01), batch_size=4, preprocessing=PREPROCESSING).batches()
    next(batches)
    assert loader_threads()
    batches.close()
    assert not loader_threads()


def test_an_iterator_left_open_does_not_hold_up_the_exit() -> None:
    program = (
        "from fcnlite import data; from fcnlite.description.model_info import Preprocessing\n"
        "batches = data.Loader(data.open('shapes'), batch_size=4, preprocessing=Preprocessing()).batches()\n"
        "next(batches)"
    )
    done = subprocess.run([sys.executable, "-c", program], timeout=20, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_errors_reach_the_consumer_and_name_the_file(pairs: Callable[[int], Path]) -> None:
    root = pairs(4)
    dataset = data.open("folder", root, val=0)
    (root / "images" / "p2.png").write_text("no picture any more")
    with pytest.raises(FcnliteError, match=r"p2.png: is not a picture"):
        take(4, dataset=dataset, batch_size=1)
    with pytest.raises(DataError, match=r"'numbered' \(train\), sample 3: cannot be loaded .*worn out"):
        take(6, dataset=Numbered(6, fails=3), batch_size=1)
    assert not loader_threads()


def test_sizes_that_differ_need_a_crop_or_single_pictures() -> None:
    dataset = Numbered(4, larger=2)
    with pytest.raises(DataError, match=r"number \d is \d×\d and number \d .*set crop or a batch size of 1"):
        take(1, dataset=dataset, batch_size=4, augment=None)
    assert len(take(4, dataset=dataset, batch_size=1, augment=None)) == 4
    assert take(1, dataset=dataset, batch_size=4, augment=Augment(crop=(3, 3)))[0]["data"].shape == (
        4,
        3,
        3,
        3,
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "expected 1 or more"),
        ({"threads": 0}, "expected 1 or more"),
        ({"ahead": 0}, "expected 1 or more"),
        ({"dataset": Numbered(0)}, "is empty"),
        ({"seed": -3}, "seed -3"),
    ],
)
def test_settings_out_of_range(options: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        take(1, **options)


def test_an_epoch_for_evaluation_is_in_order_and_unchanged() -> None:
    dataset = data.open("shapes", count=7, size=32)
    seen = list(data.epoch(dataset))
    assert [sample.name for sample in seen] == [dataset[index].name for index in range(7)]
    assert np.array_equal(seen[5].label, dataset[5].label)
    assert np.array_equal(seen[5].image, dataset[5].image)


def test_an_epoch_reads_a_few_samples_ahead_and_ends_its_thread() -> None:
    dataset = Numbered(50)
    samples = data.epoch(dataset)
    next(samples)
    time.sleep(0.1)
    assert dataset.reads == 3
    samples.close()
    assert not loader_threads()


def test_blobs_are_named_as_the_pictures_and_labels_are() -> None:
    sample = data.open("shapes", count=1, size=32)[0]
    made = blobs(sample, PREPROCESSING)
    assert list(made) == ["data", "label"]
    assert np.array_equal(made["data"], to_blob(sample.image, PREPROCESSING))
    assert np.array_equal(made["label"], sample.label[None])

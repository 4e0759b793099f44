"""The samples of custom data sets are checked wherever they are read."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fcnlite.data import Dataset, Loader, Sample, epoch
from fcnlite.description.model_info import Labels, Preprocessing
from fcnlite.errors import DataError
from fcnlite.segmentation.evaluation import evaluate
from tests.color_net import CLASSES, COLORS, color_net

IMAGE = np.zeros((40, 30, 3), np.uint8)
LABEL = np.zeros((40, 30), np.uint8)


class Given(Dataset):
    """The samples it is given."""

    splits = ("train", "val")

    def __init__(self, *samples: Any, blobs: tuple[str, ...] = ("label",)) -> None:
        labels = {name: Labels(CLASSES, COLORS) for name in blobs}
        super().__init__("given", "train", labels)
        self._samples = samples

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Any:
        found = self._samples[index]
        return found() if callable(found) else found


def sample(image: Any = IMAGE, label: Any = LABEL, name: Any = "s") -> Sample:
    return Sample({"data": image}, {"label": label}, name)


def fails() -> Sample:
    return {}["gone"]  # type: ignore[no-any-return]


WRONG: dict[str, tuple[Any, str]] = {
    "float label": (
        sample(label=LABEL.astype(np.float32)),
        r"label 'label' is of type float32; expected H×W of type uint8.*astype",
    ),
    "int64 label": (sample(label=LABEL.astype(np.int64)), "label 'label' is of type int64; expected H×W of type uint8"),
    "row short": (sample(label=LABEL[:-1]), r"differ in height × width \(data 40×30, label 39×30\)"),
    "transposed": (sample(label=LABEL.T), r"\(data 40×30, label 30×40\)"),
    "channel axis": (
        sample(label=LABEL[None]),
        r"label 'label' has shape 1×40×30 \(it has an extra axis of length 1.*squeeze",
    ),
    "colours": (sample(label=IMAGE), "label 'label' has shape 40×30×3; expected H×W"),
    "class": (
        sample(label=LABEL + 3),
        "label 'label' holds 3, but the data set has 3 classes: expected 0 to 2, or 255",
    ),
    "list": (sample(label=LABEL.tolist()), "label 'label' is a list; expected a NumPy array"),
    "CHW": (
        sample(image=IMAGE.transpose(2, 0, 1)),
        r"image 'data' has shape 3×40×30, which looks like C×H×W; .*transpose\(1, 2, 0\)",
    ),
    "gray CHW": (sample(image=IMAGE[:, :, 0][None]), "image 'data' has shape 1×40×30, which looks like C×H×W"),
    "bands": (
        sample(image=np.zeros((40, 30, 17), np.uint8)),
        "image 'data' has shape 40×30×17; expected H×W or H×W×C with at most 16",
    ),
    "float64": (sample(image=IMAGE / 255), r"image 'data' is of type float64; .*use .astype\(np.float32\)"),
    "int64": (sample(image=IMAGE.astype(int)), r"image 'data' is of type int64; .*astype\(np.uint8\) if all"),
    "batch": (sample(image=IMAGE[None]), "image 'data' has shape 1×40×30×3; expected H×W"),
    "empty": (sample(image=IMAGE[:0]), "image 'data' has shape 0×30×3; expected H×W"),
    "name": (sample(name=7), "its name is 7; expected a string"),
    "blob": (
        Sample({"image": IMAGE}, {"label": LABEL}, "s"),
        "its images are for 'image', but the data set's pictures are for 'data'",
    ),
    "label blob": (
        Sample({"data": IMAGE}, {}, "s"),
        "its labels are for no blob, but the data set's labels are for 'label'",
    ),
    "bare": (
        Sample(IMAGE, {"label": LABEL}, "s"),
        "its images are a ndarray; expected arrays by blob, such as {'data': array}",
    ),  # type: ignore[arg-type]
    "pair": ((IMAGE, LABEL), r"is a tuple; expected fcnlite.data.Sample\(images, labels, name\)"),
    "error": (fails, r"cannot be loaded \(KeyError: 'gone'\)"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_sample_is_named_wherever_it_is_read(kind: str) -> None:
    wrong, words = WRONG[kind]
    dataset = Given(sample(), wrong)
    message = rf"data set 'given' \(train\), sample 1( \('s'\))?: .*{words}"
    with pytest.raises(DataError, match=rf"1 problem:\n  {message}"):
        dataset.check()
    with pytest.raises(DataError, match=f"^{message}"):
        list(epoch(dataset))
    with pytest.raises(DataError, match=f"^{message}"):
        evaluate(color_net(), dataset)
    loader = Loader(dataset, batch_size=1, preprocessing=Preprocessing())
    with pytest.raises(DataError, match=f"^{message}"):
        for _, _ in zip(loader.batches(), range(4), strict=False):
            pass


@pytest.mark.parametrize(
    "image",
    [IMAGE, IMAGE[:, :, 0], IMAGE[:, :, :1], np.zeros((40, 30, 16), np.uint16), np.zeros((40, 30, 6), np.float32)],
    ids=lambda image: f"{image.shape} {image.dtype}",
)
def test_right_samples_pass(image: np.ndarray) -> None:
    label = LABEL.copy()
    label[0], label[1] = 255, 2
    Given(sample(image, label)).check()


def test_small_pictures_are_not_taken_for_turned_ones() -> None:
    Given(sample(np.zeros((3, 9, 3), np.uint8), np.zeros((3, 9), np.uint8))).check()


def test_several_label_maps_have_one_order() -> None:
    two = Sample({"data": IMAGE}, {"sem": LABEL, "geo": LABEL}, "s")
    Given(two, blobs=("sem", "geo")).check()
    with pytest.raises(DataError, match="labels are for 'sem', 'geo', but the data set's labels are for 'geo', 'sem'"):
        Given(two, blobs=("geo", "sem")).check()

"""Custom data sets, by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from fcnlite import data
from fcnlite.data import Dataset, Sample
from fcnlite.description.model_info import Labels
from fcnlite.errors import DataError

COLORS = ((0, 0, 0), (255, 255, 255))


class Mine(Dataset):
    splits = ("train", "val")

    def __init__(self, split: str = "train", count: int = 3, classes: Sequence[str] = ("dark", "light")) -> None:
        super().__init__("mine", split, {"label": Labels(tuple(classes), COLORS)})
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Sample:
        image = np.full((4, 5, 3), 60 * index, np.uint8)
        return Sample({"data": image}, {"label": (image[:, :, 0] > 100).astype(np.uint8)}, f"m{index}")


@pytest.fixture(autouse=True)
def registers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(data, "_DATASETS", dict(data._DATASETS))
    yield


def test_a_registered_set_is_opened_by_name_with_its_options() -> None:
    assert data.register("mine")(Mine) is Mine
    assert "mine" in data.names()
    assert data.usual_splits("mine") == ("train", "val")
    assert list(data.options("mine")) == ["count", "classes"]
    opened = data.open("mine", split="val", count=2, classes=["a", "b"])
    assert (type(opened), len(opened), opened.split, opened.classes) == (Mine, 2, "val", ("a", "b"))
    opened.check()
    with pytest.raises(DataError, match="no data set is called 'mime'; did you mean 'mine'"):
        data.open("mime")
    with pytest.raises(DataError, match="has no option 'cuont'; did you mean 'count'"):
        data.open("mine", cuont=3)


def test_a_taken_name_is_an_error() -> None:
    with pytest.raises(DataError, match=r"data set 'voc' is registered already, by fcnlite\.data\.voc"):
        data.register("voc")(Mine)
    data.register("mine")(Mine)
    with pytest.raises(DataError, match="'mine' is registered already"):
        data.register("mine")(Mine)


def init(*, kwargs: bool = False, split: bool = True, default: bool = True) -> Any:
    def taking_all(self: Mine, split: str, **options: Any) -> None: ...
    def without_split(self: Mine, root: str) -> None: ...
    def without_default(self: Mine, split: str, count: int) -> None: ...

    return taking_all if kwargs else without_default if not default else without_split


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"splits": ()}, "has no tuple of its splits; add, for example, splits"),
        ({"splits": "train"}, "has no tuple of its splits"),
        ({"splits": ("all",)}, r"usual is \('train', 'val'\); expected two of its splits \(all\)"),
        ({"usual": ("train",)}, r"usual is \('train',\)"),
        ({"__init__": init(split=False)}, "its __init__ takes no split"),
        ({"__init__": init(kwargs=True)}, r"its __init__ has \*\*options: 'Any'; .*name every option"),
        ({"__init__": init(default=False)}, "its option count has no default"),
    ],
)
def test_a_class_that_lacks_something_is_an_error(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=f"data set class Other: {words}"):
        data.register("other")(type("Other", (Mine,), changes))
    assert "other" not in data.names()


def test_registering_other_classes_is_an_error() -> None:
    class Half(Dataset):
        splits = ("train", "val")

        def __len__(self) -> int:
            return 0

    with pytest.raises(DataError, match="class Half: lacks __getitem__"):
        data.register("half")(Half)
    with pytest.raises(DataError, match=r"class dict: is not a subclass of fcnlite\.data\.Dataset"):
        data.register("half")(dict)  # type: ignore[type-var]
    with pytest.raises(DataError, match=r"@data.register\('mine'\) above Mine"):
        data.register(Mine)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="'my set': expected only letters"):
        data.register("my set")


def test_an_init_that_forgets_its_base_is_an_error() -> None:
    def forgets(self: Mine, split: str = "train") -> None:
        self._count = 1

    data.register("other")(type("Other", (Mine,), {"__init__": forgets}))
    with pytest.raises(DataError, match=r"class Other: its __init__ does not call super\(\).__init__"):
        data.open("other")

"""What every data set is: a sequence of labelled pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from fcnlite.data.problems import Progress, raise_if_any, try_all
from fcnlite.data.sample import Sample, check_sample
from fcnlite.data.statistics import Statistics
from fcnlite.description.spec import Labels, Preprocessing
from fcnlite.errors import DataError, FcnliteError
from fcnlite.text import classes_in_words, html_table


class Dataset(ABC):
    """A sequence of samples; reading one is safe from several threads at a time."""

    splits: ClassVar[tuple[str, ...]]
    usual: ClassVar[tuple[str, str]] = ("train", "val")
    """The splits that are trained on and measured on, unless others are asked for."""
    published: ClassVar[str] = ""
    """Of a set that lies in files: where it is published, and how its folder must look."""

    def __init__(
        self,
        name: str,
        split: str,
        labels: Mapping[str, Labels],
        preprocessing: Preprocessing | None = None,
        pictures: Sequence[str] = ("data",),
    ) -> None:
        self.name = name
        self.split = split
        self.labels = labels
        """What its label maps mean, by the blob that they are fed to; the first is the one that counts."""
        self._preprocessing = preprocessing
        self.bands: tuple[int, ...] = ()
        """The bands that were asked for, if any were."""
        self.pictures = tuple(pictures)
        """The blobs that its pictures are fed to."""
        self.sizes: dict[tuple[int, int], str] = {}
        """Heights and widths that `usable` has met, each with the name of a sample that has it."""
        self.skipped: Sequence[str] = ()
        """What is wrong with the samples that were left out."""
        self.statistics = Statistics()
        """What `usable` has found in the samples that it has read."""
        self.origin = ""
        """What generated samples depend on beside split and index; empty where they are read."""

    @property
    def preprocessing(self) -> Preprocessing:
        """How its pictures are fed: in its own way, else as bytes less ImageNet's mean."""
        return self.own_preprocessing or Preprocessing()

    @property
    def own_preprocessing(self) -> Preprocessing | None:
        """How its pictures are fed whatever the net says: depth, bands, a mean of its own. None: as the net says."""
        return self._preprocessing

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of the first label."""
        return next(iter(self.labels.values())).classes

    @property
    def colors(self) -> tuple[tuple[int, int, int], ...]:
        """(red, green, blue) of each class of the first label, for display."""
        return next(iter(self.labels.values())).colors

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> Sample: ...

    def check(self, progress: Progress | None = None) -> None:
        """Read every sample once, in a few threads; raise one `DataError` that lists those of no use.

        What `__getitem__` returns is checked too: types, shapes, sizes, labels within the classes, names of blobs.

        Pictures are decoded too: a header tells the size but not that the file ends halfway.
        `progress(done, total)` is called in the calling thread after each sample.
        """
        _, problems = self.usable(progress)
        raise_if_any(f"data set {self.name!r} ({self.split})", problems)

    def usable(self, progress: Progress | None = None) -> tuple[Sequence[int], list[str]]:
        """Read every sample, as `check` does: the indices of those that can be used, what is wrong with the others."""

        def read(index: int) -> int:
            self._visit(index)  # not returned: the pictures of a whole set need not fit into memory
            return index

        return try_all(read, range(len(self)), progress)

    def _visit(self, index: int) -> Sample:
        sample = read_sample(self, index)
        height, width = sample.image.shape[:2]
        self.sizes.setdefault((height, width), sample.name)
        self.statistics.add(index, sample)
        return sample

    def __repr__(self) -> str:
        """CamVid 'camvid' (train): 367 samples, pictures for data; label: 11 classes (sky, building, ...)"""
        try:
            classes = (f"{blob}: {classes_in_words(each.classes)}" for blob, each in self.labels.items())
            return "; ".join((f"{self._title()}, pictures for {', '.join(self.pictures)}", *classes))
        except Exception:  # a set of somebody's own, or one that is half made
            return object.__repr__(self)

    def _repr_html_(self) -> str | None:
        """The same for notebooks, with a table of classes and their colours."""
        try:
            lines = [("label", "class", "name", "red, green, blue")]
            for blob, labels in self.labels.items():
                colors = [", ".join(map(str, each)) for each in labels.colors] or [""] * len(labels.classes)
                named = zip(labels.classes, colors, strict=True)
                lines += [(blob, str(i), name, color) for i, (name, color) in enumerate(named)]
            return html_table(f"{self._title()}, pictures for {', '.join(self.pictures)}", lines, "<><<")
        except Exception:
            return None

    def _title(self) -> str:
        return f"{type(self).__name__} {self.name!r} ({self.split}): {len(self):,} samples"


class Subset(Dataset):
    """The samples of `whole` with these indices; `skipped`: what is wrong with the others."""

    def __init__(self, whole: Dataset, indices: Sequence[int], skipped: Sequence[str] = ()) -> None:
        super().__init__(whole.name, whole.split, whole.labels, pictures=whole.pictures)
        self.sizes = whole.sizes
        self.skipped = skipped
        self.origin = whole.origin
        if whole.statistics.covers(indices):
            self.statistics = whole.statistics.renumbered(indices)
        self._whole = whole
        self.bands = whole.bands
        self._indices = indices

    @property
    def own_preprocessing(self) -> Preprocessing | None:
        return self._whole.own_preprocessing

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> Sample:
        return self._whole[self._indices[index]]


def read_sample(dataset: Dataset, index: int) -> Sample:
    """Sample `index` of the set, checked.

    Raises `DataError`, naming set, split and sample, for one that cannot be read or is no sample: pictures that are
    not H×W or H×W×C of uint8, uint16 or float32, labels that are not H×W of uint8 below the number of classes or 255,
    other sizes among them, blobs that the set does not name.
    """
    try:
        sample = dataset[index]
    except FcnliteError:
        raise
    except Exception as error:
        raise DataError(f"{where(dataset, index)}: cannot be loaded ({type(error).__name__}: {error}).") from error
    try:
        check_sample(sample, dataset.pictures, dataset.labels)
    except DataError as error:
        name = getattr(sample, "name", None)
        called = f" ({name!r})" if isinstance(name, str) else ""
        raise DataError(f"{where(dataset, index)}{called}: {error}") from error
    return sample


def where(dataset: Dataset, index: int) -> str:
    return f"data set {dataset.name!r} ({dataset.split}), sample {index}"

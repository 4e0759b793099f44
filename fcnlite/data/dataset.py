"""The base class of all data sets: a sequence of labelled pictures."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

from fcnlite.data.problems import Progress, raise_if_any, try_all
from fcnlite.data.sample import Sample, check_sample
from fcnlite.data.statistics import Statistics
from fcnlite.description.model_info import Labels, Preprocessing
from fcnlite.errors import DataError, FcnliteError, lacks_memory
from fcnlite.text import classes_in_words, html_table


class Dataset(ABC):
    """A sequence of samples. Several threads may read samples at the same time."""

    splits: ClassVar[tuple[str, ...]]
    usual: ClassVar[tuple[str, str]] = ("train", "val")
    """The default splits to train on and to evaluate on."""
    border: int | None = None
    """The class of the borders between objects, which `evaluate` then scores too; None if there is none."""
    published: ClassVar[str] = ""
    """The place where the files are published, and the required content of the folder."""

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
        """Classes and colours of each label map, by the blob that it is fed to. The first label map is the main one."""
        self._preprocessing = preprocessing
        self.bands: tuple[int, ...] = ()
        """The bands that the user chose; empty if none."""
        self.pictures = tuple(pictures)
        """The blobs that the pictures are fed to."""
        self.sizes: dict[tuple[int, int], str] = {}
        """The sizes (height, width) that `usable` found, each with the name of a sample of that size."""
        self.skipped: Sequence[str] = ()
        """The problems of the samples that were left out."""
        self.statistics = Statistics()
        """Statistics of the samples that `usable` has read."""
        self.origin = ""
        """The settings, besides split and index, that generated samples depend on; empty for files."""

    @property
    def preprocessing(self) -> Preprocessing:
        """The preprocessing of its pictures: its own, otherwise bytes minus ImageNet's mean."""
        return self.own_preprocessing or Preprocessing()

    @property
    def own_preprocessing(self) -> Preprocessing | None:
        """The preprocessing that overrides the net's (for depth, bands or another mean); None to use the net's."""
        return self._preprocessing

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names of the first label map."""
        return next(iter(self.labels.values())).classes

    @property
    def colors(self) -> tuple[tuple[int, int, int], ...]:
        """The display colour (red, green, blue) of each class of the first label map."""
        return next(iter(self.labels.values())).colors

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, index: int) -> Sample: ...

    def check(self, progress: Progress | None = None) -> None:
        """Read every sample once, in several threads; raise one `DataError` that lists the samples that cannot be used.

        This checks what `__getitem__` returns: types, shapes, sizes, label values and blob names. It also decodes all
        pictures, since a header does not show that a file is truncated. `progress(done, total)` is called in the
        calling thread after each sample.
        """
        _, problems = self.usable(progress)
        raise_if_any(f"data set {self.name!r} ({self.split})", problems)

    def usable(self, progress: Progress | None = None) -> tuple[Sequence[int], list[str]]:
        """Read every sample like `check`; return the indices of the usable samples and the problems of the others."""

        def read(index: int) -> int:
            self._visit(index)  # not returned: the pictures of a whole data set may not fit into memory
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
        except Exception:  # a user's data set may fail here, or a half-built one
            return object.__repr__(self)

    def _repr_html_(self) -> str | None:
        """The same line for notebooks, with a table of the classes and their colours."""
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
    """The samples of `whole` at `indices`; `skipped` lists the problems of the others."""

    def __init__(self, whole: Dataset, indices: Sequence[int], skipped: Sequence[str] = ()) -> None:
        super().__init__(whole.name, whole.split, whole.labels, pictures=whole.pictures)
        self.sizes = whole.sizes
        self.skipped = skipped
        self.origin = whole.origin
        if whole.statistics.covers(indices):
            self.statistics = whole.statistics.renumbered(indices)
        self._whole = whole
        self.bands = whole.bands
        self.border = whole.border
        self._indices = indices

    @property
    def own_preprocessing(self) -> Preprocessing | None:
        return self._whole.own_preprocessing

    def __len__(self) -> int:
        return len(self._indices)

    def __getitem__(self, index: int) -> Sample:
        return self._whole[self._indices[index]]


def read_sample(dataset: Dataset, index: int) -> Sample:
    """Read sample `index` of the data set and check it.

    Raises `DataError`, which names data set, split and sample, if the sample cannot be read or is invalid: its pictures
    must be H×W or H×W×C of uint8, uint16 or float32, its labels H×W of uint8 with values below the number of classes
    or 255, all of one size, for the blobs that the data set names.
    """
    try:
        sample = dataset[index]
    except FcnliteError:
        raise
    except (Exception, SystemExit) as error:
        raise cannot_load(dataset, index, error) from error
    try:
        check_sample(sample, dataset.pictures, dataset.labels)
    except DataError as error:
        name = getattr(sample, "name", None)
        called = f" ({name!r})" if isinstance(name, str) else ""
        raise DataError(f"{where(dataset, index)}{called}: {error}") from error
    return sample


def cannot_load(dataset: Dataset, index: int, error: BaseException) -> DataError:
    """The error for a sample whose reading or preparation has raised an `error` that is not ours."""
    if lacks_memory(error):
        words = "there is not enough memory to load it; make the picture or the batch smaller, or raise the limit."
        return DataError(f"{where(dataset, index)}: {words}")
    return DataError(f"{where(dataset, index)}: cannot be loaded ({type(error).__name__}: {error}).")


def where(dataset: Dataset, index: int) -> str:
    """The data set, split and sample for the start of an error message."""
    return f"data set {dataset.name!r} ({dataset.split}), sample {index}"

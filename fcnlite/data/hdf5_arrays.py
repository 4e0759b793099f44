"""Pictures and label maps from HDF5 files, as Caffe's HDF5Data reads them: arrays that are fed as they are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from fcnlite.data.dataset import Dataset
from fcnlite.data.listed import class_labels, listing
from fcnlite.data.number_table import NumberTable, identity_values
from fcnlite.data.picture_files import MAX_PIXELS
from fcnlite.data.sample import Sample
from fcnlite.description.model_info import MOST_BANDS, Preprocessing
from fcnlite.errors import DataError, FcnliteError, FileError, brief
from fcnlite.files import read_text


class HDF5Arrays(Dataset):
    """The arrays `data`, N×C×H×W, and `label`, N×H×W or N×1×H×W, of the HDF5 files that a list names, one in each line.

    Options: `train` and `val`, the lists, below `root` or as they are; `classes`, the number of classes. The data are
    fed as they are: no mean is subtracted.
    """

    splits = ("train", "val")
    published = "The root must hold the lists, and the files that they name."

    def __init__(
        self, split: str, root: str | os.PathLike[str], *, train: str = "", val: str = "", classes: int = 0
    ) -> None:
        labels = class_labels("hdf5", classes)
        name = {"train": train, "val": val}[split]
        if not name:
            raise DataError(f"data set 'hdf5': names no list for the split {split!r}; give {split}=FILE.")
        source = listing(Path(root), name)
        names = [line.strip() for line in read_text(source).splitlines() if line.strip()]
        if not names:
            raise FileError(f"{source}: is empty; expected the names of HDF5 files.")
        self._places: list[tuple[Path, int]] = []
        channels = set()
        for each in names:
            path = listing(Path(root), each)
            count, bands = _counted(path)
            channels.add(bands)
            self._places += [(path, i) for i in range(count)]
        if len(channels) > 1:
            raise DataError(
                f"{source}: its files have {' and '.join(map(str, sorted(channels)))} channels; expected one."
            )
        (bands,) = channels
        fed = Preprocessing("BANDS", (0.0,) * bands, bits=32, bands=tuple(range(1, bands + 1)), picture_bands=bands)
        super().__init__("hdf5", split, {"label": labels}, fed)
        self._number = classes

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, index: int) -> Sample:
        """Read array `index`. Raises `FileError` or `DataError`, which names the file."""
        path, row = self._places[index]
        with _Opened(path) as file:
            data, label = (np.asarray(_array(file, path, name)[row]) for name in ("data", "label"))
        label = label.reshape(label.shape[-2:])
        if (label != np.trunc(label)).any():
            raise DataError(f"{path}, row {row}: the label holds fractions; expected whole numbers.")
        read = NumberTable(identity_values(self._number), self._number, lambda _: label.astype(np.int64))
        picture = np.ascontiguousarray(data.transpose(1, 2, 0), np.float32)
        return Sample({"data": picture}, {"label": read(path)}, f"{path.name}, row {row}")


def _counted(path: Path) -> tuple[int, int]:
    """The rows and channels of a file. Raises `FileError` or `DataError` if its arrays do not fit."""
    with _Opened(path) as file:
        data, label = (_array(file, path, name) for name in ("data", "label"))
        shape = data.shape
        flat = tuple(size for i, size in enumerate(label.shape) if not (i == 1 and len(label.shape) == 4))
        if len(shape) != 4 or flat != (shape[0], *shape[2:]) or (len(label.shape) == 4 and label.shape[1] != 1):
            raise DataError(
                f"{path}: data of shape {shape} and label of {label.shape}; expected N×C×H×W, and N×H×W or N×1×H×W."
            )
        if not 1 <= shape[1] <= MOST_BANDS or not 1 <= shape[2] * shape[3] <= MAX_PIXELS:
            raise DataError(
                f"{path}: its arrays have {shape[1]} channels of {shape[2]}×{shape[3]}, which is too large."
            )
        return int(shape[0]), int(shape[1])


def _array(file: Any, path: Path, name: str) -> Any:
    """A data set of numbers at the top of the file, no link. Raises `DataError` if there is none."""
    import h5py

    found = file.get(name, getlink=True)
    if not isinstance(found, h5py.HardLink) or not isinstance(file[name], h5py.Dataset):
        raise DataError(f"{path}: has no data set {name!r}.")
    if file[name].dtype.kind not in "uif" or file[name].external is not None or file[name].is_virtual:
        raise DataError(f"{path}: {name!r} holds {file[name].dtype}, or is in another file; expected numbers.")
    return file[name]


class _Opened:
    """An HDF5 file, open in the block; errors of the library become `FileError`s that name it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Any:
        import h5py

        try:
            self._file = h5py.File(self._path, "r")
        except (OSError, RuntimeError) as error:
            raise FileError(f"{self._path}: is missing, or no HDF5 file ({brief(error)}).") from error
        return self._file

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        self._file.close()
        if isinstance(error, Exception) and not isinstance(error, FcnliteError):
            raise FileError(f"{self._path}: is damaged ({brief(error)}).") from error

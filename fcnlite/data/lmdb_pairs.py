"""Pictures and label maps from two LMDB databases of Caffe, as two Data layers of one net read them."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np

from fcnlite.data.dataset import Dataset
from fcnlite.data.datum import read_datum
from fcnlite.data.listed import class_labels
from fcnlite.data.number_table import NumberTable, identity_values
from fcnlite.data.sample import Sample
from fcnlite.errors import DataError, FcnliteError, FileError, brief
from fcnlite.files import is_file

MAX_RECORD = 1 << 28
"""The largest record that is read, in bytes."""
_open_databases: dict[tuple[int, Path], Any] = {}
"""The databases that are open, by process and path."""
_opening = threading.Lock()
_FILE = "data.mdb"


class LMDBPairs(Dataset):
    """The records of two databases below `root`, one of pictures and one of label maps, in the order of their keys.

    Options: `train` and `val`, the databases of pictures; `train_labels` and `val_labels`, those of label maps;
    `classes`, their number. Pictures have one or three channels of bytes (blue, green, red, as OpenCV's), label maps
    one. Needs the package lmdb (`pip install fcnlite[lmdb]`).
    """

    splits = ("train", "val")
    published = "The root must hold the databases, each of which is a folder with data.mdb."

    def __init__(
        self,
        split: str,
        root: str | os.PathLike[str],
        *,
        train: str = "",
        train_labels: str = "",
        val: str = "",
        val_labels: str = "",
        classes: int = 0,
    ) -> None:
        super().__init__("lmdb", split, {"label": class_labels("lmdb", classes)})
        names = {"train": (train, train_labels), "val": (val, val_labels)}[split]
        if not all(names):
            raise DataError(
                f"data set 'lmdb': the split {split!r} lacks a database; give {split}=FOLDER and {split}_labels=FOLDER."
            )
        self._pictures, self._labels = (_Database(_found(Path(root), name)) for name in names)
        if len(self._pictures) != len(self._labels):
            raise DataError(
                f"{self._pictures.path}: has {len(self._pictures):,} records, but {self._labels.path} has "
                f"{len(self._labels):,}; each picture needs a label map."
            )
        self._read = NumberTable(identity_values(classes), classes, self._numbers)

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> Sample:
        """Read record `index`. Raises `DataError`, which names the database and the record."""
        values = self._pictures[index]
        if len(values) not in (1, 3) or values.dtype != np.uint8:
            raise DataError(
                f"{self._pictures.where(index)}: has {len(values)} channels of {values.dtype}; expected 1 or 3, bytes."
            )
        image = np.repeat(values, 3, axis=0) if len(values) == 1 else values[::-1]
        label = self._read(Path(str(index)))
        return Sample({"data": np.ascontiguousarray(image.transpose(1, 2, 0))}, {"label": label}, f"record {index}")

    def _numbers(self, index: Path) -> np.ndarray:
        values = self._labels[int(str(index))]
        if len(values) != 1 or (values != np.trunc(values)).any():
            raise DataError(
                f"{self._labels.where(int(str(index)))}: expected a label map of one channel, whole numbers."
            )
        return values[0].astype(np.int64)


def _found(root: Path, name: str) -> Path:
    return next((each for each in (root / name, Path(name)) if is_file(each / _FILE)), root / name)


class _Database:
    """The records of one LMDB in the order of their keys."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if not is_file(path / _FILE):
            raise FileError(f"{path}: is no LMDB; expected a folder with {_FILE}.")
        try:
            with self._open().begin(buffers=False) as transaction, transaction.cursor() as cursor:
                self._keys = [bytes(key) for key in cursor.iternext(keys=True, values=False)]
        except FcnliteError:
            raise
        except Exception as error:  # lmdb has an exception for each of its error numbers
            raise FileError(f"{path}: is no LMDB, or it is damaged ({brief(error)}).") from error
        if not self._keys:
            raise FileError(f"{path}: is empty; make the database again.")

    def __len__(self) -> int:
        return len(self._keys)

    def where(self, index: int) -> str:
        """The database and the record, for messages."""
        return f"{self.path}, record {index}"

    def __getitem__(self, index: int) -> np.ndarray:
        try:
            with self._open().begin(buffers=True) as transaction:
                record = transaction.get(self._keys[index])
                if record is None or len(record) > MAX_RECORD:
                    raise DataError(f"{self.where(index)}: is missing or larger than {MAX_RECORD:,} bytes.")
                content = bytes(record)
        except FcnliteError:
            raise
        except Exception as error:
            raise FileError(f"{self.where(index)}: cannot be read ({brief(error)}).") from error
        return read_datum(content, self.where(index))

    def _open(self) -> Any:
        """The open database, one for all readers of a process: lmdb refuses to open a file twice."""
        try:
            import lmdb
        except ImportError as error:
            raise DataError(f"{self.path}: needs the package lmdb; `pip install fcnlite[lmdb]`.") from error
        key = (os.getpid(), self.path.resolve())
        with _opening:
            if key not in _open_databases:
                how = {"readonly": True, "lock": False, "readahead": False}
                _open_databases[key] = lmdb.open(str(self.path), **how)
            return _open_databases[key]

"""Labels of two classes by a rule rather than by a table: what is not 0, or what is bright."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fcnlite.data.label_files import read_nonzero, read_threshold
from fcnlite.errors import DataError

_NONZERO, _THRESHOLD = "nonzero", "threshold:"
_BRIGHTEST = 65535


@dataclass(frozen=True)
class MaskRule:
    """Called with a path, it reads that label: class 1 from the value `threshold` on; None: where it is not 0."""

    threshold: int | None

    @staticmethod
    def parse(option: str) -> MaskRule:
        """From `nonzero` or `threshold:T`. Raises `DataError` for anything else."""
        number = option.removeprefix(_THRESHOLD)
        if option == _NONZERO:
            return MaskRule(None)
        if number != option and number.isdecimal() and len(number) < 6 and 1 <= int(number) <= _BRIGHTEST:
            return MaskRule(int(number))
        raise DataError(
            f"data set 'folder': masks is {option!r}; expected nonzero or threshold:T with T from 1 to {_BRIGHTEST}, "
            "such as threshold:128."
        )

    def __call__(self, path: Path) -> np.ndarray:
        """Raises as `read_nonzero` and `read_threshold` do."""
        return read_nonzero(path) if self.threshold is None else read_threshold(path, self.threshold)

    def __str__(self) -> str:
        return _NONZERO if self.threshold is None else f"{_THRESHOLD}{self.threshold}"

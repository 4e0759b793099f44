"""Labels of two classes by a rule instead of a table: values other than 0, or values from a threshold on."""

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
    """Reads a label as a mask: class 1 for values from `threshold` on, or for values other than 0 if it is None."""

    threshold: int | None

    @staticmethod
    def parse(option: str) -> MaskRule:
        """The rule for the option `nonzero` or `threshold:T`. Raises `DataError` for other options."""
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
        """Read the mask in a file. Raises errors like `read_nonzero` and `read_threshold`."""
        return read_nonzero(path) if self.threshold is None else read_threshold(path, self.threshold)

    def __str__(self) -> str:
        return _NONZERO if self.threshold is None else f"{_THRESHOLD}{self.threshold}"

"""Types of arrays and shapes."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
"""An array of any shape and dtype."""
Shape = tuple[int, ...]
"""The sizes of an array's axes."""

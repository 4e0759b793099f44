"""What dense prediction adds to training (paper, section 3.4)."""

from __future__ import annotations

import numpy as np

from fcnlite.errors import DataError


def sample_loss(label: np.ndarray, keep: float, rng: np.random.Generator, ignore_label: int = 255) -> np.ndarray:
    """`label`, of any shape, with each position kept with probability `keep`, the others set to `ignore_label`.

    The paper shows that training on patches is such a sampling of the loss of whole pictures: the same patches are
    drawn, without computing what they share twice. A loss that is a sum shrinks with the share that is kept; one that
    is normalised (VALID) does not. Raises `DataError` for a `keep` that is not above 0 and at most 1.
    """
    if not 0 < keep <= 1:
        raise DataError(f"loss sampling keeps a share of {keep} of the positions; expected above 0, at most 1.")
    return np.where(rng.random(label.shape, np.float32) < keep, label, label.dtype.type(ignore_label))

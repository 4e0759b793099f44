"""Loss sampling."""

from __future__ import annotations

import numpy as np
import pytest
from fcnlite.dense import sample_loss

from fcnlite.errors import DataError

LABEL = np.random.default_rng(0).integers(0, 5, (2, 1, 80, 90)).astype(np.uint8)


def test_positions_are_kept_with_the_requested_probability() -> None:
    sampled = sample_loss(LABEL, 0.25, np.random.default_rng(1))
    kept = sampled != 255
    assert sampled.dtype == LABEL.dtype
    np.testing.assert_array_equal(sampled[kept], LABEL[kept])
    assert kept.mean() == pytest.approx(0.25, abs=0.02)
    assert (LABEL != 255).all()


def test_one_generator_gives_one_sample() -> None:
    a, b, c = (sample_loss(LABEL, 0.5, np.random.default_rng(seed), 7) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()
    assert (a[a != LABEL] == 7).all()


def test_all_may_be_kept() -> None:
    np.testing.assert_array_equal(sample_loss(LABEL, 1.0, np.random.default_rng(0)), LABEL)


@pytest.mark.parametrize("keep", [0.0, -0.1, 1.5, float("nan")])
def test_shares_that_are_none_are_refused(keep: float) -> None:
    with pytest.raises(DataError, match="loss sampling"):
        sample_loss(LABEL, keep, np.random.default_rng(0))

"""Fixtures for the tests of the compiler."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fcnlite import config


@pytest.fixture
def two_threads() -> Iterator[None]:
    """Two threads, whatever the environment says: the compiler's choices depend on their number."""
    before = config.num_threads()
    config.set_num_threads(2)
    yield
    config.set_num_threads(before)

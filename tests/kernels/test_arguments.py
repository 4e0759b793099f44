"""Whatever a Python caller passes to a kernel, the process lives: the kernel computes or raises an exception."""

from __future__ import annotations

import pytest

from fcnlite._kernels import isa
from tests.kernels.__main__ import Outcome, run


def assert_safe(outcome: Outcome) -> None:
    assert outcome.failures == []
    counts = outcome.counts
    computed = {name.split(":")[0] for name in counts if name.endswith(": accepted, unchanged")}
    called = {name.split(":")[0] for name in counts}
    # Calls that are not changed show that the recorded arguments are right, so that the changes are what is refused.
    assert called - computed == set()


def test_wrong_arguments_end_no_process() -> None:
    assert_safe(run(1500, 0))


@pytest.mark.slow
@pytest.mark.parametrize("instructions", isa.available())
def test_many_wrong_arguments_end_no_process(instructions: str) -> None:
    assert_safe(run(30_000, 1, instructions))

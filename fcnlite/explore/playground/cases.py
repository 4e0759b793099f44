"""Trainings that do not learn, each with one cause to find."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fcnlite.errors import DataError
from fcnlite.explore.playground.settings import Settings


@dataclass(frozen=True)
class Case:
    """Settings that do not learn, the cause, and the changes of settings that mend it."""

    cause: str
    settings: Settings
    mended: Mapping[str, Any]


CASES = (
    # The paper's rate is for a loss that is summed over the pixels.
    Case("rate_for_a_sum", Settings(rate=1e-10, normalization="VALID"), {"rate": 0.1}),
    Case("scores_frozen", Settings(fault="scores_frozen"), {}),
    Case("void_not_ignored", Settings(fault="void_not_ignored"), {}),
    Case("crop_misaligned", Settings(pad=25, fault="crop_misaligned"), {}),
    Case("upsampling_random_fixed", Settings(upsampling="random-fixed"), {"upsampling": "fixed"}),
    Case("labels_off_by_one", Settings(fault="labels_off_by_one"), {}),
    Case("relu_dead", Settings(batch_norm="no", rate=0.05, momentum=0.9), {"rate": 0.001}),
)
CAUSES = (
    "augmentation_too_strong",
    "rate_for_a_sum",
    "scores_frozen",
    "batch_too_small",
    "void_not_ignored",
    "crop_misaligned",
    "labels_off_by_one",
    "upsampling_random_fixed",
    "relu_dead",
)
"""The causes to choose from: those of the cases, and others."""


def case(value: Any) -> Case:
    """The case of a number, from 1 on, also as text. Raises `DataError` for others."""
    text = str(value)
    if not text.isdecimal() or not 1 <= int(text) <= len(CASES):
        raise DataError(f"case is {text!r}; expected a number from 1 to {len(CASES)}.")
    return CASES[int(text) - 1]

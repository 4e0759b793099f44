"""The table of exercises, in the order of the track."""

from __future__ import annotations

from fcnlite.errors import SpecError, nearest
from fcnlite.exercise.checks import (
    bilinear,
    col2im,
    compiler,
    crop,
    im2col,
    pooling,
    sgd,
    skip,
    softmax_loss,
    winograd,
)
from fcnlite.exercise.exercise import Exercise

EXERCISES: tuple[Exercise, ...] = (
    im2col.EXERCISE,
    col2im.EXERCISE,
    pooling.EXERCISE,
    bilinear.EXERCISE,
    crop.EXERCISE,
    softmax_loss.EXERCISE,
    sgd.EXERCISE,
    skip.EXERCISE,
    compiler.EXERCISE,
    winograd.EXERCISE,
)


def number(exercise: Exercise) -> int:
    """The number of an exercise, counted from 1."""
    return EXERCISES.index(exercise) + 1


def find(text: str) -> Exercise:
    """The exercise of a number from 1 on, or of a name. Raises `SpecError` if there is none."""
    for place, exercise in enumerate(EXERCISES, start=1):
        if text in (str(place), exercise.name):
            return exercise
    if text.lstrip("-").isdigit():
        raise SpecError(f"there is no exercise {text}; they are 1 to {len(EXERCISES)}.")
    raise SpecError(f"there is no exercise {text!r}; {nearest(text, [each.name for each in EXERCISES])}")

"""Exercise 5: crop offsets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import numpy as np

from fcnlite.description.shapes import (
    Placement,
    Window,
    convolution_placement,
    crop_offset,
    deconvolution_placement,
)
from fcnlite.errors import ShapeError
from fcnlite.exercise.comparing import Mistakes, compare, pair
from fcnlite.exercise.exercise import Exercise
from fcnlite.exercise.student import Student, WrongError

HINT = """\
Begin with stride 1 and offset 0: the picture itself. Each layer (k, s, p) then moves the centre: its output y is
centred at place s·y + (k − 1)/2 − p of its input, and place i of the input is at stride·i + offset in the picture.
Put one into the other. A deconvolution is a convolution read backwards: solve i = s·y + (k − 1)/2 − p for y.
`fractions.Fraction` keeps halves exact.

The crop c: pixel 0 of the picture is at the place y of the scores for which stride·y + offset = 0."""

Layers = Sequence[tuple[str, int, int, int]]

FCN32S: Layers = (
    ("conv", 3, 1, 100),
    ("conv", 3, 1, 1),
    ("pool", 2, 2, 0),
    *[("conv", 3, 1, 1)] * 2,
    ("pool", 2, 2, 0),
    *([("conv", 3, 1, 1)] * 3 + [("pool", 2, 2, 0)]) * 3,
    ("conv", 7, 1, 0),
    ("conv", 1, 1, 0),
    ("conv", 1, 1, 0),
    ("deconv", 64, 32, 0),
)
"""FCN-32s on VGG-16, from the picture to the upsampled scores."""


def placed(layers: Layers) -> Placement:
    """The engine's placement of the last layer's outputs in the picture."""
    here = Placement()
    for kind, kernel, stride, pad in layers:
        of = deconvolution_placement if kind == "deconv" else convolution_placement
        here = of(Window(kernel, stride, pad)).over(here)
    return here


def offset(layers: Layers) -> int | None:
    """The engine's crop offset; None if there is none."""
    known = {"data": ("data", Placement()), "score": ("data", placed(layers))}
    try:
        return crop_offset(known, "score", "data")
    except ShapeError:
        return None


Step = Callable[[str, int, int, int, Fraction, Fraction], tuple[Fraction, Fraction]]


def _walk(layers: Layers, step: Step) -> list[float]:
    stride, centre = Fraction(1), Fraction(0)
    for layer in layers:
        stride, centre = step(*layer, stride, centre)
    return [float(stride), float(centre)]


def mistakes(layers: Layers) -> Mistakes:
    """What typical mistakes compute as stride and offset."""

    def right(kind: str, k: int, s: int, p: int, stride: Fraction, centre: Fraction) -> tuple[Fraction, Fraction]:
        middle = Fraction(k - 1, 2) - p
        if kind == "deconv":
            return stride / s, centre - stride * middle / s
        return stride * s, centre + stride * middle

    def without_scale(
        kind: str, k: int, s: int, p: int, stride: Fraction, centre: Fraction
    ) -> tuple[Fraction, Fraction]:
        moved, _ = right(kind, k, s, p, stride, centre)
        middle = Fraction(k - 1, 2) - p
        return moved, centre + (-middle / s if kind == "deconv" else middle)

    def new_scale(kind: str, k: int, s: int, p: int, stride: Fraction, centre: Fraction) -> tuple[Fraction, Fraction]:
        moved, _ = right(kind, k, s, p, stride, centre)
        middle = Fraction(k - 1, 2) - p
        return moved, centre + (-middle / s * moved if kind == "deconv" else middle * moved)

    def half_size(kind: str, k: int, s: int, p: int, stride: Fraction, centre: Fraction) -> tuple[Fraction, Fraction]:
        return right(kind, k + 1, s, p, stride, centre)

    def floored(kind: str, k: int, s: int, p: int, stride: Fraction, centre: Fraction) -> tuple[Fraction, Fraction]:
        return right(kind, k - (k - 1) % 2, s, p, stride, centre)

    def no_pad(kind: str, k: int, s: int, p: int, stride: Fraction, centre: Fraction) -> tuple[Fraction, Fraction]:
        return right(kind, k, s, 0, stride, centre)

    def plus_pad(kind: str, k: int, s: int, p: int, stride: Fraction, centre: Fraction) -> tuple[Fraction, Fraction]:
        return right(kind, k, s, -p, stride, centre)

    def as_conv(kind: str, k: int, s: int, p: int, stride: Fraction, centre: Fraction) -> tuple[Fraction, Fraction]:
        return right("conv", k, s, p, stride, centre)

    def same_sign(kind: str, k: int, s: int, p: int, stride: Fraction, centre: Fraction) -> tuple[Fraction, Fraction]:
        moved, after = right(kind, k, s, p, stride, centre)
        return moved, 2 * centre - after if kind == "deconv" else after

    def undivided(kind: str, k: int, s: int, p: int, stride: Fraction, centre: Fraction) -> tuple[Fraction, Fraction]:
        moved, after = right(kind, k, s, p, stride, centre)
        return moved, centre + s * (after - centre) if kind == "deconv" else after

    def backwards(kind: str, k: int, s: int, p: int, stride: Fraction, centre: Fraction) -> tuple[Fraction, Fraction]:
        return right("conv" if kind == "deconv" else "deconv", k, s, p, stride, centre)

    found = {
        "A deconvolution's offset is not divided by its stride: solving i = s·y + (k − 1)/2 − p for y divides by s.": (
            undivided
        ),
        "The deconvolution is treated as a convolution; it divides the stride.": as_conv,
        "The offset of a layer counts pixels of its own input; multiply it by the stride so far (in the picture).": (
            without_scale
        ),
        "The offset is multiplied by the stride after the layer; its window moves over its input, so take the stride "
        "before it.": new_scale,
        "The centre of a window of k pixels is (k − 1)/2, not k/2: its pixels are 0 … k − 1.": half_size,
        "(k − 1)/2 is rounded down; keep halves, they add up.": floored,
        "The pad is ignored; it moves the first window to the left by `pad`.": no_pad,
        "The pad has the wrong sign; it moves the first window to the left, so subtract it.": plus_pad,
        "The deconvolution moves in the wrong direction: solving i = s·y + (k − 1)/2 − p for y changes the sign.": (
            same_sign
        ),
        "Convolution and deconvolution are exchanged: a convolution multiplies the stride, a deconvolution divides.": (
            backwards
        ),
        "The layers are walked from the last to the first; begin at the picture.": right,
    }

    def computed(step: Step) -> Callable[[], list[float]]:
        return lambda: _walk(layers[::-1] if step is right else layers, step)

    wrong: dict[str, Callable[[], list[float]]] = {
        "The two are exchanged: return stride first, then offset.": lambda: _walk(layers, right)[::-1]
    }
    return wrong | {sentence: computed(step) for sentence, step in found.items()}


def _placement(student: Student, layers: Layers) -> None:
    call = student.call("placement", layers=list(layers))
    stride, centre = pair(call, ("stride", "offset"))
    right = placed(layers)
    try:
        got = [float(stride), float(centre)]
    except (TypeError, ValueError):
        raise WrongError(f"placement returns {stride!r} and {centre!r}; expected two numbers.\n{call}") from None
    compare(call, np.array(got), [float(right.stride), float(right.offset)], mistakes(layers), "(stride, offset)")


def _crop(student: Student, layers: Layers) -> None:
    right = offset(layers)
    try:
        call = student.call("crop_offset", layers=list(layers))
    except WrongError as error:
        if right is None and "raises ValueError" in str(error):
            raise WrongError(f"Where no crop aligns the scores, return None. {error}") from None
        raise
    got = call.result
    if right is None:
        if got is not None:
            place = placed(layers)
            why = f"has a stride of {place.stride}" if place.stride != 1 else f"would need {-place.offset} pixels"
            raise WrongError(
                f"crop_offset returns {got!r}, but no crop aligns these scores, which {why}: None.\n{call}"
            )
        return
    if got is None:
        why = " The scores begin where the picture does, and a crop of 0 is a crop." if right == 0 else ""
        raise WrongError(f"crop_offset returns None; expected {right}.{why}\n{call}")
    wrong: Mistakes = {
        "One pixel too far.": lambda: right + 1,
        "One pixel short.": lambda: right - 1,
        "The sign is wrong: a crop removes pixels before the picture, so it is −offset / stride.": lambda: -right,
    }
    compare(call, got, right, wrong, "the crop")
    if not isinstance(got, (int, np.integer)):
        raise WrongError(f"crop_offset returns {got!r}, a {type(got).__name__}; slices need an int.\n{call}")


def _cases(one: Callable[[Student, Layers], None], *cases: Layers) -> Callable[[Student], None]:
    def check(student: Student) -> None:
        for layers in cases:
            one(student, layers)

    return check


def _random_layers(rng: np.random.Generator, count: int, both: bool = True) -> Layers:
    """Layers of either kind, or only some that make the picture smaller."""
    kinds = ("conv", "pool", "deconv") if both else ("conv", "pool")
    made = []
    for _ in range(count):
        kernel, stride = int(rng.integers(1, 6)), int(rng.integers(1, 4))
        made.append((kinds[rng.integers(len(kinds))], kernel, stride, int(rng.integers(0, kernel))))
    return tuple(made)


def _random(student: Student) -> None:
    rng = np.random.default_rng(3)
    for count in (2, 3, 4, 6) * 5:
        _placement(student, _random_layers(rng, count))


def _random_crops(student: Student) -> None:
    """A net of stride s with pad enough or not, and the deconvolution that takes it back."""
    rng = np.random.default_rng(4)
    for count in (1, 2, 3) * 7:
        first = ("conv", 3, 1, int(rng.integers(0, 30)))
        below = (first, *_random_layers(rng, count, both=False))
        stride = int(placed(below).stride)
        _crop(student, (*below, ("deconv", 2 * stride - stride % 2, stride, 0)))


EXERCISE = Exercise(
    "crop",
    "crop offsets",
    ("placement", "crop_offset"),
    {
        "one convolution": _cases(_placement, (("conv", 3, 1, 0),), (("conv", 3, 1, 1),), (("conv", 5, 2, 1),)),
        "one pooling: a window of even size": _cases(_placement, (("pool", 2, 2, 0),), (("pool", 2, 2, 1),)),
        "one deconvolution": _cases(_placement, (("deconv", 4, 2, 0),), (("deconv", 4, 2, 1),), (("deconv", 3, 1, 0),)),
        "two layers": _cases(
            _placement,
            (("conv", 5, 3, 0), ("pool", 2, 2, 0)),
            (("conv", 3, 2, 1), ("pool", 2, 2, 0)),
            (("pool", 2, 2, 0), ("deconv", 4, 2, 0)),
        ),
        "random nets": _random,
        "the crop of the page's example": _cases(_crop, (("conv", 3, 1, 3), ("pool", 2, 2, 0), ("deconv", 4, 2, 0))),
        "FCN-32s": _cases(_crop, FCN32S),
        "scores that no crop aligns": _cases(
            _crop,
            (("pool", 2, 2, 0),),
            (("conv", 3, 1, 0),),
            (("conv", 2, 1, 0), ("deconv", 3, 1, 0)),
            (("conv", 3, 2, 1),),
        ),
        "scores that need no crop": _cases(_crop, (("conv", 3, 1, 1),), (("conv", 5, 1, 2), ("conv", 1, 1, 0))),
        "random crops": _random_crops,
    },
    HINT,
)

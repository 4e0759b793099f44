"""What to do about an exception of a student's code: a sentence for those that beginners meet most."""

from __future__ import annotations

import re

_SHAPES = re.compile(r"\((\d[\d, ]*)\)")
_ADVICE = (
    (
        r"'float' object cannot be interpreted as an integer|slice indices must be integers|only integers",
        "Sizes and places are whole numbers: a / b gives a float, a // b a whole number.",
    ),
    (
        r"broadcast|shape mismatch",
        "The two sides of this line have different shapes: print both, and see which one is not what you think.",
    ),
    (
        r"cannot reshape array",
        "A reshape keeps the number of values: print the shape of the array before this line.",
    ),
    (r"matmul: |shapes .* not aligned", "In A @ B, A has as many columns as B has rows: is a transpose (.T) missing?"),
    (r"out of bounds|out of range", "An index is beyond the end of its axis: axes count from 0 to size − 1."),
    (r"Cannot cast ufunc", "The array holds whole numbers: make it with the dtype of the input."),
    (
        r"only 0-dimensional arrays|only length-1 arrays|only size-1 arrays|truth value of an array",
        "A single number is needed here, and this is an array: sum or index it first, or use np.where.",
    ),
    (
        r"window shape cannot be larger",
        "The picture is smaller than the window: add zeros around it, or at its end, first.",
    ),
    (r"no attribute 'denominator'", "A float has no denominator: keep Fractions, or ask whether crop % 1 is 0."),
    (r"unsupported operand .*NoneType|'NoneType' object", "A function that ends without return gives None."),
)
"""A pattern in the text of an exception, and the sentence for it."""


def advice(error: BaseException) -> str:
    """A sentence about an exception, or nothing."""
    text = str(error)
    if isinstance(error, KeyError):
        return "A dict has no such key; source.get(name, name) gives the name itself where it is missing."
    if not isinstance(error, (ValueError, TypeError, IndexError, AttributeError)):
        return ""
    found = next((sentence for pattern, sentence in _ADVICE if re.search(pattern, text)), "")
    sizes = [size for shape in _SHAPES.findall(text) for size in shape.replace(" ", "").strip(",").split(",")]
    if "broadcast" in text and "0" in sizes:
        return "One of the two has no values at all: its slice ends where it begins, or before."
    return found

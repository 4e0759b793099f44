"""Exercise 10: a Winograd tile."""

from __future__ import annotations

from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.exercise.checks.cases import integers
from fcnlite.exercise.comparing import Mistakes, check_dtype, check_lines, compare
from fcnlite.exercise.exercise import Exercise
from fcnlite.exercise.solutions.winograd import AT, BT, G
from fcnlite.exercise.student import Call, Student, WrongError
from fcnlite.layers import apply

HINT = """\
One dimension first: y = Aᵀ ((G w) · (Bᵀ d)), with · for each element. In two dimensions every transform is applied
to the columns and to the rows, so a matrix stands on both sides: U = G w Gᵀ, V = Bᵀ d B, y = Aᵀ M A. `BT.T` is B.

The whole picture: the tiles of 4×4 begin at every second pixel and overlap by 2, since each gives only 2×2 outputs.
Add zeros at the end until the number of outputs is even, and cut the surplus off. Sum over the channels *between*
the transforms: M = Σ_c U[o, c] · V[c], so that each output is transformed back once. np.einsum does this for all
tiles."""


def expected(x: Array, weight: Array) -> Array:
    """The engine's convolution without pad, K×(H − 2)×(W − 2)."""
    options: dict[str, Any] = {"num_output": len(weight), "kernel_size": (3,), "bias_term": False}
    return apply("Convolution", x[None], params=[weight], **options).top[0]


def mistakes(x: Array, weight: Array) -> Mistakes:
    """What typical mistakes compute."""
    right = expected(x, weight)

    def flat(channels: slice) -> Array:
        return expected(x[channels], weight[:, channels])

    def wide_tiles() -> Array:
        """Tiles that do not overlap."""
        y = np.zeros_like(right)
        for i, j in np.ndindex(right.shape[1] // 2, right.shape[2] // 2):
            tile = x[:, 4 * i : 4 * i + 4, 4 * j : 4 * j + 4]
            tile = np.pad(tile, ((0, 0), (0, 4 - tile.shape[1]), (0, 4 - tile.shape[2])))
            y[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2] = expected(tile, weight)
        return y

    def whole_tiles() -> Array:
        """Only as many tiles as fit."""
        y = np.zeros_like(right)
        rows, columns = (side - side % 2 for side in right.shape[1:])
        y[:, :rows, :columns] = right[:, :rows, :columns]
        return y

    def placed_wrongly() -> Array:
        """Each tile of outputs is laid out as a row of four."""
        height, width = (side + side % 2 for side in right.shape[1:])
        even = np.pad(right, ((0, 0), (0, height - right.shape[1]), (0, width - right.shape[2])))
        tiles = even.reshape(len(right), height // 2, 2, width // 2, 2).transpose(0, 1, 3, 2, 4)
        return tiles.reshape(len(right), height, width)[:, : right.shape[1], : right.shape[2]]

    return {
        "The outputs of a tile are laid out one after the other; a tile is 2 rows of 2: exchange the axes (tile "
        "column, row in the tile) before the reshape.": placed_wrongly,
        "The filter is turned by 180° (a true convolution); a layer's convolution does not turn it: "
        "y[i, j] = Σ w[kh, kw] · d[i + kh, j + kw].": lambda: expected(x, weight[:, :, ::-1, ::-1]),
        "The filter is transposed: check which matrix is on which side.": lambda: expected(
            x, weight.transpose(0, 1, 3, 2)
        ),
        "The result is transposed: rows and columns are exchanged.": lambda: right.transpose(0, 2, 1),
        "The tile is transposed: rows and columns are exchanged.": lambda: expected(x.transpose(0, 2, 1), weight),
        "Only the first channel counts; sum over all channels.": lambda: flat(slice(0, 1)),
        "Only the last channel counts: each channel overwrites the one before; add them.": lambda: flat(
            slice(-1, None)
        ),
        "The last row or column is missing where the number of outputs is odd: add zeros, then cut.": whole_tiles,
        "The surplus of the last tiles is still there; cut the result to (H − 2)×(W − 2).": lambda: expected(
            np.pad(x, ((0, 0), (0, x.shape[1] % 2), (0, x.shape[2] % 2))), weight
        ),
        "The tiles begin at every 4th pixel; they overlap, and begin at every 2nd.": wide_tiles,
        "The result is padded to the size of x; without pad it is (H − 2)×(W − 2).": lambda: np.pad(
            right, ((0, 0), (1, 1), (1, 1))
        ),
    }


def _square(call: Call, size: int, what: str) -> Array:
    array = np.asarray(call.result)
    if array.shape != (size, size):
        raise WrongError(f"{what} has shape {array.shape}; expected ({size}, {size}).\n{call}")
    return array


def _tile(student: Student, d: Array, w: Array) -> None:
    """The grader multiplies: 16 products."""
    weight_call = student.call("transform_weight", w=w)
    u = _square(weight_call, 4, "The transformed filter U")
    tile_call = student.call("transform_tile", d=d)
    v = _square(tile_call, 4, "The transformed tile V")
    call = student.call("transform_output", m=np.asarray(u * v))
    y = _square(call, 2, "The result")
    whole = Call(
        "transform_output(transform_weight(w) * transform_tile(d))",
        {"w": w, "d": d},
        y,
        0,
    )
    wrong = _transform_mistakes(d, w)
    wrong |= {key: _first(value) for key, value in mistakes(d[None], w[None, None]).items()}
    compare(whole, y, expected(d[None], w[None, None])[0], wrong, "the tile of outputs")


def _transform_mistakes(d: Array, w: Array) -> dict[str, Any]:
    """What typical mistakes in a transform compute as the outputs of a tile."""

    def outputs(u: Array, v: Array) -> Any:
        return lambda: AT @ (u * v) @ AT.T

    u = G @ w @ G.T
    return {
        "Bᵀ and B are exchanged in transform_tile: V = Bᵀ d B is BT @ d @ BT.T.": outputs(u, BT.T @ d @ BT),
        "transform_tile multiplies each element (*); a transform is a matrix product (@).": outputs(u, BT * d * BT.T),
        "transform_tile transforms one side only; V = BT @ d @ BT.T.": outputs(u, BT @ d),
        "transform_tile transforms one side only; V = BT @ d @ BT.T, with a Bᵀ on the left.": outputs(u, d @ BT.T),
    }


def _first(value: Any) -> Any:
    return lambda: value()[0]


def _ones(student: Student) -> None:
    _tile(student, np.ones((4, 4), np.float64), np.ones((3, 3), np.float64))


def _tiles(student: Student) -> None:
    for kh, kw in np.ndindex(3, 3):
        w = np.zeros((3, 3))
        w[kh, kw] = 1
        _tile(student, np.arange(16.0).reshape(4, 4) ** 2, w)
    for seed in range(10):
        _tile(student, integers(seed, 4, 4, dtype=np.float64), integers(seed + 1, 3, 3, dtype=np.float64))


def _one(student: Student, seed: int, channels: int, outputs: int, height: int, width: int) -> Call:
    x, weight = integers(seed, channels, height, width), integers(seed + 1, outputs, channels, 3, 3)
    call = student.call("convolve", x=x, weight=weight)
    compare(call, call.result, expected(x, weight), mistakes(x, weight))
    return call


def _even(student: Student) -> None:
    for seed, (height, width) in enumerate(((4, 4), (4, 6), (8, 6))):
        _one(student, seed, 1, 1, height, width)


def _channels(student: Student) -> None:
    for seed, (channels, outputs) in enumerate(((2, 1), (1, 2), (3, 4))):
        _one(student, seed, channels, outputs, 4, 6)


def _odd(student: Student) -> None:
    for seed, (height, width) in enumerate(((3, 3), (4, 5), (5, 4), (5, 7))):
        _one(student, seed, 1, 1, height, width)


def _random(student: Student) -> None:
    rng = np.random.default_rng(7)
    for seed in range(15):
        channels, outputs, height, width = (int(each) for each in rng.integers((1, 1, 3, 3), (4, 4, 12, 12)))
        _one(student, seed, channels, outputs, height, width)


def _dtype(student: Student) -> None:
    call = _one(student, 0, 2, 2, 6, 6)
    check_dtype(call, call.result, np.float32)


def _loops(student: Student) -> None:
    call = _one(student, 0, 16, 8, 26, 26)
    most = 20_000
    check_lines(
        call,
        most,
        "Transform each filter and each tile once, not once for each pair: 128 filters and 16 × 144 tiles here.",
    )


EXERCISE = Exercise(
    "winograd",
    "a Winograd tile",
    ("transform_weight", "transform_tile", "transform_output", "convolve"),
    {
        "a tile of ones": _ones,
        "tiles and filters": _tiles,
        "a picture of whole tiles": _even,
        "several channels": _channels,
        "sizes that need a part of a tile": _odd,
        "15 random cases": _random,
        "float32 stays float32": _dtype,
        "each transform once": _loops,
    },
    HINT,
)

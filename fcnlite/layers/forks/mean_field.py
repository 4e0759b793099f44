"""Mean field inference of a dense CRF (MultiStageMeanfield, CRF-RNN: torrvision/crfasrnn; Zheng et al., 2015).

    q = softmax(x_0), then num_iterations times:
    m = W_s · (K_s q) / (K_s 1) + W_b · (K_b q) / (K_b 1)        messages
    y = u − C · m,  q = softmax(y)                               top: the last y

K_s and K_b sum over all pixels with weights that fall with their distance: exp(−|Δposition|² / (2 · theta_gamma²)),
and exp(−|Δposition|² / (2 · theta_alpha²) − |Δcolour|² / (2 · theta_beta²)), both on the permutohedral lattice, as in
the fork. C, W_s and W_b mix the classes of a pixel, so they commute with K, and with H = Kᵀ(dy / K 1) for each K

    du += dy,  A = H qᵀ,  dC −= A Wᵀ,  dW −= Cᵀ A,  dq = −Σ Wᵀ Cᵀ H,  dy of the iteration before = softmax's backward

bottoms: unary scores u and first scores x_0, N×C×H×W, usually the same blob, and the picture, N×3×H×W, which has no
gradient; its values are colours up to a constant. top N×C×H×W, scores, not probabilities. Parameters, each 1×1×C×C:
W_s and W_b, which begin as diagonal matrices, and the compatibility C, which begins as −1 on the diagonal (POTTS).

Options: num_iterations, 2 or more; theta_alpha, theta_beta, theta_gamma; spatial_filter_weight 3 and
bilateral_filter_weight 5, the first diagonals, or spatial_filter_weights_str and bilateral_filter_weights_str, a number
for each class; compatibility_mode POTTS (one fork's CUSTOM has its
matrix in its code); threshold and force_cpu have no effect. The first release of the fork read
the diagonals from files spatial.par and bilateral.par.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Literal

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.description.fillers import Diagonal
from fcnlite.description.shapes import show
from fcnlite.errors import ShapeError, SpecError
from fcnlite.layers.base import BackwardRun, ForwardRun, Layer, ParamShape, four_axes
from fcnlite.layers.forks.permutohedral import Lattice
from fcnlite.layers.registry import register
from fcnlite.layers.softmax import softmax

_TINY = 1e-20
"""What the fork adds to K 1."""


@dataclass(frozen=True)
class MultiStageMeanfieldOptions:
    num_iterations: int | None = None
    theta_alpha: float | None = None
    theta_beta: float | None = None
    theta_gamma: float | None = None
    spatial_filter_weight: float = 3.0
    bilateral_filter_weight: float = 5.0
    spatial_filter_weights_str: str = ""
    bilateral_filter_weights_str: str = ""
    compatibility_mode: Literal["POTTS", "CUSTOM"] = "POTTS"
    threshold: float = 0.0
    force_cpu: bool = False


@dataclass(frozen=True)
class Averages:
    """Weighted means over all pixels of a picture: K q / K 1."""

    lattice: Lattice
    scale: Array
    """1 / K 1, for each pixel."""

    @staticmethod
    def over(points: np.ndarray, dtype: np.dtype) -> Averages:
        lattice = Lattice.of(points, dtype)
        return Averages(lattice, 1 / (lattice.filter(np.ones((1, len(points)), dtype)) + dtype.type(_TINY)))

    def of(self, q: Array) -> Array:
        return self.lattice.filter(q) * self.scale

    def transposed(self, dy: Array) -> Array:
        return self.lattice.filter(dy * self.scale, transposed=True)


Kinds = tuple[Averages, Averages]
"""The means by position, and by position and colour."""


@register
class MultiStageMeanfield(Layer):
    type = "MultiStageMeanfield"
    messages = ("multi_stage_meanfield_param",)
    Options = MultiStageMeanfieldOptions
    bottoms = (3, 3)
    no_gradient = frozenset({2})

    def check(self) -> None:
        o = self.options
        for name in ("num_iterations", "theta_alpha", "theta_beta", "theta_gamma"):
            value = getattr(o, name)
            if value is None:
                raise SpecError(f"{name} is missing; write it in multi_stage_meanfield_param.")
            if name != "num_iterations" and not value > 0:
                raise SpecError(f"{name} is {value:g}; expected a number above 0.")
        if not 2 <= o.num_iterations <= 1000:
            raise SpecError(f"num_iterations is {o.num_iterations}; expected 2 to 1000.")
        if o.compatibility_mode == "CUSTOM":
            raise SpecError(
                "compatibility_mode is CUSTOM, whose first matrix is in the code of one fork; write POTTS: "
                "weights bring a matrix of their own."
            )
        self.diagonals = [
            _numbers(f"{name}_filter_weights_str", getattr(o, f"{name}_filter_weights_str"))
            or (getattr(o, f"{name}_filter_weight"),)
            for name in ("spatial", "bilateral")
        ]

    def params(self, *bottom: Shape) -> list[ParamShape]:
        classes = four_axes(bottom[0])[1]
        for numbers in self.diagonals:
            if 1 < len(numbers) < classes:
                raise ShapeError(f"the initial weights of a filter are {len(numbers)} numbers for {classes} classes")
        diagonals = [each[:classes] if len(each) > 1 else each * classes for each in self.diagonals]
        shape = (1, 1, classes, classes)
        return [ParamShape(shape, Diagonal(numbers=each)) for each in (*diagonals, (-1.0,) * classes)]

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        unary, first, picture = bottom
        n, _, height, width = four_axes(unary)
        if first != unary or picture != (n, 3, height, width):
            raise ShapeError(
                f"expected two blobs of scores of one shape and a picture of {n}×3×{height}×{width}, found "
                f"{show(unary)}, {show(first)} and {show(picture)}"
            )
        return [unary]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        unary, first, pictures = bottom
        top, weights = np.empty(unary.shape, unary.dtype), [each[0, 0] for each in run.params]
        run.saved = []
        by_position = Averages.over(self._positions(unary.shape) / self.options.theta_gamma, unary.dtype)
        for u, x, picture, out in zip(unary, first, pictures, top, strict=True):
            kinds = by_position, Averages.over(self._positions_and_colours(picture), unary.dtype)
            y, passed = _flat(x), []
            for _ in range(self.options.num_iterations):
                passed.append(softmax(y, 0))
                y = _flat(u) - _pairwise(passed[-1], kinds, weights)
            _flat(out)[...] = y
            run.saved.append((kinds, passed))
        return [top]

    @staticmethod
    def _positions(shape: Shape) -> np.ndarray:
        """The column and the row of each pixel."""
        rows, columns = np.indices(shape[2:], np.float64)
        return np.stack([columns.ravel(), rows.ravel()], axis=1)

    def _positions_and_colours(self, picture: Array) -> np.ndarray:
        places = self._positions((1, *picture.shape)) / self.options.theta_alpha
        return np.concatenate([places, picture.reshape(3, -1).T.astype(np.float64) / self.options.theta_beta], axis=1)

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        dunary, dfirst = (np.zeros(dtop[0].shape, dtop[0].dtype) for _ in range(2))
        weights = [each[0, 0] for each in run.params]
        learned = [np.zeros_like(each) for each in weights]
        for dy, du, dx, (kinds, passed) in zip(map(_flat, dtop[0]), dunary, dfirst, run.saved, strict=True):
            for q in reversed(passed):
                _flat(du)[...] += dy
                dq = _pairwise_backward(dy, q, kinds, weights, learned)
                dy = q * (dq - (dq * q).sum(axis=0))
            _flat(dx)[...] = dy
        for dparam, gradient in zip(run.dparams, learned, strict=True):
            if dparam is not None:
                dparam[0, 0] = gradient
        return [dunary, dfirst, None]

    def placement(self) -> None:
        return None


def _numbers(name: str, text: str) -> tuple[float, ...]:
    try:
        numbers = tuple(map(float, text.split()))
    except ValueError:
        numbers = (np.inf,)
    if not np.isfinite(numbers).all():
        raise SpecError(f"{name} is {text[:40]!r}; expected a number for each class, with spaces between.")
    return numbers


def _flat(maps: Array) -> Array:
    """A view of C×H×W as C×(H·W)."""
    return maps.reshape(len(maps), -1)


def _pairwise(q: Array, kinds: Kinds, weights: list[Array]) -> Array:
    """C · m."""
    *mixing, compatibility = weights
    messages = [weight @ kind.of(q) for weight, kind in zip(mixing, kinds, strict=True)]
    return np.asarray(compatibility @ functools.reduce(np.add, messages))


def _pairwise_backward(dy: Array, q: Array, kinds: Kinds, weights: list[Array], learned: list[Array]) -> Array:
    """dq, for y = u − C · m; adds the gradients of the weights to `learned`."""
    *mixing, compatibility = weights
    dq = np.zeros_like(q)
    for weight, dweight, kind in zip(mixing, learned, kinds, strict=False):
        spread = kind.transposed(dy)
        product = spread @ q.T
        learned[-1] -= product @ weight.T
        dweight -= compatibility.T @ product
        dq -= (weight.T @ compatibility.T) @ spread
    return dq

"""The table of compiler passes, in the order in which they run.

The file of each pass, and the table in docs/performance.md, say why the result stays the same. A test compares that
table with this one. `register` adds a pass of a user.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from fcnlite.compiler.ir import Graph
from fcnlite.compiler.machine import Machine
from fcnlite.compiler.passes.assign_layouts import assign_layouts
from fcnlite.compiler.passes.elide_border import elide_border
from fcnlite.compiler.passes.elide_padding import elide_padding
from fcnlite.compiler.passes.eliminate_identity import eliminate_identity
from fcnlite.compiler.passes.fold_affine import fold_affine
from fcnlite.compiler.passes.fuse_first_convolution import fuse_first_convolution
from fcnlite.compiler.passes.fuse_normalization import fuse_normalization
from fcnlite.compiler.passes.fuse_pool import fuse_pool
from fcnlite.compiler.passes.fuse_relu import fuse_relu
from fcnlite.compiler.passes.fuse_sum import fuse_sum
from fcnlite.compiler.passes.join_concatenations import join_concatenations
from fcnlite.compiler.passes.lower_affine import lower_affine
from fcnlite.compiler.passes.lower_crop import lower_crop
from fcnlite.compiler.passes.lower_deconvolution import lower_deconvolution
from fcnlite.compiler.passes.lower_interpolation import lower_interpolation
from fcnlite.compiler.passes.lower_layers import lower_layers
from fcnlite.compiler.passes.select_algorithms import select_algorithms
from fcnlite.errors import SpecError, nearest

Mode = Literal["inference", "training"]
Run = Callable[[Graph, Machine], list[str]]


@dataclass(frozen=True)
class CompilerPass:
    """A row of the table."""

    run: Run
    """Rewrites the graph in place. Returns a line for each change."""
    purpose: str
    modes: tuple[Mode, ...] = ("inference", "training")

    @property
    def name(self) -> str:
        return self.run.__name__


PASSES = (
    CompilerPass(eliminate_identity, "removes layers that copy their input: Dropout in the TEST phase, Split"),
    CompilerPass(lower_crop, "replaces Crop, and in inference Slice, with slices at fixed places"),
    CompilerPass(lower_layers, "replaces layers with fast operations, where kernels exist for them"),
    CompilerPass(lower_deconvolution, "computes learned deconvolutions by sub-pixels", ("inference",)),
    CompilerPass(fold_affine, "multiplies BatchNorm, Scale and Bias into a convolution's weights", ("inference",)),
    CompilerPass(fuse_normalization, "normalizes in the blocked layout, and fuses the Scale and ReLU that follow"),
    CompilerPass(fuse_relu, "makes ReLU, PReLU or ReLU6 the last step of a convolution, in training of a sum too"),
    CompilerPass(fuse_pool, "makes 2×2 max pooling the last step of a convolution, where it pays", ("inference",)),
    CompilerPass(elide_border, "computes what the picture reaches; a picture of zeros gives the rest", ("inference",)),
    CompilerPass(elide_padding, "computes rows and columns that a wide pad makes equal once", ("training",)),
    CompilerPass(lower_interpolation, "computes bilinear deconvolutions, with their Crop and sum, as interpolations"),
    CompilerPass(lower_affine, "computes remaining affine maps, sums and rectifiers in one operation", ("inference",)),
    CompilerPass(select_algorithms, "selects each convolution's algorithm by predicted time"),
    CompilerPass(fuse_first_convolution, "computes a thin first convolution inside the next one", ("inference",)),
    CompilerPass(fuse_sum, "makes a sum, with its rectifier, the last step of a convolution", ("inference",)),
    CompilerPass(assign_layouts, "converts values between the NCHW and the blocked layout"),
    CompilerPass(
        join_concatenations, "computes inputs of a concatenation in their places of its output", ("inference",)
    ),
)

_own: list[tuple[str, CompilerPass]] = []
"""The passes of users, each with the name of the pass before which it runs."""


def register(
    purpose: str, *, before: str = "fold_affine", modes: tuple[Mode, ...] = ("inference", "training")
) -> Callable[[Run], Run]:
    """Decorator that adds a pass of your own, for plans that are compiled from then on.

    The function gets the graph and the machine, changes the graph in place, and returns a line for each change.
    `purpose`: what it does, for `summary --plan`. `before`: the pass that it precedes. Raises `SpecError` for a name
    that is taken and for an unknown `before`.
    """
    if before not in (names := [each.name for each in PASSES]):
        raise SpecError(f"there is no pass {before!r} to run before; {nearest(before, names)}")

    def add(run: Run) -> Run:
        if run.__name__ in [each.name for each in all_passes()]:
            raise SpecError(f"a pass {run.__name__!r} is registered already; choose another name.")
        _own.append((before, CompilerPass(run, purpose, modes)))
        return run

    return add


def all_passes() -> list[CompilerPass]:
    """The passes of the table and those of users, in order."""
    return [each for last in PASSES for each in (*(own for before, own in _own if before == last.name), last)]


def passes_for(mode: Mode) -> list[CompilerPass]:
    """The passes that run in this mode, in order."""
    return [each for each in all_passes() if mode in each.modes]

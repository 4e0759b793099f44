"""The table of compiler passes, in the order in which they run.

The file of each pass, and the table in docs/performance.md, say why the result stays the same. A test compares that
table with this one.
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
from fcnlite.compiler.passes.lower_crop import lower_crop
from fcnlite.compiler.passes.lower_interpolation import lower_interpolation
from fcnlite.compiler.passes.lower_layers import lower_layers
from fcnlite.compiler.passes.select_algorithms import select_algorithms

Mode = Literal["inference", "training"]


@dataclass(frozen=True)
class CompilerPass:
    """A row of the table."""

    run: Callable[[Graph, Machine], list[str]]
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
    CompilerPass(fold_affine, "multiplies BatchNorm, Scale and Bias into a convolution's weights", ("inference",)),
    CompilerPass(fuse_normalization, "normalizes in the blocked layout, and fuses the Scale and ReLU that follow"),
    CompilerPass(fuse_relu, "makes ReLU or PReLU the last step of a convolution"),
    CompilerPass(fuse_pool, "makes 2×2 max pooling the last step of a convolution, where it pays", ("inference",)),
    CompilerPass(elide_border, "computes what the picture reaches; a picture of zeros gives the rest", ("inference",)),
    CompilerPass(elide_padding, "computes rows and columns that a wide pad makes equal once", ("training",)),
    CompilerPass(lower_interpolation, "computes bilinear deconvolutions, with their Crop and sum, as interpolations"),
    CompilerPass(select_algorithms, "selects each convolution's algorithm by predicted time"),
    CompilerPass(fuse_first_convolution, "computes a thin first convolution inside the next one", ("inference",)),
    CompilerPass(assign_layouts, "converts values between the NCHW and the blocked layout"),
)


def passes_for(mode: Mode) -> list[CompilerPass]:
    """The passes that run in this mode, in order."""
    return [each for each in PASSES if mode in each.modes]

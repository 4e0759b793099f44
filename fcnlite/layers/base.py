"""The base of all layers: declared shapes, a forward, a backward, and options with Caffe's names and defaults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from fcnlite.arrays import Array, Shape
from fcnlite.description.fillers import Filler
from fcnlite.description.shapes import Placement, show
from fcnlite.description.spec import LayerSpec
from fcnlite.errors import FcnliteError, ShapeError, SpecError
from fcnlite.layers.options import parse_options, shown
from fcnlite.ranks.shard import WHOLE, Shard

Class = type  # in Layer, `type` is the layer's type name


@dataclass(frozen=True)
class ParamShape:
    """The shape of one parameter, and the filler of its initial values."""

    shape: Shape
    filler: Filler = Filler()
    statistic: bool = False
    """Whether it is measured, not learned (BatchNorm): it has no gradient, and solvers leave it alone."""


@dataclass(frozen=True)
class NoOptions:
    """The options of a type that has none."""


@dataclass
class Run:
    """What both forward and backward get, in one pass through one layer."""

    params: list[Array]
    """The layer's parameters, in the order of its `params`."""
    saved: Any = None
    """Whatever the layer's forward leaves for its own backward."""
    outs: Sequence[Array] = ()
    """Arrays that forward writes the tops into: the first bottom, for the one top of an in-place layer, or one for each
    top, from a plan of the fast path. If empty, forward makes new arrays. Always empty in backward."""
    rng: Callable[[], np.random.Generator] = np.random.default_rng
    """Returns this layer's random generator for this iteration (Dropout)."""
    shard: Shard = WHOLE
    """The part of the batch that this process computes, with which sums over the whole batch are taken."""

    @property
    def out(self) -> Array | None:
        """The array to write the first top into, if there is one."""
        return self.outs[0] if self.outs else None


class ForwardRun(Run):
    """What forward gets beside the bottoms."""

    def backward(self, layer: Layer, bottom: Sequence[Array], top: Sequence[Array]) -> BackwardRun:
        """The `BackwardRun` for the backward pass after this forward, with the shapes of its `bottom` and `top`."""
        return BackwardRun(
            self.params,
            self.saved,
            rng=self.rng,
            shard=self.shard,
            bottom=list(bottom) if "bottom" in layer.backward_reads else [],
            top=list(top) if "top" in layer.backward_reads else [],
            bottom_shapes=[each.shape for each in bottom],
            top_shapes=[each.shape for each in top],
        )


@dataclass
class BackwardRun(Run):
    """What backward gets beside the gradients of the tops."""

    bottom: list[Array] = field(default_factory=list)
    """The bottoms, if `backward_reads` contains "bottom"; else empty."""
    top: list[Array] = field(default_factory=list)
    """The tops, if `backward_reads` contains "top"; else empty."""
    bottom_shapes: list[Shape] = field(default_factory=list)
    """The shapes of the bottoms, which their gradients have too."""
    top_shapes: list[Shape] = field(default_factory=list)
    needs: Sequence[bool] = ()
    """Whether the gradient of each bottom is needed."""
    dparams: Sequence[Array | None] = ()
    """Arrays for the parameters' gradients, to be overwritten by `dparams[0][...] = gradient`; None where no gradient
    is needed."""


class Layer:
    """Base of all layers. A subclass overrides the defaults below and defines `forward` and `backward`.

    A layer keeps no state between passes: forward leaves what backward needs in `Run.saved`.
    """

    type: ClassVar[str]
    """Caffe's type name; the registry's key."""
    python: ClassVar[tuple[str, str] | None] = None
    """For the type Python: the module and the layer of python_param that the class computes. None: any module, and the
    layer is the class's name."""
    messages: ClassVar[tuple[str, ...]] = ()
    """The `*_param` messages of Caffe's LayerParameter that hold the options."""
    Options: ClassVar[Class] = NoOptions
    """The dataclass of the options, with Caffe's names and defaults; `self.options` is an instance."""
    bottoms: ClassVar[tuple[int, int | None]] = (1, 1)
    """The least and the greatest number of bottoms (None: no limit)."""
    tops: ClassVar[tuple[int, int | None]] = (1, 1)
    """The least and the greatest number of tops."""
    backward_reads: frozenset[str] = frozenset()
    """Which of "bottom" and "top" backward reads, from its run or in `saved`; others may be freed."""
    overwrites: bool = False
    """Whether forward can write its one top over its bottom, and backward works without that bottom."""
    writes_out: bool = False
    """Whether forward writes the tops into `run.outs`; tops of a single number are exempt.

    A class that defines forward does not inherit `overwrites`, `writes_out` and `over_batch`: its forward may, for
    example, call its base's forward twice and need two separate results."""
    aliases: bool = False
    """Whether a top may share memory with a bottom."""
    is_loss: ClassVar[bool] = False
    """Whether the first top has weight 1 in the net's loss by default (`loss_weight` overrides it)."""
    no_gradient: ClassVar[frozenset[int]] = frozenset()
    """The bottoms that never get a gradient (labels, the reference of a crop)."""
    over_batch: ClassVar[bool] = False
    """Whether forward and backward take sums over the pictures with `run.shard`, so that several processes can share a
    batch. A loss needs it, and so does any layer with a top that is not one array for each picture."""
    updates_params: bool = False
    """Whether forward writes to its parameters (BatchNorm's running sums)."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in ("overwrites", "writes_out", "over_batch"):
            latest = next(each for each in cls.__mro__ if name in vars(each) or "forward" in vars(each))
            if name not in vars(latest):
                setattr(cls, name, False)

    def __init__(self, spec: LayerSpec, phase: str) -> None:
        self.spec = spec
        self.phase = spec.phase or phase
        self.options: Any = parse_options(self.Options, spec.options)
        _check_count("bottom blobs", len(spec.bottom), self.bottoms)
        _check_count("top blobs", len(spec.top), self.tops)
        if spec.propagate_down:
            _check_count("propagate_down", len(spec.propagate_down), (len(spec.bottom), len(spec.bottom)))
        self.check()

    @property
    def stopped(self) -> frozenset[int]:
        """The bottoms that get no gradient in this net, by `no_gradient` or by `propagate_down`."""
        return self.no_gradient | {i for i, down in enumerate(self.spec.propagate_down) if not down}

    def check(self) -> None:
        """Raise `SpecError` for options that contradict each other; derive attributes from the options."""

    def params(self, *bottom: Shape) -> list[ParamShape]:
        """The parameters that the layer has for bottoms of these shapes."""
        return []

    def top_shapes(self, *bottom: Shape) -> list[Shape]:
        """The shapes of the tops; by default one top with the first bottom's shape.

        Raises `ShapeError` for bottoms that do not fit.
        """
        return [bottom[0]]

    def forward(self, bottom: list[Array], run: ForwardRun) -> list[Array]:
        """Compute the tops, arrays of the shapes that `top_shapes` gives.

        Does not write to `bottom`. A layer that works in place finds the array to overwrite in `run.outs`.
        """
        raise NotImplementedError

    def backward(self, dtop: list[Array], run: BackwardRun) -> list[Array | None]:
        """Compute the gradients of the bottoms (None where not needed) from the gradients of the tops.

        A gradient has the shape of its blob. Writes the parameters' gradients into `run.dparams`. Does not write to
        `dtop`.
        """
        raise SpecError(f"type {self.type} has no gradient; put `propagate_down: false` on the layer.")

    def placement(self) -> tuple[Placement, Placement] | None:
        """The receptive fields of the first top in the first bottom, for rows and for columns; None if undefined."""
        return (Placement(), Placement())

    def macs(self, bottom: Sequence[Shape], top: Sequence[Shape]) -> int:
        """The number of multiply-accumulates of one forward pass by the direct method."""
        return 0

    def __repr__(self) -> str:
        """Convolution 'conv1' (num_output=64, kernel_size=(3,)): data → conv1"""
        try:
            options = self._shown_options()
            blobs = " → ".join(", ".join(each) for each in (self.spec.bottom, self.spec.top) if each)
            return f"{self.spec.type} {self.spec.name!r}{f' ({options})' if options else ''}: {blobs}"
        except Exception:  # a user's layer, or a half-initialised one
            return object.__repr__(self)

    def _shown_options(self) -> str:
        return shown(self.options, {})


def _check_count(what: str, count: int, limits: tuple[int, int | None]) -> None:
    least, most = limits
    if count < least or (most is not None and count > most):
        if most is None:
            wanted = f"at least {least}"
        elif least == most:
            wanted = str(least)
        else:
            wanted = f"{least} to {most}"
        raise SpecError(f"has {count} {what}; expected {wanted}.")


def named(layer: Layer, call: Callable[[], Any]) -> Any:
    """Return `call()`; put the layer's name in front of its error messages."""
    try:
        return call()
    except FcnliteError as error:
        raise type(error)(f"layer {layer.spec.name!r} ({layer.type}): {error}") from error


def along_picture(axis: int) -> bool:
    """Whether `axis` is the rows or columns of N×C×H×W."""
    return axis in (2, 3, -2, -1)


def canonical_axis(axis: int, axes: int) -> int:
    """`axis` counted from the front; negative axes count from the end. Raises `ShapeError` if there is no such axis."""
    if not -axes <= axis < axes:
        raise ShapeError(f"axis {axis} is outside a blob of {axes} axes")
    return axis % axes


def four_axes(shape: Shape) -> tuple[int, int, int, int]:
    """`shape` as N, C, H, W. Raises `ShapeError` unless it has four axes."""
    if len(shape) != 4:
        volumes = "; fcnlite computes pictures, not volumes" if len(shape) == 5 else ""
        raise ShapeError(f"expected a blob of four axes, N×C×H×W, found {show(shape)}{volumes}")
    return shape

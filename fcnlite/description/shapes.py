"""Shape arithmetic: output sizes, receptive fields, strides, crop offsets.

The functions work on one spatial axis; layers call them for rows and for columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from fcnlite.errors import ShapeError


def show(shape: Iterable[int]) -> str:
    """A shape as text: 1×3×500×500."""
    return "×".join(map(str, shape)) or "scalar"


@dataclass(frozen=True)
class Window:
    """A layer's window and its movement along one axis, in pixels; `size` is Caffe's kernel_size."""

    size: int
    stride: int = 1
    pad: int = 0
    dilation: int = 1

    @property
    def extent(self) -> int:
        """The number of pixels that the window spans: dilation · (size − 1) + 1."""
        return self.dilation * (self.size - 1) + 1

    def convolved(self, size: int) -> int:
        """The output size of a convolution: ⌊(size + 2·pad − extent) / stride⌋ + 1."""
        reach = size + 2 * self.pad - self.extent
        if reach < 0:
            raise ShapeError(
                f"a window of {self.extent} pixels does not fit into {size} pixels with pad {self.pad}; "
                f"the input must have at least {max(1, self.extent - 2 * self.pad)}"
            )
        return reach // self.stride + 1

    def deconvolved(self, size: int) -> int:
        """The output size of a deconvolution, the transposed convolution: stride · (size − 1) + extent − 2·pad."""
        out = self.stride * (size - 1) + self.extent - 2 * self.pad
        if out < 1:
            raise ShapeError(f"pad {self.pad} removes all {out + 2 * self.pad} pixels that {size} pixels become")
        return out

    def pooled(self, size: int, round_mode: str = "CEIL", clip: bool | None = None) -> int:
        """The output size of a pooling: (picture + 2·pad − size) / stride, rounded up or down, + 1.

        `clip`: whether to drop a last window that starts in the far pad or beyond. Caffe does so if either axis has a
        pad; the default is whether this axis has one.
        """
        reach = size + 2 * self.pad - self.size
        steps = -(-reach // self.stride) if round_mode == "CEIL" else reach // self.stride
        if (self.pad if clip is None else clip) and steps * self.stride >= size + self.pad:
            steps -= 1
        if steps < 0:
            raise ShapeError(f"a window of {self.size} pixels does not fit into {size} pixels with pad {self.pad}")
        return steps + 1


def pooled(windows: tuple[Window, Window], axis: int, size: int, round_mode: str) -> int:
    """The output size of a pooling along `axis`, as Caffe clips it. `windows`: for rows and for columns."""
    return windows[axis].pooled(size, round_mode, clip=any(each.pad > 0 for each in windows))


def paired(windows: tuple[Window, Window], *names: str) -> tuple[tuple[int, int], ...]:
    """The named attributes of the windows, each as a pair (rows, columns), as the compiled kernels take them."""
    rows, columns = windows
    return tuple((getattr(rows, name), getattr(columns, name)) for name in names)


@dataclass(frozen=True)
class Placement:
    """The receptive fields of a blob's pixels in an earlier blob, along one axis.

    The receptive field of pixel y spans `field` pixels of the earlier blob, centred at `stride` · y + `offset`. A
    convolution of stride s has Placement(s, (extent − 1)/2 − pad, extent); a deconvolution has stride 1/s.
    """

    stride: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)
    field: Fraction = Fraction(1)

    def over(self, below: Placement) -> Placement:
        """This placement, composed with `below`, the earlier blob's own (paper, section 3: filters compose)."""
        return Placement(
            self.stride * below.stride,
            self.offset * below.stride + below.offset,
            (self.field - 1) * below.stride + below.field,
        )

    def joined(self, other: Placement) -> Placement:
        """The placement of a blob that two paths lead to: stride and offset of `self`, and the wider of both fields."""
        return Placement(self.stride, self.offset, max(self.field, other.field))


def convolution_placement(window: Window) -> Placement:
    """The placement of a convolution's or pooling's top over its bottom."""
    return Placement(
        Fraction(window.stride),
        Fraction(window.extent - 1, 2) - window.pad,
        Fraction(window.extent),
    )


def deconvolution_placement(window: Window) -> Placement:
    """The placement of a deconvolution's top over its bottom: that of the convolution, inverted.

    A top pixel is a sum over at most ⌈extent / stride⌉ bottom pixels.
    """
    forward = convolution_placement(window)
    return Placement(
        1 / forward.stride,
        -forward.offset / forward.stride,
        Fraction(ceil(forward.field / forward.stride)),
    )


Links = Sequence[tuple[Sequence[str], Sequence[str], Placement | None]]
"""The layers of a net along one axis, each as bottoms, tops, and the placement of the tops over the first bottom."""


def placements(links: Links) -> dict[str, tuple[str, Placement]]:
    """For each blob, the input that it depends on and its placement over that input.

    Where paths from one input meet, the first bottom determines stride and offset, and the widest path the field. For a
    blob written in place, the last value counts. Blobs without a placement, such as those after an InnerProduct, are
    missing.
    """
    known: dict[str, tuple[str, Placement]] = {}
    for bottoms, tops, placement in links:
        if not bottoms:
            known.update({top: (top, Placement()) for top in tops})
            continue
        if placement is None or bottoms[0] not in known:
            for top in tops:
                known.pop(top, None)
            continue
        origin, below = known[bottoms[0]]
        here = placement.over(below)
        for other in bottoms[1:]:
            if other in known and known[other][0] == origin:
                here = here.joined(placement.over(known[other][1]))
        known.update(dict.fromkeys(tops, (origin, here)))
    return known


def crop_offset(known: Mapping[str, tuple[str, Placement]], blob: str, reference: str) -> int:
    """The number of pixels to crop from the beginning of `blob`, so that it is aligned with `reference`.

    Both must depend on the same input with the same stride. Raises `ShapeError` if no whole, non-negative offset aligns
    them.
    """
    for name in (blob, reference):
        if name not in known:
            raise ShapeError(f"blob {name!r} has no placement over an input, so no crop offset exists")
    (origin, here), (other_origin, there) = known[blob], known[reference]
    if origin != other_origin:
        raise ShapeError(f"{blob!r} depends on {origin!r} but {reference!r} on {other_origin!r}: no common input")
    if here.stride != there.stride:
        raise ShapeError(
            f"{blob!r} has a stride of {here.stride} pixels but {reference!r} of {there.stride}; "
            "upsample the coarser one first"
        )
    offset = (there.offset - here.offset) / here.stride
    if offset < 0 or offset.denominator != 1:
        if offset.denominator != 1:
            mend = "make a window on the path to only one of them a pixel larger or smaller"
        elif reference == origin:
            mend = f"give the net's first layer at least {-offset * here.stride} pixels more pad"
        else:
            mend = (
                f"layers on the path to only {blob!r} must begin {-offset} pixels earlier, by more pad, or, for a "
                f"deconvolution, by less pad or a window of {-2 * offset} pixels more; or those on the path to only "
                f"{reference!r} must begin later (a pad on a path to both moves both, and cancels out)"
            )
        raise ShapeError(f"{blob!r} would have to be cropped by {offset} pixels to align with {reference!r}; {mend}")
    return int(offset)

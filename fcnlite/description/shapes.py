"""All shape arithmetic, written once: output sizes, receptive fields, strides, crop offsets.

Everything here speaks of one spatial axis; layers call it for rows and for columns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil

from fcnlite.errors import ShapeError


def show(shape: Iterable[int]) -> str:
    """A shape as people write it: 1×3×500×500."""
    return "×".join(map(str, shape)) or "scalar"


@dataclass(frozen=True)
class Window:
    """How a kernel moves along one axis, in pixels."""

    kernel: int
    stride: int = 1
    pad: int = 0
    dilation: int = 1

    @property
    def extent(self) -> int:
        """Pixels from the first tap to the last: dilation · (kernel − 1) + 1."""
        return self.dilation * (self.kernel - 1) + 1

    def convolved(self, size: int) -> int:
        """Output size of a convolution: ⌊(size + 2·pad − extent) / stride⌋ + 1."""
        reach = size + 2 * self.pad - self.extent
        if reach < 0:
            raise ShapeError(
                f"a kernel of {self.extent} pixels does not fit into {size} pixels with pad {self.pad}; "
                f"the input must have at least {max(1, self.extent - 2 * self.pad)}"
            )
        return reach // self.stride + 1

    def deconvolved(self, size: int) -> int:
        """Output size of a deconvolution, the transposed convolution: stride · (size − 1) + extent − 2·pad."""
        out = self.stride * (size - 1) + self.extent - 2 * self.pad
        if out < 1:
            raise ShapeError(f"pad {self.pad} leaves nothing of the {out + 2 * self.pad} pixels made of {size}")
        return out

    def pooled(self, size: int, round_mode: str = "CEIL", clip: bool | None = None) -> int:
        """Output size of a pooling. Caffe rounds up, and drops a last window that starts in the far pad or beyond.

        It drops it (`clip`) where either axis has a pad; by default, where this one has.
        """
        reach = size + 2 * self.pad - self.kernel
        steps = -(-reach // self.stride) if round_mode == "CEIL" else reach // self.stride
        if (self.pad if clip is None else clip) and steps * self.stride >= size + self.pad:
            steps -= 1
        if steps < 0:
            raise ShapeError(f"a window of {self.kernel} pixels does not fit into {size} pixels with pad {self.pad}")
        return steps + 1


def pooled(windows: tuple[Window, Window], axis: int, size: int, round_mode: str) -> int:
    """Output size of a pooling along one axis, of its windows for rows and columns: a pad on either axis clips both."""
    return windows[axis].pooled(size, round_mode, clip=any(each.pad > 0 for each in windows))


def paired(windows: tuple[Window, Window], *names: str) -> tuple[tuple[int, int], ...]:
    """Each attribute named, of the windows for rows and columns: as the Cython kernels take them."""
    rows, columns = windows
    return tuple((getattr(rows, name), getattr(columns, name)) for name in names)


@dataclass(frozen=True)
class Placement:
    """Where the pixels of one blob lie over another's, along one axis.

    Pixel y of the upper blob is centred at `stride` · y + `offset` of the lower one and sees `field` pixels
    of it. A convolution is Placement(s, (extent − 1)/2 − pad, extent); a deconvolution has stride 1/s.
    """

    stride: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)
    field: Fraction = Fraction(1)

    def over(self, below: Placement) -> Placement:
        """This placement seen from what lies under `below` (paper, section 3.2: filters compose)."""
        return Placement(
            self.stride * below.stride,
            self.offset * below.stride + below.offset,
            (self.field - 1) * below.stride + below.field,
        )

    def joined(self, other: Placement) -> Placement:
        """The placement of a blob that two paths reach: the wider field. Its centre is that of `self`."""
        return Placement(self.stride, self.offset, max(self.field, other.field))


def convolution_placement(window: Window) -> Placement:
    """Of a convolution's or pooling's top over its bottom."""
    return Placement(
        Fraction(window.stride),
        Fraction(window.extent - 1, 2) - window.pad,
        Fraction(window.extent),
    )


def deconvolution_placement(window: Window) -> Placement:
    """Of a deconvolution's top over its bottom: the inverse of the convolution that it transposes.

    A top pixel gathers from ⌈extent / stride⌉ bottom pixels at the most.
    """
    forward = convolution_placement(window)
    return Placement(
        1 / forward.stride,
        -forward.offset / forward.stride,
        Fraction(ceil(forward.field / forward.stride)),
    )


Links = Sequence[tuple[Sequence[str], Sequence[str], Placement | None]]
"""A net along one axis, layer by layer: bottoms, tops, placement of the tops over the first bottom."""


def placements(links: Links) -> dict[str, tuple[str, Placement]]:
    """For every blob the input it descends from and its placement over it; last values of in-place blobs.

    Where paths from one input meet, the first bottom gives stride and centre, the widest path the field.
    Blobs that lost their place (after InnerProduct, say) are missing.
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
    """How many of `blob`'s leading pixels to crop so that it lies exactly over `reference`.

    Both must descend from one input with one stride. Raises `ShapeError` where no whole, non-negative offset
    aligns them.
    """
    for name in (blob, reference):
        if name not in known:
            raise ShapeError(f"blob {name!r} has no place over an input, so nothing can be cropped to it")
    (origin, here), (other_origin, there) = known[blob], known[reference]
    if origin != other_origin:
        raise ShapeError(f"{blob!r} comes from {origin!r} but {reference!r} from {other_origin!r}: no common place")
    if here.stride != there.stride:
        raise ShapeError(
            f"{blob!r} has a stride of {here.stride} pixels but {reference!r} of {there.stride}; "
            "upsample the coarser one first"
        )
    offset = (there.offset - here.offset) / here.stride
    if offset < 0 or offset.denominator != 1:
        if offset.denominator != 1:
            mend = "make a kernel on the way to one of them alone a pixel larger or smaller"
        elif reference == origin:
            mend = f"give the net's first layer at least {-offset * here.stride} pixels more pad"
        else:
            mend = (
                f"layers on the way to {blob!r} alone must begin {-offset} pixels earlier, by more pad, or, of a "
                f"deconvolution, by less pad or a kernel of {-2 * offset} pixels more; or those on the way to "
                f"{reference!r} alone later (a pad of layers that both come through moves both, and cancels out)"
            )
        raise ShapeError(f"{blob!r} would have to be cropped by {offset} pixels to lie over {reference!r}; {mend}")
    return int(offset)

"""Crops that misalign: compares each written offset with the one that follows from the layers.

Windows, strides and pads determine the position of each blob relative to the picture (`shapes.placements`). A crop must
align its blob with its reference. An offset that is wrong by one pixel shifts scores of stride s by s pixels of the
picture.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from fractions import Fraction

from fcnlite.description.shapes import placements
from fcnlite.description.spec import LayerSpec
from fcnlite.doctor.finding import Finding
from fcnlite.layers import Layer, links
from fcnlite.layers.remedies import remedy
from fcnlite.net import Net

AXES = ("rows", "columns")


def check(net: Net) -> list[Finding]:
    findings = []
    before: list[LayerSpec] = []
    for layer in net.layers:
        spec = layer.spec
        if layer.type == "Crop":
            wanted = [_wanted(before, spec, axis) for axis in range(len(AXES))]
            found = _compared(layer, wanted, before)
            findings += found
            if found:
                spec = _corrected(spec, wanted)
        before.append(spec)
    return findings


def _wanted(before: Sequence[LayerSpec], crop: LayerSpec, axis: int) -> Fraction | None:
    """The offset that aligns the crop's blob with its reference; None if they share no origin or differ in stride."""
    known = placements(links(before, axis))
    blob, reference = crop.bottom
    if blob not in known or reference not in known:
        return None
    (origin, here), (other_origin, there) = known[blob], known[reference]
    if origin != other_origin or here.stride != there.stride:
        return None
    return (there.offset - here.offset) / here.stride


def _compared(layer: Layer, wanted: Sequence[Fraction | None], before: Sequence[LayerSpec]) -> list[Finding]:
    given = [each.offset for each in layer.placement() or ()]
    blob, reference = layer.spec.bottom
    what = f"Crop {layer.spec.name!r} aligns {blob!r} with {reference!r}"
    for axis, have, want in zip(AXES, given, wanted, strict=True):
        if want is None or have == want:
            continue
        if want < 0:
            return [
                Finding(
                    "crop-impossible",
                    "warning",
                    f"{what} at offset {have}, but the {axis} would need {_number(want)}: the blob begins inside its "
                    "reference, so that no offset aligns them.",
                    remedy(before, layer.spec, None, layer.phase)
                    or "Give more pad to layers that only the blob depends on; the pad of layers that the reference "
                    "depends on too cancels out.",
                )
            ]
        if want.denominator != 1 and abs(have - want) < 1:
            return [
                Finding(
                    "crop-between-pixels",
                    "note",
                    f"{what} at offset {have}; the exact one of the {axis}, {_number(want)}, is not a whole number.",
                    "Change a pad or an even kernel_size by one (therefore FCN-AlexNet upsamples with 63, not 64).",
                )
            ]
        return [
            Finding(
                "crop-misaligned",
                "error",
                f"{what} at offset {have}, but by the layers' windows, strides and pads it is {_number(want)} for "
                f"the {axis}: the scores are shifted.",
                f"Write `offset: {round(want)}`, or compute it with fcnlite.shapes.crop_offset.",
            )
        ]
    return []


def _corrected(crop: LayerSpec, wanted: Sequence[Fraction | None]) -> LayerSpec:
    """The crop with the correct offsets, so that one wrong crop does not make later crops look wrong."""
    offsets = [max(0, round(each or 0)) for each in wanted]
    return dataclasses.replace(crop, options={"axis": 2, "offset": offsets})


def _number(offset: Fraction) -> str:
    return f"{float(offset):g}"

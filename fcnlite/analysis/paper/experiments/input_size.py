"""Any size in, the same size out (sections 3 and 4.1): where the pad of 100 and the crop offsets come from.

The upsampled scores must cover the picture, so the first scores must see pixels outside it, which a pad provides. The
pad and the crop offsets follow from the stride, offset and field of each blob, by the rule of composition.
"""

from __future__ import annotations

from dataclasses import replace

from fcnlite import models
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.description.shapes import crop_offset, placements
from fcnlite.description.spec import NetSpec
from fcnlite.errors import ShapeError
from fcnlite.layers import links
from fcnlite.net import Net

NETS = ("voc-fcn32s", "voc-fcn16s", "voc-fcn8s", "voc-fcn-alexnet", "voc-fcn-googlenet", "lite-fcn8s", "lite-fcn2s")
PADDED = "voc-fcn32s"
PADS = (0, 40, 80, 81, 90, 96, 97, 100, 120)
LARGEST = 250
"""The side of the largest picture tried: all sides from 1 on."""
_WIDTH = 1 / 64


def offsets(spec: NetSpec) -> list[tuple[str, int]]:
    """The Crop layers and their offsets, computed from the placements of their bottoms.

    Raises `ShapeError` if no offset aligns a blob with its reference.
    """
    layers = spec.for_phase("TEST").layers
    known = placements(links(layers, 0))
    return [(each.name, crop_offset(known, *each.bottom)) for each in layers if each.type == "Crop"]


def with_pad(spec: NetSpec, pad: int) -> NetSpec:
    """`spec` with another pad of the first convolution, and crop offsets that fit. Raises `ShapeError` as `offsets`."""
    first = next(layer for layer in spec if layer.type == "Convolution")
    options = {key: value for key, value in first.options.items() if not key.startswith("pad")}
    layers = [replace(each, options={**options, "pad": [pad]}) if each is first else each for each in spec]
    found = dict(offsets(replace(spec, layers=tuple(layers))))
    cropped = [
        replace(each, options={**each.options, "offset": [found[each.name]]}) if each.name in found else each
        for each in layers
    ]
    return replace(spec, layers=tuple(cropped))


def size_of(net: Net, height: int, width: int) -> tuple[int, int] | None:
    """Height and width of the blob "score" for a picture of this size; None if a layer refuses it."""
    try:
        steps = net.shapes({"data": (1, 3, height, width)})
    except ShapeError:
        return None
    shapes = {name: shape for layer, _, tops in steps for name, shape in zip(layer.spec.top, tops, strict=True)}
    return shapes["score"][2], shapes["score"][3]


def first_pad(spec: NetSpec) -> int:
    """The pad of the first convolution."""
    first = next(layer for layer in spec if layer.type == "Convolution")
    return int(first.options.get("pad", [0])[0])


def smallest(net: Net) -> int | None:
    """The smallest side from which on pictures have scores of their own size; None if there is none up to `LARGEST`.

    Squares are tried, and pictures with a width of `LARGEST`.
    """
    sides = range(1, LARGEST + 1)
    wrong = [side for side in sides if any(size_of(net, side, other) != (side, other) for other in (side, LARGEST))]
    least = max(wrong, default=0) + 1
    return least if least <= LARGEST else None


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the sizes and offsets of the zoo, and with what other pads would give."""
    rows, right = [], 0
    for name in NETS:
        spec = models.describe(name, width=_WIDTH)
        least = smallest(Net(spec))
        right += least == 1
        crops = ", ".join(f"{layer} {offset}" for layer, offset in offsets(spec))
        rows.append((name, first_pad(spec), least or f"above {LARGEST}", crops))
    page.compare("nets whose scores have the size of every picture", "all", f"{right} of {len(NETS)}")
    page.compare("pad of the first convolution (FCN reference)", 100, first_pad(models.describe(PADDED)), "the same")
    page.text(
        f"For each net, pictures with a height of 1 to {LARGEST} pixels were tried, as squares and with a width of "
        f"{LARGEST}. The crop offsets are computed, not taken from the net's description: a Crop moves a blob to the "
        "place of its reference by (offset of the reference − offset of the blob) / stride positions, where the rule "
        "of composition gives stride and offset in pixels."
    )
    page.table(("net", "first pad", "smallest picture", "crop offsets"), rows)
    found: list[tuple[int, object, object]] = []
    for pad in PADS:
        try:
            spec = with_pad(models.describe(PADDED, width=_WIDTH), pad)
        except ShapeError:
            found.append((pad, "negative", "none"))
            continue
        found.append((pad, offsets(spec)[-1][1], smallest(Net(spec)) or f"above {LARGEST}"))
    covered = min(pad for pad, offset, _ in found if offset != "negative")
    any_size = min(pad for pad, _, least in found if least == 1)
    page.heading("Why 100")
    page.text(
        "The convolution fc6 has no pad and a window of 7×7 positions, 32 pixels apart. If conv1_1 had no large pad, a "
        "picture would need about 7 · 32 pixels on each side, and the upsampled scores would not reach its margin: "
        f"the crop offset would be negative. The table has {PADDED} with other pads. From {covered} on, the upsampled "
        f"scores cover the picture, and each further pixel moves the offset by one. From {any_size} on, the picture "
        "may have any size. The reference's 100 is a round number above it. The pad has a price: a picture of 100×100 "
        "pixels is computed as one of 300×300. The lite nets pad every convolution instead, so all their offsets are 0."
    )
    page.table(("pad", "crop offset", "smallest picture"), found)

"""Shift-and-stitch and filter rarefaction give equal scores; what both cost compared with upsampling (section 3.2).

Shift-and-stitch runs a net of stride f on the f² shifts of a picture and interlaces the outputs, at f² times the cost.
The rarefied net replaces each stride s by a dilation of the filters that follow, f'_ij = f_(i/s, j/s) if s divides i
and j, else 0. It gives the same scores and computes each layer once for every pixel. Bilinear upsampling costs 4
multiplications for each score.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from fcnlite import data, surgery
from fcnlite.analysis.dense import rarefy, shift_and_stitch
from fcnlite.analysis.dense.part import DensePart
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.tools.figures import gray
from fcnlite.analysis.paper.tools.nets import open_net, shipped
from fcnlite.analysis.patches import seconds
from fcnlite.arrays import Array
from fcnlite.data import Dataset
from fcnlite.data.transforms import to_blob
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import SpecError
from fcnlite.net import Net

_MOST_SHIFTS = 256
"""With more shifts, the time of one is measured and multiplied."""
_RUNS = 5
"""Times are those of the fastest of so many runs."""
_SHOWN = 8
"""The largest stride whose scores are shown as pictures."""


@dataclass(frozen=True)
class Cost:
    """What dense scores cost: multiply-accumulates on the picture's own size, and seconds."""

    macs: int
    seconds: float


def blobs_by_stride(net: Net) -> dict[int, str]:
    """The last blob of each stride that has a dense form, for strides above 1 that are equal along both axes."""
    found: dict[int, str] = {}
    refusal = ""
    for layer in net.layers:
        for top in layer.spec.top if layer.spec.bottom else ():
            try:
                rows, columns = DensePart.of(net, top).stride
            except SpecError as error:
                refusal = refusal or f": {error}"
                continue
            if rows == columns > 1:
                found[rows] = top
    if not found:
        raise SpecError(f"net {net.spec.name!r} has no blob of a stride above 1 with a dense form{refusal or '.'}")
    return dict(sorted(found.items()))


def macs(net: Net, x: Array, output: str) -> int:
    """The multiply-accumulates of the layers that compute `output` from the picture `x`."""
    part = DensePart.of(net, output)
    names = {layer.spec.name for layer in part.layers}
    steps = net.shapes({part.input: x.shape})
    return sum(layer.macs(bottoms, tops) for layer, bottoms, tops in steps if layer.spec.name in names)


def upsampling(channels: int, factor: int) -> Net:
    """A net that upsamples `score` bilinearly by `factor`, each channel separately."""
    window = {"kernel_size": [2 * factor], "stride": [factor], "pad": [factor // 2]}
    options = {"num_output": channels, "group": channels, "bias_term": False, **window}
    shape = [{"dim": [1, channels, 1, 1]}]
    layers = (
        LayerSpec("score", "Input", top=("score",), options={"shape": shape}),
        LayerSpec("up", "Deconvolution", ("score",), ("up",), options),
    )
    net = Net(NetSpec("upsampling", layers))
    surgery.interp(net)
    return net


def interpolated(scores: Array, part: DensePart, height: int, width: int) -> Array:
    """Scores N×C×h×w, each at the centre of its receptive field, interpolated bilinearly at every pixel."""
    for axis, size in enumerate((height, width)):
        read, stride = part.read, part.stride[axis]
        centre = read.first[axis] + (part.field[axis] - 1) / 2
        here = np.clip((np.arange(size) - centre) / stride, 0, scores.shape[2 + axis] - 1)
        weights = np.maximum(0, 1 - np.abs(here[:, None] - np.arange(scores.shape[2 + axis])))
        scores = np.moveaxis(np.tensordot(scores, weights.astype(scores.dtype), (2 + axis, 1)), -1, 2 + axis)
    return scores


def costs(net: Net, x: Array, output: str) -> tuple[Cost, Cost, Cost, Cost, float | None]:
    """The costs of the net, shift-and-stitch, the rarefied net and upsampling, and the largest relative difference.

    The difference is that between shift-and-stitch and the rarefied net, relative to the largest score; None if there
    are too many shifts to run them all.
    """
    part = DensePart.of(net, output)
    factor = part.stride[0]
    rarefied = rarefy(net, output=output)
    scores = net.forward({part.input: x}, outputs=[output])[output]
    up = upsampling(scores.shape[1], factor)
    own = Cost(macs(net, x, output), seconds(lambda: net.forward({part.input: x}, outputs=[output]), _RUNS))
    shifts = factor**2
    difference = None
    if shifts <= _MOST_SHIFTS:
        began = time.perf_counter()
        stitched = shift_and_stitch(net, x, output=output)
        spent = time.perf_counter() - began
        at_once = shift_and_stitch(rarefied, x, output=output)
        difference = float(abs(stitched - at_once).max() / abs(stitched).max())
    else:
        wide = np.zeros((*x.shape[:2], *(size + field for size, field in zip(x.shape[2:], part.field, strict=True))))
        spent = shifts * seconds(lambda: net.forward({part.input: wide}, outputs=[output]), _RUNS)
    return (
        own,
        Cost(shifts * own.macs, spent),
        Cost(macs(rarefied, x, output), seconds(lambda: rarefied.forward({part.input: x}, outputs=[output]), _RUNS)),
        Cost(
            own.macs + up.layer("up").macs([scores.shape], [(*scores.shape[:2], *x.shape[2:])]),
            own.seconds + seconds(lambda: up.forward(score=scores), _RUNS),
        ),
        difference,
    )


def opened(settings: Settings) -> Net:
    """The net of the settings, by default the shipped one for generated shapes."""
    return open_net(settings.model or str(shipped("shapes-fcn8s")), seed=settings.seed)


def run(settings: Settings, page: Page) -> None:
    """Fill the page for a net and pictures of a data set, by default generated shapes."""
    net = opened(settings)
    dataset = settings.val_set or data.open("shapes", split="test")
    x = _blob(net, dataset, 0)
    counts, times, worst = [], [], 0.0
    blobs = blobs_by_stride(net)
    for factor, blob in blobs.items():
        own, stitch, rare, up, difference = costs(net, x, blob)
        worst = max(worst, difference or 0.0)
        all_costs = (own, stitch, rare, up)
        counts.append(
            (
                blob,
                factor,
                "×".join(map(str, DensePart.of(net, blob).field)),
                *(f"{cost.macs / 1e6:,.0f} M" for cost in all_costs),
            )
        )
        unequal = "not run" if difference is None else f"{difference:.0e}"
        times.append((blob, factor, *(f"{1000 * cost.seconds:,.1f} ms" for cost in all_costs), unequal))
        page.compare(
            f"naive cost of shift-and-stitch at stride {factor}, in runs of the net",
            f"f² = {factor**2}",
            f"{stitch.macs / own.macs:.0f}",
            f"the rarefied net {rare.macs / own.macs:.1f}, upsampling {up.macs / own.macs:.2f}, counted in MACs",
        )
    page.compare("largest difference of both ways, relative to the largest score", "equal", f"{worst:.0e}", "rounding")
    page.text(
        f"The net is {net.spec.name}, and the picture, the first of {dataset.name}, has {x.shape[2]}×{x.shape[3]} "
        "pixels. Each row has the last blob of one stride, and its dense scores by shift-and-stitch, by the rarefied "
        "net and by bilinear upsampling; the last includes the run of the net. MACs (multiply-accumulates) are counted "
        "for the size of the picture. Shift-and-stitch also computes a border of zeros as wide as the receptive field, "
        "so it takes longer than f² runs if the field is large compared with the picture. The time of more than "
        f"{_MOST_SHIFTS} shifts is that of one shift, multiplied. The rarefied net is cheaper than f² runs, because "
        "the layers below a stride run once. Its poolings over dilated windows are convolutions here and count as MACs."
    )
    kinds = ("net", "stitched", "rarefied", "upsampled")
    page.table(("blob", "stride", "field", *(f"MACs, {each}" for each in kinds)), counts)
    page.table(("blob", "stride", *(f"time, {each}" for each in kinds), "difference"), times)
    _maps(net, x, blobs, page)


def _blob(net: Net, dataset: Dataset, index: int) -> Array:
    """Picture number `index` as the net takes it, 1×C×H×W."""
    ((name, image),) = dataset[index].images.items()
    return to_blob(image, net.info.preprocessing.of(name))[None]


def _maps(net: Net, x: Array, blobs: dict[int, str], page: Page) -> None:
    """Add pictures of the channel that varies most in the scores of stride 8, or of the next one below."""
    factor = max((each for each in blobs if each <= _SHOWN), default=min(blobs))
    part = DensePart.of(net, blobs[factor])
    height, width = x.shape[2:]
    coarse = net.forward({part.input: x}, outputs=[part.output])[part.output]
    channel = int(coarse[0].std(axis=(1, 2)).argmax())
    coarse = coarse[:, channel : channel + 1]
    upsampled = interpolated(coarse, part, height, width)
    dense = shift_and_stitch(rarefy(net, output=part.output), x, output=part.output)[:, channel : channel + 1]
    page.heading("What upsampling misses")
    error = float(np.square(upsampled - dense).mean() / dense.var())
    page.text(
        f"The pictures show channel {channel} of {part.output}, which has a stride of {factor}. Bilinear upsampling "
        f"misses {100 * error:.0f} % of the variance of its dense scores. Dense scores have the same receptive fields "
        "as the coarse ones, so the filters see no finer scale than the one they learned. The paper tried dense scores "
        "only in preliminary experiments and found that fusing layers gives more for its cost (sections 3.2 and 4.2)."
    )
    low, high = float(dense.min()), float(dense.max())
    for name, scores, words in (
        ("coarse", np.kron(coarse, np.ones((factor, factor), coarse.dtype)), "The scores of the net, repeated."),
        ("upsampled", upsampled, "The same, upsampled bilinearly."),
        ("dense", dense, "The dense scores, by the rarefied net."),
    ):
        page.picture(name, gray((scores[0, 0] - low) / max(high - low, 1e-12)), words)

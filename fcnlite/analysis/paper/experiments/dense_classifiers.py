"""Classifiers as dense predictors: table 1, and a grid of outputs against patch by patch (section 3.1).

A fully connected layer is a convolution whose window covers its whole input. In the paper, a fully convolutional
AlexNet computes a 10×10 grid of outputs from a picture of 500×500 pixels in 22 ms, while 100 patches of 227×227 pixels
take 100 · 1.2 ms in batches.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from fcnlite import models, surgery
from fcnlite.analysis.layer_table import layer_rows
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.patches import seconds
from fcnlite.analysis.receptive_fields import place, pruned
from fcnlite.arrays import Array
from fcnlite.description.spec import NetSpec
from fcnlite.environment import machine
from fcnlite.net import Net


@dataclass(frozen=True)
class Paper:
    """A column of table 1, and the nets here that it belongs to."""

    name: str
    fcn: str
    mean_iu: float
    milliseconds: float
    layers: int
    parameters: int
    """In millions."""
    field: int
    classifier: str
    output: str
    """The classifier's last layer with parameters."""


PAPER = (
    Paper("AlexNet", "voc-fcn-alexnet", 39.8, 50, 8, 57, 355, "alexnet", "fc8"),
    Paper("VGG-16", "voc-fcn32s", 56.0, 210, 16, 134, 404, "vgg16", "fc8"),
    Paper("GoogLeNet", "voc-fcn-googlenet", 42.5, 59, 22, 6, 907, "googlenet", "loss3/classifier"),
)
"""Table 1: 500×500 pictures, Tesla K40c."""
SIDE = 500
SIZES = (227, 259, 355, 500, 611)
"""Sides of the pictures for the growth of the factor."""
RUNS = 3
"""Times are those of the fastest of so many runs."""
_TIMED = 500
"""Larger pictures are counted, not timed."""


def parameters(spec: NetSpec) -> int:
    """The number of parameters up to the scores, biases included. Upsampling does not count: it is not learned."""
    return sum(row.parameters for row in layer_rows(pruned(spec, "score_fr"), {"data": (1, 3, SIDE, SIDE)}))


def depth(spec: NetSpec, output: str) -> int:
    """The largest number of layers with learned weights on a path from the picture to `output`.

    Upsampling does not count: table 1 counts the layers of the classifier.
    """
    found: dict[str, int] = {}
    for layer in spec.for_phase("TEST"):
        below = max((found[name] for name in layer.bottom), default=0)
        found.update(dict.fromkeys(layer.top, below + (layer.type in ("Convolution", "InnerProduct"))))
    return found[output]


def side(spec: NetSpec) -> int:
    """The height of a classifier's pictures."""
    height: int = next(layer for layer in spec if layer.type == "Input").options["shape"][0]["dim"][2]
    return height


@dataclass(frozen=True)
class Work:
    """Multiply-accumulates of a grid of outputs."""

    grid: int
    """The side of the grid."""
    picture: int
    patches: int

    @property
    def factor(self) -> float:
        """How many times more the patches take."""
        return self.patches / self.picture


def work(classifier: NetSpec, output: str, size: int) -> Work:
    """The work of a picture of `size`×`size` pixels in one pass, and patch by patch of the classifier's own size."""
    spec, _ = surgery.fully_convolutional(classifier)
    rows = layer_rows(spec, {"data": (1, 3, size, size)})
    (row,) = (each for each in rows if each.name == output)
    own = side(classifier)
    one = sum(each.macs for each in layer_rows(spec, {"data": (1, 3, own, own)}))
    return Work(row.shape[2], sum(each.macs for each in rows), row.shape[2] * row.shape[3] * one)


def patches_of(picture: Array, grid: int, size: int, stride: int) -> Array:
    """The grid²×C×size×size patches of a 1×C×H×W picture, row by row; zeros where a patch leaves the picture."""
    needed = size + stride * (grid - 1)
    more = [(0, 0), (0, 0), *((0, max(0, needed - each)) for each in picture.shape[2:])]
    wide = np.pad(picture, more)
    starts = range(0, stride * grid, stride)
    return np.concatenate([wide[:, :, y : y + size, x : x + size] for y in starts for x in starts])


@dataclass(frozen=True)
class Times:
    """Seconds for a grid of outputs."""

    picture: float
    batch: float
    """All patches in one batch."""
    single: float
    """One patch alone, times their number."""
    picture_backward: float
    batch_backward: float


def times(net: Net, output: str, picture: Array, patches: Array) -> Times:
    """Forward and backward of the picture in one pass, and of its patches: the fastest of `RUNS` runs each."""

    def forward(x: Array) -> float:
        return seconds(lambda: net.forward(data=x, outputs=[output]), RUNS)

    def backward(x: Array) -> float:
        out = net.forward(data=x, outputs=[output], keep=True)[output]
        return seconds(lambda: net.backward({output: np.ones_like(out)}), RUNS)

    return Times(
        forward(picture), forward(patches), len(patches) * forward(patches[:1]), backward(picture), backward(patches)
    )


def run(settings: Settings, page: Page) -> None:
    """Fill the page with table 1 and the grid of AlexNet."""
    fill_page(settings, page, 1.0)


def fill_page(settings: Settings, page: Page, width: float) -> None:
    """`run` for nets with `width` times the published channels."""
    rng = np.random.default_rng(settings.seed)
    picture = rng.normal(0, 50, (1, 3, SIDE, SIDE)).astype(np.float32)
    rows = []
    for paper in PAPER:
        spec = models.describe(paper.fcn)
        found = place(spec, "score_fr")
        field = found.rows.field
        millions = f"{parameters(spec) / 1e6:.1f}M"
        layers = depth(spec, "score_fr")
        net = models.build(paper.fcn, width=width, seed=settings.seed)
        taken = 1e3 * seconds(partial(net.forward, data=picture, outputs=["score"]), RUNS)
        del net
        note = (
            "907 is the classifier's, with its last average; the FCN leaves it out"
            if field != paper.field
            else "the same"
        )
        page.compare(f"{paper.name}: parameters", f"{paper.parameters}M", millions)
        page.compare(f"{paper.name}: receptive field", paper.field, field, note)
        page.compare(f"{paper.name}: stride", 32, found.rows.stride, "the same")
        page.compare(f"{paper.name}: forward, {SIDE}×{SIDE}", f"{paper.milliseconds} ms", f"{taken:.0f} ms", "CPU here")
        rows.append((paper.name, paper.layers, layers, millions, field, found.rows.stride, f"{taken:.0f} ms"))
    alexnet = PAPER[0]
    classifier = models.describe(alexnet.classifier)
    stride, own = 32, side(classifier)
    net = Net(surgery.fully_convolutional(models.describe(alexnet.classifier, width=width))[0], seed=settings.seed)
    growth = []
    for size in SIZES:
        counted = work(classifier, alexnet.output, size)
        cells = [f"{size}×{size}", f"{counted.grid}×{counted.grid}", f"{counted.factor:.1f}"]
        if size <= _TIMED:
            crop = np.ascontiguousarray(picture[:, :, :size, :size])
            patches = patches_of(crop, counted.grid, own, stride)
            taken_here = times(net, alexnet.output, crop, patches)
            cells += [f"{1e3 * each:.0f} ms" for each in (taken_here.picture, taken_here.batch, taken_here.single)]
            cells.append(f"{taken_here.batch / taken_here.picture:.1f}")
            cells.append(f"{taken_here.single / taken_here.picture:.1f}")
            cells.append(f"{taken_here.batch_backward / taken_here.picture_backward:.1f}")
            if size == SIDE:
                page.compare("AlexNet: grid of 500×500", "10×10", cells[1])
                batch, single, backward = (f"{each} times" for each in cells[6:])
                page.compare("patches in a batch against the grid, forward", "120 ms / 22 ms = 5.5 times", batch)
                page.compare("patches one by one against the grid, forward", "540 ms / 22 ms = 25 times", single)
                page.compare("patches in a batch against the grid, backward", "240 ms / 37 ms = 6.5 times", backward)
        growth.append(cells + ["–"] * (9 - len(cells)))
    channels = "all channels" if width == 1 else f"{width:g} of the channels"
    page.heading("Table 1")
    page.text(
        f"Times are those of one {SIDE}×{SIDE} picture through nets with {channels} and random weights: the fastest of "
        f"{RUNS} runs on {machine()}. The paper used a Tesla K40c. Parameters, field and stride are those of the "
        "published nets. The table of the paper also has the mean IU (39.8, 56.0 and 42.5), which needs training on "
        "PASCAL VOC and is left out here. Layers are counted along the longest path from the picture to the scores, "
        "without upsampling."
    )
    page.table(("net", "layers, paper", "layers", "parameters", "receptive field", "stride", "forward"), rows)
    page.heading("A grid of outputs, or patch by patch")
    page.text(
        f"AlexNet made fully convolutional, with {channels}, computes a grid of outputs at once, or each output from a "
        f"patch of {own}×{own} pixels, the size of the classifier's pictures; patches are {stride} pixels apart. A "
        "factor says how many times more the patches take: in multiply-accumulates (MACs) of the published net, or in "
        f"time, as the fastest of {RUNS} runs. Pictures above {_TIMED}×{_TIMED} pixels are not timed."
    )
    page.table(
        (
            *("picture", "grid", "factor in MACs", "grid at once", "patches, batch", "one by one"),
            *("factor, batch", "factor, one by one", "factor, backward, batch"),
        ),
        growth,
    )
    page.text(
        "The factor grows with the picture and then levels off. A further output of the grid adds 32×32 new pixels, "
        f"and a further patch has {own}×{own}, which are ({own} / 32)² = {(own / 32) ** 2:.0f} times as many. The "
        "fully connected layers limit the gain, because patches share nothing in them. A batch of patches reads their "
        "weights once, as the grid does; patches one by one read them again each time, which may be why the paper's "
        "factor rises from 5 to 25. If the factor in time is above that in MACs here, the blobs of a large batch may "
        "be too large for the caches."
    )
    page.heading("The other classifiers")
    page.table(
        ("classifier", "picture", "grid", "factor in MACs"),
        [
            (paper.name, f"{size}×{size}", f"{found.grid}×{found.grid}", f"{found.factor:.1f}")
            for paper in PAPER
            for size in (SIDE, 2 * SIDE)
            for found in [work(models.describe(paper.classifier), paper.output, size)]
        ],
    )

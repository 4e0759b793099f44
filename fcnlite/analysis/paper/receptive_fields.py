"""Receptive fields, predicted and measured (section 3).

The input pixels with a gradient that is not zero are exactly the predicted field, clipped to the picture, if weights
are positive, maxima are averages and nothing is rectified. In the net as it is, they are a subset, the effective field:
a maximum and a rectifier pass the gradient of some positions only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fcnlite import data, loading, models, surgery
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.receptive_fields import blob_shape, bounds, measured, measured_filter, place, predicted
from fcnlite.arrays import Array, Shape
from fcnlite.description.fillers import Filler
from fcnlite.errors import ShapeError, SpecError
from fcnlite.net import Net

CASES = (
    ("lenet", "pool2", 40),
    ("alexnet", "pool5", 227),
    ("vgg16", "pool5", 224),
    ("googlenet", "inception_4a/output", 224),
    ("voc-fcn32s", "score_fr", 250),
    ("lite-fcn8s", "score", 224),
)
"""Nets, blobs, and the heights of the pictures."""
_WIDTH = 1 / 32
_FRAME = (230, 60, 40)


@dataclass(frozen=True)
class Field:
    """The receptive field of one position."""

    predicted: Array
    """H×W booleans."""
    filtered: Array
    """H×W booleans: the gradient of the positive linear net is not zero."""
    effective: Array
    """H×W: the size of the gradient of the net itself."""

    @property
    def exact(self) -> bool:
        """Whether the positive linear net reaches exactly the predicted pixels."""
        return bool((self.predicted == self.filtered).all())

    @property
    def inside(self) -> bool:
        """Whether the net itself reaches predicted pixels only."""
        return not (self.effective[~self.predicted] > 0).any()

    @property
    def share(self) -> float:
        """The share of the predicted pixels that the net itself reaches."""
        return float((self.effective > 0).sum() / self.predicted.sum())

    @property
    def core(self) -> float:
        """The share of the predicted pixels that holds 95 % of the gradient."""
        sizes = np.sort(self.effective.ravel())[::-1].cumsum()
        if not sizes[-1]:
            return 0.0
        return float((np.searchsorted(sizes, 0.95 * sizes[-1]) + 1) / self.predicted.sum())


def field(net: Net, blob: str, position: tuple[int, int], picture: Array) -> Field:
    """The receptive field of one position of `blob` in a 1×C×H×W picture, in all three ways."""
    return Field(
        predicted(net, blob, position, picture.shape),
        measured_filter(net.spec, blob, position, picture.shape),
        measured(net, blob, position, picture),
    )


def drawn(picture: Array, found: Field) -> Array:
    """H×2W×3 pixels: the picture with the predicted field framed, and beside it the root of the gradient's size."""
    left = picture.astype(np.float64)
    left[~found.predicted] *= 0.45
    first, last, begin, end = bounds(found.predicted)
    heat = np.sqrt(found.effective / (found.effective.max() or 1))
    right = np.repeat(255 * heat[:, :, None], 3, axis=2)
    for pixels in (left, right):
        pixels[[first, last], begin : end + 1] = _FRAME
        pixels[first : last + 1, [begin, end]] = _FRAME
    both: Array = np.concatenate([left, right], axis=1).astype(np.uint8)
    return both


def scene(size: int, channels: int, seed: int) -> tuple[Array, Array]:
    """A generated picture, H×W×3, and the same as a 1×C×H×W blob around 0."""
    made = data.open("shapes", split="test", scene=True, size=max(size, 64), count=1, seed=seed)[0].image
    pixels = np.asarray(made)[:size, :size]
    blob = pixels.astype(np.float32).transpose(2, 0, 1)[None] - 120
    return pixels, np.ascontiguousarray(blob[:, :channels])


def fill_scores(net: Net) -> Net:
    """`net` with random scores by msra in place of the FCNs' zeros, which pass no gradient."""
    names = [layer.spec.name for layer in net.layers if layer.spec.name.startswith("score")]
    surgery.fill(net, [name for name in names if net.layer(name).type == "Convolution"], Filler("msra"))
    return net


def _corner_and_middle(shape: Shape) -> tuple[tuple[int, int], ...]:
    return (0, 0), (shape[2] // 2, shape[3] // 2)


def _last_placed(net: Net) -> str:
    for layer in reversed(net.spec.for_phase("TEST").layers):
        for blob in layer.top:
            try:
                place(net.spec, blob)
            except ShapeError:  # a loss, or a score of an InnerProduct
                continue
            return blob
    raise SpecError("no blob of the net has a place over an input.")


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the fields of `CASES`, or of the last blob with a place of the model in the settings."""
    rows = []
    exact = inside = total = 0
    for name, blob, net, size in _cases(settings):
        channels = next(each for each in net.layers if not each.spec.bottom).top_shapes()[0][1]
        pixels, picture = scene(size, channels, settings.seed)
        for position in _corner_and_middle(blob_shape(net, blob, picture.shape)):
            found = field(net, blob, position, picture)
            exact, inside, total = exact + found.exact, inside + found.inside, total + 1
            first, last, left, right = bounds(found.predicted)
            rows.append(
                (
                    name,
                    blob,
                    f"{position[0]}, {position[1]}",
                    place(net.spec, blob).rows.field,
                    f"{last - first + 1}×{right - left + 1}",
                    "yes" if found.exact else "no",
                    f"{100 * found.share:.0f} %" if found.inside else "no subset",
                    f"{100 * found.core:.0f} %",
                )
            )
        page.picture(
            f"{name}".lower().replace("_", "-").replace(".", "-"),
            drawn(pixels, found),
            f"{name}, {blob}, position {position[0]}, {position[1]}: the predicted field, and the gradient.",
        )
    page.compare("positive filters reach exactly the predicted field", "all", f"{exact} of {total}")
    page.compare("the net itself reaches a subset", "all", f"{inside} of {total}")
    page.text(
        "For one position of a blob, the gradient with respect to the picture shows which pixels it depends on. With "
        "positive weights, without rectifiers and with averages for maxima, nothing cancels: the pixels with a "
        "gradient are exactly the predicted field, clipped to the picture. The net itself passes the gradient of each "
        "maximum to one pixel and that of a rectified value to none, so its field is a subset. Most of the gradient is "
        "near the centre of the field, because more paths lead there."
    )
    page.table(
        (
            *("net", "blob", "position", "field by the rule", "clipped to the picture"),
            *("measured the same", "reached by the net itself", "pixels with 95 % of the gradient"),
        ),
        rows,
    )
    if settings.model is None:
        page.text(
            f"The nets have {_WIDTH:g} of the published channels and random weights; fields do not depend on either."
        )


def _cases(settings: Settings) -> list[tuple[str, str, Net, int]]:
    if settings.model is None:
        return [
            (name, blob, fill_scores(models.build(name, width=_WIDTH, seed=settings.seed)), size)
            for name, blob, size in CASES
        ]
    net = (
        fill_scores(models.build(settings.model, seed=settings.seed))
        if settings.model in models.names()
        else loading.load(settings.model, seed=settings.seed)
    )
    return [(net.spec.name or "net", _last_placed(net), net, 256)]

"""Receptive fields, predicted and measured (section 3).

The gradient of one output with respect to the picture shows which pixels the output depends on. If all weights are
positive, averages replace maxima and rectifiers are left out, the pixels with a non-zero gradient are exactly the
predicted field, clipped to the picture. In the net as it is, they are a subset of it, because maximum and rectifier
pass the gradient at some positions only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fcnlite import models, surgery
from fcnlite.analysis.paper.experiment import Settings
from fcnlite.analysis.paper.page import Page
from fcnlite.analysis.paper.tools.datasets import scenes
from fcnlite.analysis.paper.tools.figures import rendered
from fcnlite.analysis.paper.tools.nets import open_net, shipped
from fcnlite.analysis.receptive_fields import blob_shape, bounds, measured, measured_filter, place, predicted, pruned
from fcnlite.arrays import Array, Shape
from fcnlite.description.fillers import Filler
from fcnlite.errors import ShapeError, SpecError
from fcnlite.net import Net

CASES = (
    ("lenet", "pool2"),
    ("alexnet", "pool5"),
    ("vgg16", "pool5"),
    ("googlenet", "inception_4a/output"),
    ("voc-fcn32s", "score_fr"),
    ("lite-fcn8s", "score"),
)
"""Nets and blobs."""
TRAINED = ("shapes-fcn8s", "pool4")
"""A shipped weight file, and the blob to compare with that of the same net before training."""
_WIDTH = 1 / 32
_FRAME = (230, 60, 40)
_PICTURES = 3
_LARGEST = 640
"""The side of the largest picture."""
UNIFORM = 12**-0.5
"""The standard deviation of a gradient that is equal everywhere in the field, as a share of the field."""


@dataclass(frozen=True)
class Field:
    """The receptive field of one position."""

    predicted: Array
    """H×W booleans."""
    filtered: Array
    """H×W booleans: the gradient of the positive linear net is not zero."""
    effective: Array
    """H×W: the size of the gradient of the net itself, summed over pictures."""

    @property
    def exact(self) -> bool:
        """Whether the positive linear net reaches exactly the predicted pixels."""
        return bool((self.predicted == self.filtered).all())

    @property
    def inside(self) -> bool:
        """Whether the net itself reaches some pixels, and predicted ones only."""
        return bool(self.effective.any()) and not (self.effective[~self.predicted] > 0).any()

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

    @cached_property
    def profile(self) -> Array:
        """The gradient in each column of the predicted field, summed over its rows, relative to the sum of all."""
        _, _, first, last = bounds(self.predicted)
        columns = self.effective.sum(axis=0)[first : last + 1]
        found: Array = columns / (columns.sum() or 1)
        return found

    @property
    def spread(self) -> float:
        """The standard deviation of the columns, weighted by their gradients, as a share of the field's width."""
        columns = np.arange(len(self.profile)) / len(self.profile)
        mean = (columns * self.profile).sum()
        return float(np.sqrt((self.profile * (columns - mean) ** 2).sum()))


def field(net: Net, blob: str, position: tuple[int, int], pictures: Array) -> Field:
    """The receptive field of one position of `blob` in N×C×H×W pictures, in all three ways."""
    return Field(
        predicted(net, blob, position, pictures.shape),
        measured_filter(net.spec, blob, position, (1, *pictures.shape[1:])),
        measured(net, blob, position, pictures),
    )


def drawn(picture: Array, found: Field) -> Array:
    """H×W×3 pixels: the picture in gray, dark outside the predicted field, with the root of the gradient in orange."""
    gray = picture.mean(axis=2, keepdims=True) * np.where(found.predicted, 0.55, 0.2)[..., None]
    heat = np.sqrt(found.effective / (found.effective.max() or 1))[..., None]
    pixels = (1 - heat) * gray + heat * np.array([255, 170, 40])
    first, last, begin, end = bounds(found.predicted)
    pixels[[first, last], begin : end + 1] = _FRAME
    pixels[first : last + 1, [begin, end]] = _FRAME
    shown: Array = pixels.astype(np.uint8)
    return shown


def fill_zeros(net: Net, blob: str, picture: Array) -> list[str]:
    """Fill by msra the convolutions on the way to `blob` that are zero and pass no gradient; returns their names.

    The scores of new FCNs are zero, and so is every layer of a prototxt without fillers. Upsampling becomes bilinear.
    """
    net.forward({place(net.spec, blob).origin: picture}, outputs=[blob])  # makes the parameters
    way = {layer.name for layer in pruned(net.spec, blob)}
    empty = [layer for layer in net.layers if layer.spec.name in net.params and layer.spec.name in way]
    empty = [layer for layer in empty if not net.params[layer.spec.name][0].array.any()]
    surgery.fill(net, names := [each.spec.name for each in empty if each.type == "Convolution"], Filler("msra"))
    surgery.interp(net, [each.spec.name for each in empty if each.type == "Deconvolution"])
    return names


def _corner_and_middle(shape: Shape) -> tuple[tuple[int, int], ...]:
    return (0, 0), (shape[2] // 2, shape[3] // 2)


def _last_placed(net: Net) -> str:
    for layer in reversed(net.spec.for_phase("TEST").layers):
        for blob in layer.top if layer.bottom else ():
            try:
                place(net.spec, blob)
            except ShapeError:  # a loss, or a score of an InnerProduct
                continue
            return blob
    raise SpecError(f"no blob of the net {net.spec.name!r} has a place over an input; choose another net.")


def _channels(net: Net, origin: str) -> int:
    """The channels of an input; 3 if the description does not say."""
    layer = next(layer for layer in net.layers if origin in layer.spec.top and not layer.spec.bottom)
    shapes = layer.top_shapes()
    return int(shapes[layer.spec.top.index(origin)][1]) if shapes else 3


@dataclass(frozen=True)
class Measurement:
    """The fields of a corner and of the middle of a blob."""

    name: str
    blob: str
    net: Net
    positions: tuple[tuple[int, int], ...]
    fields: tuple[Field, ...]
    pixels: Array
    """The first picture, H×W×3."""
    filled: list[str]
    """The layers that were zero."""

    @property
    def middle(self) -> Field:
        """The field of the middle."""
        return self.fields[-1]


def measure(name: str, net: Net, blob: str, seed: int) -> Measurement:
    """Measure `blob` on pictures that are larger than its field, where that is at most 576 pixels wide."""
    found = place(net.spec, blob)
    side = min(_LARGEST, 64 * -(-int(max(found.rows.field, found.columns.field) + 2 * found.rows.stride) // 64))
    pixels, pictures = scenes(side, _channels(net, found.origin), seed, _PICTURES)
    filled = fill_zeros(net, blob, pictures[:1])
    positions = _corner_and_middle(blob_shape(net, blob, pictures.shape))
    fields = tuple(field(net, blob, position, pictures) for position in positions)
    return Measurement(name, blob, net, positions, fields, pixels, filled)


def run(settings: Settings, page: Page) -> None:
    """Fill the page with the fields of `CASES`, or of a blob of the model in the settings, by default the last one."""
    measurements = [measure(name, net, blob, settings.seed) for name, blob, net in _cases(settings)]
    rows = [
        (
            each.name,
            each.blob,
            f"{row}, {column}",
            place(each.net.spec, each.blob).rows.field,
            "{}×{}".format(*_size(found)),
            "yes" if found.exact else "no",
            f"{100 * found.share:.0f} %" if found.inside else "no subset",
            f"{100 * found.core:.0f} %",
            f"{found.spread:.2f}",
        )
        for each in measurements
        for (row, column), found in zip(each.positions, each.fields, strict=True)
    ]
    fields = [found for each in measurements for found in each.fields]
    total, exact, inside = len(fields), sum(each.exact for each in fields), sum(each.inside for each in fields)
    page.compare("positive filters reach exactly the predicted field", "all", f"{exact} of {total}")
    page.compare("the net itself reaches a subset", "all", f"{inside} of {total}")
    page.text(
        "The gradient of one position of a blob with respect to the picture shows which pixels the position depends "
        "on. If all weights are positive, averages replace maxima and rectifiers are left out, nothing cancels: the "
        "pixels with a gradient are exactly the field that the rule of composition predicts, clipped to the picture. "
        "The net itself passes the gradient of a maximum to one of its inputs, and none through a rectifier that is "
        "off, so it reaches a subset. The pictures show the predicted field of the middle position in a red frame. "
        f"Orange is the square root of the size of the net's own gradient, summed over {_PICTURES} generated pictures."
    )
    if settings.model is None:
        page.text(
            f"Nets of the zoo have random weights and 1/{1 / _WIDTH:g} of their channels; fields depend on neither."
        )
    for each in measurements:
        if each.filled and settings.model is not None:
            page.text(
                f"The weights of {', '.join(each.filled)} in {each.name} are zero and pass no gradient; random values "
                "replace them here."
            )
        row, column = each.positions[-1]
        page.picture(
            "-".join("".join(c if c.isascii() and c.isalnum() else " " for c in each.name.lower()).split()),
            drawn(each.pixels, each.middle),
            f"{each.name}, {each.blob}, position {row}, {column}: a predicted field of "
            f"{'×'.join(map(str, _size(each.middle)))} pixels; {100 * each.middle.core:.0f} % of it hold 95 % of the "
            "gradient.",
        )
    page.text(
        "In the table, the column field has the side in pixels by the rule of composition, and clipped has the part of "
        "it that is inside the picture at this position. The next column tells whether the net of positive filters "
        "reaches exactly these pixels. Reached is the share of them that the net itself reaches, and 95 % is the share "
        "that holds 95 % of its gradient. Above an upsampling the rule is an upper bound, because the bilinear weights "
        "of some positions read fewer coarse scores."
    )
    page.table(
        (
            *("net", "blob", "position", "field", "clipped", "measured the same"),
            *("reached", "95 %", "spread"),
        ),
        rows,
    )
    page.heading("The effective field is smaller")
    page.text(
        "More paths lead to the centre of a field than to its edge, so most of the gradient is near the centre. The "
        "column spread has the standard deviation of the gradient over the columns of the field, as a share of the "
        f"field's width. A gradient that is equal everywhere in the field would give {UNIFORM:.2f}."
    )
    page.picture("profiles", profiles(measurements), "The gradient in each column of the field of the middle position.")


def _size(found: Field) -> tuple[int, int]:
    first, last, left, right = bounds(found.predicted)
    return last - first + 1, right - left + 1


def profiles(measurements: Sequence[Measurement]) -> Array:
    """A chart of the smoothed profiles of the middle positions, and of a normal distribution like the last one."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.4, 3.6), dpi=100, layout="constrained")
    axes = figure.subplots()
    for each in measurements:
        profile = each.middle.profile * len(each.middle.profile)
        window = max(1, len(profile) // 20)
        smooth = np.convolve(profile, np.ones(window) / window, "same")
        axes.plot(np.linspace(-0.5, 0.5, len(smooth)), smooth, label=f"{each.name}, {each.blob}", linewidth=1.5)
    last = measurements[-1].middle
    x = np.linspace(-0.5, 0.5, 200)
    centre = (np.linspace(-0.5, 0.5, len(last.profile)) * last.profile).sum()
    normal = np.exp(-((x - centre) ** 2) / (2 * last.spread**2)) / (last.spread * np.sqrt(2 * np.pi))
    axes.plot(x, normal, "k:", label="normal distribution with the spread of the last", linewidth=1.2)
    axes.axhline(1, color="#999999", linewidth=0.8)
    axes.set(xlabel="place in the predicted field", ylabel="gradient, relative to uniform", xlim=(-0.5, 0.5), ylim=0)
    axes.grid(color="#e4e4e4", linewidth=0.6)
    axes.legend(frameon=False, fontsize=8)
    return rendered(figure)


def _cases(settings: Settings) -> list[tuple[str, str, Net]]:
    if settings.model is not None:
        net = open_net(settings.model, settings.init, settings.seed)
        return [(net.spec.name or "net", settings.blob or _last_placed(net), net)]
    if settings.blob is not None or settings.init is not None:
        option = "blob" if settings.blob is not None else "init"
        raise SpecError(f"--{option} has no effect without --model; name the net with --model.")
    cases = [(name, blob, models.build(name, width=_WIDTH, seed=settings.seed)) for name, blob in CASES]
    name, blob = TRAINED
    trained = open_net(str(shipped(name)))
    fresh = Net(trained.spec, seed=settings.seed, info=trained.info)
    models.initialize(fresh)
    return [*cases, (f"{name} untrained", blob, fresh), (f"{name} trained", blob, trained)]

"""What hypothesis draws for each layer type: options, shapes and values for the common tests.

A registered type without an entry in `EXAMPLES` fails the common tests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fcnlite.arrays import Array, Shape
from fcnlite.description.shapes import Window
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.layers.base import Layer
from fcnlite.layers.registry import create
from fcnlite.net import Net

Draw = Callable[[st.SearchStrategy[Any]], Any]


def input_layer(name: str, shape: Shape) -> LayerSpec:
    return LayerSpec(name, "Input", top=(name,), options={"shape": [{"dim": list(shape)}]})


@dataclass(frozen=True)
class Example:
    """One layer, called `layer`, with its inputs `x0`, `x1`, ... and its tops `y0`, `y1`, ..."""

    type: str
    shapes: tuple[Shape, ...]
    options: dict[str, Any] = field(default_factory=dict)
    tops: int = 1
    phase: str = "TRAIN"
    classes: int = 0
    """If not 0, the second bottom holds labels below this; 255 too, where the options ignore it."""
    seed: int = 0

    @property
    def bottoms(self) -> list[str]:
        return [f"x{i}" for i in range(len(self.shapes))]

    @property
    def top_names(self) -> list[str]:
        return [f"y{i}" for i in range(self.tops)]

    def spec(self) -> NetSpec:
        inputs = [input_layer(name, shape) for name, shape in zip(self.bottoms, self.shapes, strict=True)]
        layer = LayerSpec("layer", self.type, tuple(self.bottoms), tuple(self.top_names), self.options)
        return NetSpec("one", (*inputs, layer), force_backward=True)

    def layer(self) -> Layer:
        return create(self.spec().layer("layer"), self.phase)

    def net(self, dtype: str) -> Net:
        net = Net(self.spec(), phase=self.phase, path="plain", dtype=dtype, seed=self.seed)
        for parameter, values in zip(net.params.get("layer", []), self.param_values(), strict=True):
            parameter.data = values
        return net

    def param_values(self) -> list[Array]:
        """Values for the parameters; all positive for BatchNorm, where they are a variance and a weight."""
        rng = np.random.default_rng((self.seed, 1))
        values = [rng.normal(size=wanted.shape) for wanted in self.layer().params(*self.shapes)]
        return [np.abs(each) + 0.5 for each in values] if self.type == "BatchNorm" else values

    def inputs(self) -> dict[str, Array]:
        """Values in −2..2, no two of them close to each other nor to 0, where some layers have kinks."""
        rng = np.random.default_rng((self.seed, 2))
        total = sum(prod(shape) for shape in self.shapes)
        pool = (rng.permutation(total) - total // 2 + 0.5) * (4 / total)
        arrays, start = {}, 0
        for name, shape in zip(self.bottoms, self.shapes, strict=True):
            arrays[name] = pool[start : start + prod(shape)].reshape(shape)
            start += prod(shape)
        if self.classes:
            labels = rng.integers(0, self.classes, self.shapes[1]).astype(np.float64)
            if self.options.get("ignore_label") == 255:
                labels[rng.random(self.shapes[1]) < 0.3] = 255
            arrays["x1"] = labels
        return arrays


COUNT = st.integers(1, 3)
SIZE = st.integers(1, 7)
SHAPES = st.tuples(COUNT, COUNT, SIZE, SIZE)
ANY_SHAPE = st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple)
CHANNELS_SHAPE = st.lists(st.integers(1, 4), min_size=2, max_size=5).map(tuple)
"""N×C and any axes behind them."""
PHASE = st.sampled_from(["TRAIN", "TEST"])
SEED = st.integers(0, 10_000)
FLAG = st.booleans()


def maybe(draw: Draw, options: dict[str, Any], name: str, values: st.SearchStrategy[Any]) -> None:
    """Write the option or leave it out."""
    if draw(FLAG):
        options[name] = draw(values)


def any_axis(draw: Draw, axes: int) -> int:
    """An axis, counted from either end."""
    return draw(st.integers(-axes, axes - 1))


def two_sided(draw: Draw, stem: str, square: str, rows: int, columns: int) -> dict[str, Any]:
    """Rows and columns in one of the ways in which Caffe writes them."""
    if rows == columns and draw(FLAG):
        return {square: [rows]}
    if draw(FLAG):
        return {square: [rows, columns]}
    return {f"{stem}_h": rows, f"{stem}_w": columns}


def windows(draw: Draw) -> tuple[Window, Window]:
    window = st.builds(Window, size=COUNT, stride=COUNT, pad=st.integers(0, 2), dilation=st.sampled_from([1, 1, 2]))
    return draw(window), draw(window)


def window_options(draw: Draw, rows: Window, columns: Window) -> dict[str, Any]:
    return {
        **two_sided(draw, "kernel", "kernel_size", rows.size, columns.size),
        **two_sided(draw, "stride", "stride", rows.stride, columns.stride),
        **two_sided(draw, "pad", "pad", rows.pad, columns.pad),
        "dilation": [rows.dilation, columns.dilation],
    }


@st.composite
def convolution(draw: Draw) -> Example:
    rows, columns = windows(draw)
    group, per_group, outputs = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    least = [max(1, each.extent - 2 * each.pad) for each in (rows, columns)]
    shape = (draw(COUNT), group * per_group, *(size + draw(st.integers(0, 5)) for size in least))
    options = {"num_output": group * outputs, "group": group, **window_options(draw, rows, columns)}
    maybe(draw, options, "bias_term", FLAG)
    return Example("Convolution", (shape,), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def deconvolution(draw: Draw) -> Example:
    rows, columns = windows(draw)
    group, per_group, outputs = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    # The smallest bottom that gives a top: stride · (size − 1) + extent − 2 · pad ≥ 1.
    least = [1 + max(0, -((each.extent - 2 * each.pad - 1) // each.stride)) for each in (rows, columns)]
    shape = (draw(COUNT), group * per_group, *(size + draw(st.integers(0, 3)) for size in least))
    options = {"num_output": group * outputs, "group": group, **window_options(draw, rows, columns)}
    maybe(draw, options, "bias_term", FLAG)
    return Example("Deconvolution", (shape,), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def pooling(draw: Draw) -> Example:
    shape = draw(SHAPES)
    options: dict[str, Any] = {"pool": draw(st.sampled_from(["MAX", "AVE"]))}
    if draw(st.integers(0, 4)) == 0:
        options["global_pooling"] = True
    else:
        kernels, strides, pads = [], [], []
        for size in shape[2:]:
            pad = draw(st.integers(0, 2))
            kernel = draw(st.integers(pad + 1, size + 2 * pad))
            kernels.append(kernel)
            strides.append(draw(st.integers(1, min(3, kernel))))
            pads.append(pad)
        for name, values in (("kernel", kernels), ("stride", strides), ("pad", pads)):
            square = "kernel_size" if name == "kernel" else name
            if values[0] == values[1] and draw(FLAG):
                options[square] = values[0]
            else:
                options[f"{name}_h"], options[f"{name}_w"] = values
        maybe(draw, options, "round_mode", st.sampled_from(["CEIL", "FLOOR"]))
    tops = draw(st.integers(1, 2)) if options["pool"] == "MAX" else 1
    return Example("Pooling", (shape,), options, tops, draw(PHASE), seed=draw(SEED))


@st.composite
def relu(draw: Draw) -> Example:
    options: dict[str, Any] = {}
    maybe(draw, options, "negative_slope", st.sampled_from([-0.5, 0.0, 0.1, 1.5]))
    return Example("ReLU", (draw(ANY_SHAPE),), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def dropout(draw: Draw) -> Example:
    options: dict[str, Any] = {}
    maybe(draw, options, "dropout_ratio", st.sampled_from([0.1, 0.5, 0.9]))
    return Example("Dropout", (draw(ANY_SHAPE),), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def crop(draw: Draw) -> Example:
    shape = draw(ANY_SHAPE)
    axis = any_axis(draw, len(shape))
    cropped = list(range(axis % len(shape), len(shape)))
    reference = [draw(SIZE) for _ in shape]
    room = 6
    for i in cropped:
        reference[i] = draw(st.integers(1, shape[i]))
        room = min(room, shape[i] - reference[i])
    options: dict[str, Any] = {"axis": axis}
    if draw(FLAG):
        options["offset"] = [draw(st.integers(0, room))]
    elif draw(FLAG):
        options["offset"] = [draw(st.integers(0, shape[i] - reference[i])) for i in cropped]
    return Example("Crop", (shape, tuple(reference)), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def eltwise(draw: Draw) -> Example:
    shape, bottoms = draw(ANY_SHAPE), draw(st.integers(2, 3))
    options: dict[str, Any] = {}
    maybe(draw, options, "operation", st.sampled_from(["SUM", "PROD", "MAX"]))
    if options.get("operation", "SUM") == "SUM" and draw(FLAG):
        options["coeff"] = [draw(st.sampled_from([-2.0, -0.5, 0.25, 3.0])) for _ in range(bottoms)]
    return Example("Eltwise", (shape,) * bottoms, options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def concat(draw: Draw) -> Example:
    shape, bottoms = draw(CHANNELS_SHAPE), draw(st.integers(1, 3))
    options: dict[str, Any] = {}
    axis = 1
    if draw(FLAG):
        axis = options["axis"] = any_axis(draw, len(shape))
    elif draw(FLAG):
        axis = options["concat_dim"] = draw(st.integers(0, len(shape) - 1))
    shapes = []
    for _ in range(bottoms):
        each = list(shape)
        each[axis] = draw(COUNT)
        shapes.append(tuple(each))
    return Example("Concat", tuple(shapes), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def slice_(draw: Draw) -> Example:
    shape, parts = list(draw(CHANNELS_SHAPE)), draw(st.lists(COUNT, min_size=1, max_size=3))
    options: dict[str, Any] = {}
    axis = 1
    if draw(FLAG):
        axis = options["axis"] = any_axis(draw, len(shape))
    elif draw(FLAG):
        axis = options["slice_dim"] = draw(st.integers(0, len(shape) - 1))
    shape[axis] = sum(parts)
    if len(set(parts)) > 1 or (len(parts) > 1 and draw(FLAG)):
        options["slice_point"] = [sum(parts[:i]) for i in range(1, len(parts))]
    return Example("Slice", (tuple(shape),), options, len(parts), draw(PHASE), seed=draw(SEED))


@st.composite
def tile(draw: Draw) -> Example:
    shape = draw(CHANNELS_SHAPE)
    options: dict[str, Any] = {"tiles": draw(COUNT)}
    maybe(draw, options, "axis", st.integers(-len(shape), len(shape) - 1))
    return Example("Tile", (shape,), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def reshape(draw: Draw) -> Example:
    shape = draw(ANY_SHAPE)
    first = draw(st.integers(0, len(shape)))
    end = draw(st.integers(first, len(shape)))
    inner = list(shape[first:end])
    kind = draw(st.sampled_from(["flat", "same", "split"]))
    dims = {"flat": [prod(inner)], "same": [0] * len(inner), "split": [1, prod(inner), 1]}[kind]
    if dims and draw(FLAG):
        dims[draw(st.integers(0, len(dims) - 1))] = -1
    # An axis of size 1 cannot be told from the -1 that infers it where others are copied; both are right.
    options: dict[str, Any] = {"shape": {"dim": dims}, "axis": draw(st.sampled_from([first, first - len(shape) - 1]))}
    if end < len(shape) or draw(FLAG):
        options["num_axes"] = end - first
    return Example("Reshape", (shape,), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def flatten(draw: Draw) -> Example:
    shape = draw(CHANNELS_SHAPE)
    options: dict[str, Any] = {}
    maybe(draw, options, "axis", st.integers(-len(shape), len(shape) - 1))
    first = options.get("axis", 1) % len(shape)
    last = draw(st.integers(first, len(shape) - 1))
    if last < len(shape) - 1 or draw(FLAG):
        options["end_axis"] = draw(st.sampled_from([last, last - len(shape)]))
    return Example("Flatten", (shape,), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def reduction(draw: Draw) -> Example:
    shape = draw(ANY_SHAPE)
    options: dict[str, Any] = {}
    maybe(draw, options, "operation", st.sampled_from(["SUM", "ASUM", "SUMSQ", "MEAN"]))
    maybe(draw, options, "axis", st.integers(-len(shape), len(shape) - 1))
    maybe(draw, options, "coeff", st.sampled_from([-0.5, 2.0]))
    return Example("Reduction", (shape,), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def split(draw: Draw) -> Example:
    return Example("Split", (draw(ANY_SHAPE),), tops=draw(COUNT), phase=draw(PHASE), seed=draw(SEED))


@st.composite
def inner_product(draw: Draw) -> Example:
    shape = draw(st.lists(st.integers(1, 4), min_size=2, max_size=4).map(tuple))
    options: dict[str, Any] = {"num_output": draw(COUNT)}
    maybe(draw, options, "axis", st.integers(-len(shape), len(shape) - 1))
    maybe(draw, options, "transpose", FLAG)
    maybe(draw, options, "bias_term", FLAG)
    return Example("InnerProduct", (shape,), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def softmax(draw: Draw) -> Example:
    shape = draw(st.lists(st.integers(1, 4), min_size=2, max_size=4).map(tuple))
    options: dict[str, Any] = {}
    maybe(draw, options, "axis", st.integers(-len(shape), len(shape) - 1))
    return Example("Softmax", (shape,), options, phase=draw(PHASE), seed=draw(SEED))


def label_shape(draw: Draw, scores: Shape, axis: int) -> Shape:
    """One label for each position, with the class axis left out or kept as 1."""
    kept = (1,) if draw(FLAG) else ()
    return (*scores[:axis], *kept, *scores[axis + 1 :])


def loss_options(draw: Draw) -> dict[str, Any]:
    options: dict[str, Any] = {}
    maybe(draw, options, "ignore_label", st.just(255))
    maybe(draw, options, "normalization", st.sampled_from(["FULL", "VALID", "BATCH_SIZE", "NONE"]))
    maybe(draw, options, "normalize", FLAG)
    return options


@st.composite
def softmax_loss(draw: Draw) -> Example:
    scores, options, axis = draw(CHANNELS_SHAPE), loss_options(draw), 1
    if draw(st.integers(0, 3)) == 0:
        axis = options["axis"] = any_axis(draw, len(scores))
    shapes = (scores, label_shape(draw, scores, axis % len(scores)))
    tops = draw(st.integers(1, 2))
    return Example("SoftmaxWithLoss", shapes, options, tops, draw(PHASE), scores[axis], draw(SEED))


@st.composite
def infogain_loss(draw: Draw) -> Example:
    scores, options, axis = draw(CHANNELS_SHAPE), loss_options(draw), 1
    if draw(st.integers(0, 3)) == 0:
        axis = options["axis"] = any_axis(draw, len(scores))
    classes = scores[axis]
    shapes: tuple[Shape, ...] = (scores, label_shape(draw, scores, axis % len(scores)))
    if draw(FLAG):
        shapes += draw(st.sampled_from([((classes, classes),), ((1, 1, classes, classes),), ((classes**2,),)]))
    else:
        options["matrix"] = [draw(st.floats(-2, 2)) for _ in range(classes**2)]
    return Example("InfogainLoss", shapes, options, draw(st.integers(1, 2)), draw(PHASE), classes, draw(SEED))


@st.composite
def sigmoid_loss(draw: Draw) -> Example:
    shape, options = draw(ANY_SHAPE), loss_options(draw)
    targets = draw(st.sampled_from([shape, (prod(shape),), (1, *shape)]))
    classes = 2 if "ignore_label" in options else 0
    return Example("SigmoidCrossEntropyLoss", (shape, targets), options, 1, draw(PHASE), classes, draw(SEED))


@st.composite
def euclidean_loss(draw: Draw) -> Example:
    return Example("EuclideanLoss", (draw(ANY_SHAPE),) * 2, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def accuracy(draw: Draw) -> Example:
    scores = draw(CHANNELS_SHAPE)
    options: dict[str, Any] = {}
    axis = 1
    if draw(st.integers(0, 3)) == 0:
        axis = options["axis"] = any_axis(draw, len(scores))
    maybe(draw, options, "ignore_label", st.just(255))
    maybe(draw, options, "top_k", st.integers(1, scores[axis]))
    shapes = (scores, label_shape(draw, scores, axis % len(scores)))
    tops = draw(st.integers(1, 2))
    return Example("Accuracy", shapes, options, tops, draw(PHASE), scores[axis], draw(SEED))


@st.composite
def argmax(draw: Draw) -> Example:
    shape = draw(st.lists(st.integers(1, 4), min_size=2, max_size=4).map(tuple))
    options: dict[str, Any] = {}
    count = prod(shape[1:])
    if draw(FLAG):
        count = shape[options.setdefault("axis", any_axis(draw, len(shape)))]
    maybe(draw, options, "top_k", st.integers(1, count))
    maybe(draw, options, "out_max_val", FLAG)
    return Example("ArgMax", (shape,), options, phase=draw(PHASE), seed=draw(SEED))


def repeated(draw: Draw, options: dict[str, Any]) -> tuple[Shape, ...]:
    """The bottoms of a layer that repeats a small array, a parameter or a second bottom, over a blob."""
    shape = draw(CHANNELS_SHAPE)
    axes, axis = len(shape), 1
    if draw(FLAG):
        axis = options["axis"] = any_axis(draw, axes)
    axis %= axes
    if draw(FLAG):
        return shape, shape[axis : axis + draw(st.integers(0, axes - axis))]
    maybe(draw, options, "num_axes", st.integers(-1, axes - axis))
    return (shape,)


@st.composite
def scale(draw: Draw) -> Example:
    options: dict[str, Any] = {}
    maybe(draw, options, "bias_term", FLAG)
    return Example("Scale", repeated(draw, options), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def bias(draw: Draw) -> Example:
    options: dict[str, Any] = {}
    return Example("Bias", repeated(draw, options), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def prelu(draw: Draw) -> Example:
    options: dict[str, Any] = {}
    maybe(draw, options, "channel_shared", FLAG)
    return Example("PReLU", (draw(CHANNELS_SHAPE),), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def elementwise(draw: Draw, type_: str, options: dict[str, Any]) -> Example:
    """A layer of one bottom, any shape and these options, or some of them."""
    chosen = {name: value for name, value in options.items() if draw(FLAG)}
    return Example(type_, (draw(ANY_SHAPE),), chosen, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def positive(draw: Draw, type_: str, name: str, values: list[float]) -> Example:
    """Log or Power, whose shift keeps what they take the logarithm or power of above 0."""
    options = {"scale": draw(st.sampled_from([-1.0, 0.5])), "shift": draw(st.sampled_from([3.0, 4.5]))}
    maybe(draw, options, name, st.sampled_from(values))
    return Example(type_, (draw(ANY_SHAPE),), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def lrn(draw: Draw) -> Example:
    options: dict[str, Any] = {}
    maybe(draw, options, "local_size", st.sampled_from([1, 3, 5, 9]))
    maybe(draw, options, "alpha", st.sampled_from([0.01, 2.0]))
    maybe(draw, options, "beta", st.sampled_from([0.5, 1.0]))
    maybe(draw, options, "k", st.sampled_from([0.5, 2.0]))
    maybe(draw, options, "norm_region", st.sampled_from(["ACROSS_CHANNELS", "WITHIN_CHANNEL"]))
    return Example("LRN", (draw(CHANNELS_SHAPE),), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def mvn(draw: Draw) -> Example:
    # Few values, so that those of a channel lie apart: the curvature grows with their closeness. And an eps that does
    # not show, because the gradient leaves it out.
    options: dict[str, Any] = {"eps": 1e-15}
    maybe(draw, options, "normalize_variance", FLAG)
    maybe(draw, options, "across_channels", FLAG)
    shape = draw(st.lists(st.integers(1, 3), min_size=1, max_size=4).map(tuple))
    return Example("MVN", (shape,), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def batch_norm(draw: Draw) -> Example:
    # A large eps keeps the curvature low, where a channel has few or close values.
    options: dict[str, Any] = {"eps": draw(st.sampled_from([0.05, 0.5]))}
    maybe(draw, options, "use_global_stats", FLAG)
    maybe(draw, options, "moving_average_fraction", st.sampled_from([0.5, 0.9]))
    shape = draw(SHAPES | st.tuples(st.integers(2, 5), COUNT))
    return Example("BatchNorm", (shape,), options, phase=draw(PHASE), seed=draw(SEED))


EXAMPLES: dict[str, st.SearchStrategy[Example]] = {
    "AbsVal": elementwise("AbsVal", {}),
    "Accuracy": accuracy(),
    "ArgMax": argmax(),
    "BatchNorm": batch_norm(),
    "Bias": bias(),
    "Concat": concat(),
    "Convolution": convolution(),
    "Crop": crop(),
    "Deconvolution": deconvolution(),
    "Dropout": dropout(),
    "ELU": elementwise("ELU", {"alpha": 0.5}),
    "Eltwise": eltwise(),
    "EuclideanLoss": euclidean_loss(),
    "Exp": elementwise("Exp", {"base": 2.0, "scale": -0.5, "shift": 1.5}),
    "Flatten": flatten(),
    "InfogainLoss": infogain_loss(),
    "InnerProduct": inner_product(),
    "LRN": lrn(),
    "Log": positive("Log", "base", [2.0, 0.5]),
    "MVN": mvn(),
    "PReLU": prelu(),
    "Pooling": pooling(),
    "Power": positive("Power", "power", [0.0, 0.5, 2.0, -1.0]),
    "ReLU": relu(),
    "Reduction": reduction(),
    "Reshape": reshape(),
    "Scale": scale(),
    "Sigmoid": elementwise("Sigmoid", {}),
    "SigmoidCrossEntropyLoss": sigmoid_loss(),
    "Slice": slice_(),
    "Softmax": softmax(),
    "SoftmaxWithLoss": softmax_loss(),
    "Split": split(),
    "TanH": elementwise("TanH", {}),
    "Tile": tile(),
}
"""All types but inputs and Silence, which compute nothing."""

"""Small random nets: what hypothesis draws where the same net is run twice, by us and by others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from fcnlite.arrays import Array, Shape
from fcnlite.description.spec import LayerSpec, NetSpec
from fcnlite.errors import ShapeError
from fcnlite.layers import create
from fcnlite.net import Net

Draw = Callable[[st.SearchStrategy[Any]], Any]
Allowed = Callable[[LayerSpec, Shape], bool]
"""Whether a net may have a layer, given the shape of its first bottom."""
FLAG = st.booleans()
MOST_VALUES = 60_000
"""The most values of one blob by default; larger ones would only take time."""


@dataclass
class Drawing:
    """A net in the making: the layers so far, and the shape of every blob."""

    draw: Draw
    allowed: Allowed
    most_values: int = MOST_VALUES
    layers: list[LayerSpec] = field(default_factory=list)
    shapes: dict[str, Shape] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)

    def input(self, name: str, shape: Shape) -> None:
        self.layers.append(LayerSpec(name, "Input", top=(name,), options={"shape": [{"dim": list(shape)}]}))
        self.shapes[name] = shape
        self.read.add(name)  # by the caller, who owns the array: nothing is written over it

    def add(self, type_: str, bottom: Iterable[str], *, tops: int = 1, in_place: bool = False, **options: Any) -> str:
        """Append a layer if it is allowed and the shapes fit; the name of its first top, else that of its bottom."""
        bottom, name = tuple(bottom), f"{type_.lower()}{len(self.layers)}"
        names = (bottom[0],) if in_place else (name, *(f"{name}_{i}" for i in range(1, tops)))
        spec = LayerSpec(name, type_, bottom, names, options)
        if not self.allowed(spec, self.shapes[bottom[0]]):
            return bottom[0]
        try:
            shapes = create(spec, "TEST").top_shapes(*(self.shapes[name] for name in bottom))
        except ShapeError:
            return bottom[0]
        if any(np.prod(shape) > self.most_values for shape in shapes):
            return bottom[0]
        self.layers.append(spec)
        self.shapes.update(zip(names, shapes, strict=True))
        self.read.update(() if in_place else bottom)
        return names[0]

    def blob(self, axes: int | None = None) -> str | None:
        """A blob, of so many axes if they are given; the later ones are likelier. None if there is none."""
        fit = [name for name, shape in self.shapes.items() if axes in (None, len(shape))]
        if not fit:
            return None
        return fit[-1] if self.draw(st.integers(0, 2)) else self.draw(st.sampled_from(fit))

    def pictures(self) -> str | None:
        return self.blob(axes=4)

    def may_overwrite(self, blob: str) -> bool:
        """Whether to write in place: only blobs that have not been read, since both share memory in Caffe."""
        return blob not in self.read and self.draw(FLAG)


def _windows(draw: Draw, largest: int, dilation: bool = True) -> dict[str, Any]:
    """Options for window size, stride, pad and dilation, equal for rows and columns or not."""
    sides = [draw(st.tuples(st.integers(1, largest), st.integers(1, 3))) for _ in range(2 if draw(FLAG) else 1)]
    options: dict[str, Any] = {
        "kernel_size": [kernel for kernel, _ in sides],
        "stride": [stride for _, stride in sides],
        "pad": [draw(st.integers(0, kernel)) for kernel, _ in sides],
    }
    if dilation and draw(FLAG):
        options["dilation"] = [draw(st.integers(1, 2))]
    return options


def convolution(net: Drawing, type_: str = "Convolution") -> None:
    if bottom := net.pictures():
        channels, draw = net.shapes[bottom][1], net.draw
        group = draw(st.sampled_from([each for each in (1, 1, 2, 3, channels) if channels % each == 0]))
        outputs = group * draw(st.integers(1, 3 if group < 3 else 1))
        net.add(type_, [bottom], num_output=outputs, group=group, bias_term=draw(FLAG), **_windows(draw, 4))


def deconvolution(net: Drawing) -> None:
    convolution(net, "Deconvolution")


def pooling(net: Drawing) -> None:
    if bottom := net.pictures():
        draw = net.draw
        pool = draw(st.sampled_from(["MAX", "AVE"]))
        if draw(st.integers(0, 6)) == 0:
            net.add("Pooling", [bottom], pool=pool, global_pooling=True)
            return
        rows, columns = (draw(st.integers(1, 4)) for _ in range(2))
        if draw(FLAG):
            columns = rows
        options = {
            "kernel_h": rows,
            "kernel_w": columns,
            # A stride larger than the window makes windows without pixels.
            "stride_h": draw(st.integers(1, rows)),
            "stride_w": draw(st.integers(1, columns)),
        }
        if draw(FLAG):
            options |= {"pad_h": draw(st.integers(0, rows - 1)), "pad_w": draw(st.integers(0, columns - 1))}
        if draw(st.integers(0, 3)) == 0:
            options["round_mode"] = "FLOOR"
        net.add("Pooling", [bottom], pool=pool, **options)


def _elementwise(type_: str, **options: st.SearchStrategy[Any]) -> Callable[[Drawing], None]:
    def add(net: Drawing) -> None:
        if bottom := net.blob():
            drawn = {name: net.draw(values) for name, values in options.items()}
            net.add(type_, [bottom], in_place=net.may_overwrite(bottom), **drawn)

    return add


def prelu(net: Drawing) -> None:
    bottom = net.blob()
    if bottom and len(net.shapes[bottom]) > 1:
        net.add("PReLU", [bottom], in_place=net.may_overwrite(bottom), channel_shared=net.draw(FLAG))


def lrn(net: Drawing) -> None:
    if bottom := net.pictures():
        net.add(
            "LRN",
            [bottom],
            local_size=net.draw(st.sampled_from([1, 3, 5])),
            alpha=net.draw(st.sampled_from([0.1, 1.0])),
            beta=net.draw(st.sampled_from([0.5, 0.75])),
            norm_region=net.draw(st.sampled_from(["ACROSS_CHANNELS", "WITHIN_CHANNEL"])),
            k=net.draw(st.sampled_from([1.0, 2.0])),
        )


def batch_norm(net: Drawing) -> None:
    """BatchNorm, and the Scale that follows it."""
    if bottom := net.pictures():
        eps = net.draw(st.sampled_from([1e-5, 0.1]))
        top = net.add("BatchNorm", [bottom], in_place=net.may_overwrite(bottom), eps=eps)
        net.add("Scale", [top], in_place=net.may_overwrite(top), bias_term=net.draw(FLAG))


def _alike(net: Drawing, same: Callable[[Shape], Any]) -> list[str]:
    """Up to three blobs of which `same` is the same."""
    first = net.pictures() or net.blob()
    if first is None:
        return []
    fit = [name for name, shape in net.shapes.items() if same(shape) == same(net.shapes[first])]
    return [first, *net.draw(st.lists(st.sampled_from(fit), min_size=1, max_size=2))]


def eltwise(net: Drawing) -> None:
    bottom = _alike(net, lambda shape: shape)
    if len(set(bottom)) > 1:
        operation = net.draw(st.sampled_from(["SUM", "PROD", "MAX"]))
        options: dict[str, Any] = {"operation": operation}
        if operation == "SUM" and net.draw(FLAG):
            options["coeff"] = [net.draw(st.sampled_from([-1.0, 0.5, 2.0])) for _ in bottom]
        net.add("Eltwise", bottom, **options)


def concat(net: Drawing) -> None:
    bottom = _alike(net, lambda shape: (shape[0], len(shape), *shape[2:]))
    if bottom:
        net.add("Concat", bottom)


def slice_(net: Drawing) -> None:
    bottom = net.blob()
    if bottom and len(net.shapes[bottom]) > 1 and (channels := net.shapes[bottom][1]) > 1:
        if net.draw(FLAG):
            net.add("Slice", [bottom], tops=2, slice_point=[net.draw(st.integers(1, channels - 1))])
        else:
            net.add("Slice", [bottom], tops=channels)


def crop(net: Drawing) -> None:
    """The larger of two blobs to the size of the smaller."""
    one, other = net.pictures(), net.pictures()
    if one is None or other is None:
        return
    for bottom in ([one, other], [other, one]):
        spare = [a - b for a, b in zip(net.shapes[bottom[0]][2:], net.shapes[bottom[1]][2:], strict=True)]
        if min(spare) >= 0 and one != other:
            offset = [net.draw(st.integers(0, each)) for each in spare]
            net.add("Crop", bottom, axis=2, offset=offset)
            return


def softmax(net: Drawing) -> None:
    bottom = net.blob()
    if bottom and len(net.shapes[bottom]) > 1:
        net.add("Softmax", [bottom])


def inner_product(net: Drawing) -> None:
    bottom = net.blob()
    if bottom and len(net.shapes[bottom]) > 1:
        options = {"num_output": net.draw(st.integers(1, 5)), "bias_term": net.draw(FLAG)}
        if net.draw(st.integers(0, 3)) == 0:
            options["transpose"] = True
        net.add("InnerProduct", [bottom], **options)


def flatten(net: Drawing) -> None:
    if bottom := net.pictures():
        net.add("Flatten", [bottom], axis=net.draw(st.integers(1, 3)), end_axis=net.draw(st.sampled_from([-1, 3])))


def reshape(net: Drawing) -> None:
    if bottom := net.pictures():
        shape = net.draw(st.sampled_from([[0, 0, -1], [0, -1, 0, 0], [0, 1, -1, 0], [0, -1, 1]]))
        net.add("Reshape", [bottom], shape={"dim": shape})


def dropout(net: Drawing) -> None:
    if bottom := net.blob():
        net.add("Dropout", [bottom], in_place=net.may_overwrite(bottom))


def _one_of(*values: float) -> st.SearchStrategy[float]:
    return st.sampled_from(values)


KINDS: dict[str, Callable[[Drawing], None]] = {
    "Convolution": convolution,
    "Deconvolution": deconvolution,
    "Pooling": pooling,
    "ReLU": _elementwise("ReLU", negative_slope=_one_of(0.0, 0.0, 0.1)),
    "PReLU": prelu,
    "ELU": _elementwise("ELU", alpha=_one_of(1.0, 0.5)),
    "Sigmoid": _elementwise("Sigmoid"),
    "TanH": _elementwise("TanH"),
    "AbsVal": _elementwise("AbsVal"),
    "Power": _elementwise("Power", power=_one_of(1.0, 2.0), scale=_one_of(1.0, -0.5), shift=_one_of(0.0, 1.5)),
    "Exp": _elementwise("Exp", base=_one_of(-1.0, 2.0), scale=_one_of(0.1), shift=_one_of(0.0, 0.5)),
    "LRN": lrn,
    "BatchNorm": batch_norm,
    "Eltwise": eltwise,
    "Concat": concat,
    "Slice": slice_,
    "Crop": crop,
    "Softmax": softmax,
    "InnerProduct": inner_product,
    "Flatten": flatten,
    "Reshape": reshape,
    "Dropout": dropout,
}
"""Functions that add a layer of each type to a net, if a blob fits."""
LIKELIER = ("Convolution", "Deconvolution", "Pooling", "Eltwise", "Crop", "LRN")


@st.composite
def specs(draw: Draw, allowed: Allowed = lambda layer, bottom: True) -> NetSpec:
    """A net with one input and up to ten of the allowed layers."""
    net = Drawing(draw, allowed)
    sides = [draw(st.integers(5, 14)) for _ in range(2)]
    net.input("data", (draw(st.integers(1, 2)), draw(st.integers(1, 4)), *sides))
    for kind in draw(st.lists(st.sampled_from([*KINDS, *LIKELIER, *LIKELIER]), min_size=3, max_size=10)):
        KINDS[kind](net)
    if len(net.layers) == 1:
        net.add("ReLU", ["data"])
    return NetSpec("random", tuple(net.layers))


def with_values(spec: NetSpec, seed: int = 0) -> Net:
    """The net, with parameters drawn so that blobs neither vanish nor grow."""
    net = Net(spec)
    rng = np.random.default_rng(seed)
    for layer in net.layers:
        parameters = net.params.get(layer.spec.name, [])
        for index, parameter in enumerate(parameters):
            values = rng.normal(size=parameter.shape)
            if layer.type == "BatchNorm":
                values = 0.3 * values if index == 0 else 1 + np.abs(values)
            elif len(parameter.shape) > 1:
                values /= np.sqrt(np.prod(parameter.shape[1:]))
            parameter.data = values
    return net


def picture(spec: NetSpec, seed: int = 1) -> Array:
    """Values for the input `data`, of its described shape."""
    shape = spec.layer("data").options["shape"][0]["dim"]
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def assert_close(ours: Array, theirs: Array, name: str, bar: float = 1e-4) -> None:
    """Equal to within `bar` of the largest value."""
    assert ours.shape == theirs.shape, f"{name}: shape {ours.shape}, theirs {theirs.shape}"
    if ours.size:
        worst, largest = np.abs(ours - theirs).max(), max(np.abs(ours).max(), 1e-6)
        assert worst <= bar * largest, f"{name}: off by {worst / largest:.1e} of the largest value"

"""Nets such as the fast path is made for: chains of convolutions and poolings, wide pads, skips, upsampled scores."""

from __future__ import annotations

from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from fcnlite.description.spec import NetSpec
from tests.random_nets import FLAG, Draw, Drawing

CHANNELS = st.one_of(st.integers(1, 20), st.sampled_from([1, 3, 4, 5, 16, 17, 32, 33, 48, 64, 70]))
SMALL_SIDES = st.one_of(st.integers(1, 40), st.integers(1, 8))
LARGE_SIDES = st.one_of(st.integers(1, 300), st.integers(60, 300))


@st.composite
def specs(draw: Draw, sides: st.SearchStrategy[int] = SMALL_SIDES, most_values: int = 150_000) -> NetSpec:
    """A net with the input `data`."""
    net = Drawing(draw, lambda layer, bottom: True, most_values)
    shape = (draw(st.sampled_from([1, 1, 2, 3])), draw(st.sampled_from([3, 3, 1, 4, 5, 16, 20])))
    net.input("data", (*shape, draw(sides), draw(sides)))
    blob = "data"
    for depth in range(draw(st.integers(1, 3))):
        for _ in range(draw(st.integers(1, 2))):
            blob = _convolution(net, blob, wide=depth == 0 and blob == "data")
            blob = _normalisation(net, blob)
            blob = _activation(net, blob)
        if draw(st.integers(0, 3)):
            blob = _pooling(net, blob)
        if draw(st.integers(0, 4)) == 0:
            blob = _join(net, blob)
        if draw(st.integers(0, 5)) == 0:
            blob = net.add("Reshape", [blob], shape={"dim": [0] * 4})  # a view
    if draw(FLAG):
        blob = _scores(net, blob)
    if draw(st.integers(0, 4)) == 0:
        net.add("Dropout", [blob], in_place=net.may_overwrite(blob))
    assume(len(net.layers) > 1)
    return NetSpec("drawn", tuple(net.layers))


def _convolution(net: Drawing, bottom: str, wide: bool) -> str:
    draw = net.draw
    kernel = draw(st.sampled_from([3, 3, 3, 1, 2, 4, 5, 6, 7]))
    options: dict[str, Any] = {"num_output": draw(CHANNELS), "kernel_size": [kernel], "pad": [kernel // 2]}
    if draw(st.integers(0, 3)) == 0:
        options["pad"] = [draw(st.integers(0, kernel + 1)) for _ in range(2)]
    if draw(st.integers(0, 5)) == 0:
        options |= {"kernel_size": [kernel, draw(st.integers(1, 7))]}
    if draw(st.integers(0, 5)) == 0:
        options["stride"] = [draw(st.integers(1, 3)) for _ in range(2)]
    if draw(st.integers(0, 5)) == 0:
        options["dilation"] = [draw(st.integers(1, 3))]
    if wide and draw(FLAG):
        options["pad"] = [draw(st.one_of(st.integers(8, 40), st.just(100)))]
    channels = net.shapes[bottom][1]
    if channels % 32 == 0 and draw(FLAG):
        options |= {"group": channels // 16, "num_output": channels}
    elif draw(st.integers(0, 4)) == 0:
        group = draw(st.sampled_from([each for each in range(1, channels + 1) if channels % each == 0]))
        options |= {"group": group, "num_output": group * draw(st.integers(1, 3))}
    if not wide:
        options["bias_term"] = bool(draw(st.integers(0, 4)))
    return net.add("Convolution", [bottom], **options)


def _normalisation(net: Drawing, blob: str) -> str:
    """BatchNorm, Scale and Bias, any of them."""
    draw = net.draw
    if draw(st.integers(0, 2)):
        return blob
    if draw(FLAG):
        blob = net.add("BatchNorm", [blob], in_place=net.may_overwrite(blob), use_global_stats=True)
    if draw(FLAG):
        blob = net.add("Scale", [blob], in_place=net.may_overwrite(blob), bias_term=draw(FLAG))
    if draw(FLAG):
        blob = net.add("Bias", [blob], in_place=net.may_overwrite(blob))
    return blob


def _activation(net: Drawing, blob: str) -> str:
    kind = net.draw(st.sampled_from(["ReLU", "ReLU", "ReLU", "leaky", "PReLU", "none"]))
    if kind == "none":
        return blob
    options = {"negative_slope": net.draw(st.sampled_from([0.1, 0.5]))} if kind == "leaky" else {}
    return net.add("PReLU" if kind == "PReLU" else "ReLU", [blob], in_place=net.may_overwrite(blob), **options)


def _pooling(net: Drawing, blob: str) -> str:
    draw = net.draw
    if draw(FLAG):
        return net.add("Pooling", [blob], kernel_size=2, stride=2)
    kernel = draw(st.integers(1, 4))
    options: dict[str, Any] = {"kernel_size": kernel, "stride": draw(st.integers(1, kernel))}
    if draw(FLAG):
        options["pad"] = draw(st.integers(0, kernel - 1))
    if draw(st.integers(0, 2)) == 0:
        options["round_mode"] = "FLOOR"
    options["pool"] = draw(st.sampled_from(["MAX", "MAX", "AVE"]))
    return net.add("Pooling", [blob], **options)


def _join(net: Drawing, blob: str) -> str:
    """Concat with an earlier blob of the same height and width, or the sum with a convolution of one."""
    (n, channels, *size), draw = net.shapes[blob], net.draw
    fit = [name for name, shape in net.shapes.items() if (shape[0], *shape[2:]) == (n, *size)]
    other = draw(st.sampled_from(fit))
    if draw(FLAG):
        return net.add("Concat", [blob, other])
    skip = net.add("Convolution", [other], num_output=channels, kernel_size=[1])
    if net.shapes[skip] != net.shapes[blob]:
        return blob
    operation = draw(st.sampled_from(["SUM", "SUM", "MAX", "PROD"]))
    return net.add("Eltwise", [blob, skip], operation=operation)


def _scores(net: Drawing, blob: str) -> str:
    """Upsample bilinearly, crop, and add a skip: the head of an FCN-8s."""
    draw = net.draw
    classes = draw(st.sampled_from([1, 2, 5, 21]))
    blob = net.add("Convolution", [blob], num_output=classes, kernel_size=[1])
    for _ in range(draw(st.integers(1, 2))):
        classes, factor = net.shapes[blob][1], draw(st.integers(1, 4))
        kernel = 2 * factor - factor % 2
        options = {"num_output": classes, "kernel_size": [kernel], "stride": [factor], "bias_term": False}
        if draw(FLAG):
            options["group"] = classes
        if draw(FLAG):
            options["weight_filler"] = {"type": "bilinear"}
        blob = net.add("Deconvolution", [blob], **options)
        spare = {
            name: [a - b for a, b in zip(net.shapes[blob][2:], shape[2:], strict=True)]
            for name, shape in net.shapes.items()
        }
        fit = [name for name, each in spare.items() if min(each) >= 0 and name != blob]
        if not fit:
            continue
        reference = draw(st.sampled_from(fit))
        offset = [draw(st.integers(0, each)) for each in spare[reference]]
        skip = reference
        if draw(FLAG) and net.shapes[reference][1] != net.shapes[blob][1]:
            skip = net.add("Convolution", [reference], num_output=net.shapes[blob][1], kernel_size=[1])
        cropped = net.add("Crop", [blob, skip], axis=2, offset=offset)
        if net.shapes[cropped] == net.shapes[skip] and cropped != skip:
            cropped = net.add("Eltwise", draw(st.sampled_from([[cropped, skip], [skip, cropped]])))
        blob = cropped
    return blob

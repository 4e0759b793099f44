"""Convolution, deconvolution and pooling."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from fcnlite.description.shapes import Window
from tests.layers.examples.draws import COUNT, FLAG, PHASE, SEED, SHAPES, Draw, maybe
from tests.layers.examples.example import Example


def two_sided(draw: Draw, stem: str, square: str, rows: int, columns: int) -> dict[str, Any]:
    """Values for rows and columns in one of Caffe's notations."""
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
    # The smallest bottom with a top: stride · (size − 1) + extent − 2 · pad ≥ 1.
    least = [1 + max(0, -((each.extent - 2 * each.pad - 1) // each.stride)) for each in (rows, columns)]
    shape = (draw(COUNT), group * per_group, *(size + draw(st.integers(0, 3)) for size in least))
    options = {"num_output": group * outputs, "group": group, **window_options(draw, rows, columns)}
    maybe(draw, options, "bias_term", FLAG)
    return Example("Deconvolution", (shape,), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def im2col(draw: Draw) -> Example:
    rows, columns = windows(draw)
    least = [max(1, each.extent - 2 * each.pad) for each in (rows, columns)]
    shape = (draw(COUNT), draw(COUNT), *(size + draw(st.integers(0, 3)) for size in least))
    return Example("Im2col", (shape,), window_options(draw, rows, columns), phase=draw(PHASE), seed=draw(SEED))


@st.composite
def spp(draw: Draw) -> Example:
    # At least 7 rows and columns, so that the four windows of the third level fit.
    shape = (draw(COUNT), draw(COUNT), draw(st.integers(7, 9)), draw(st.integers(7, 9)))
    options: dict[str, Any] = {"pyramid_height": draw(st.integers(1, 3))}
    maybe(draw, options, "pool", st.sampled_from(["MAX", "AVE"]))
    return Example("SPP", (shape,), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def pooling(draw: Draw) -> Example:
    shape = draw(SHAPES)
    options: dict[str, Any] = {"pool": draw(st.sampled_from(["MAX", "AVE", "STOCHASTIC"]))}
    stochastic = options["pool"] == "STOCHASTIC"
    if draw(st.integers(0, 4)) == 0:
        options["global_pooling"] = True
    else:
        sizes, strides, pads = [], [], []
        for size in shape[2:]:
            pad = 0 if stochastic else draw(st.integers(0, 2))
            window = draw(st.integers(pad + 1, size + 2 * pad))
            sizes.append(window)
            strides.append(draw(st.integers(1, min(3, window))))
            pads.append(pad)
        for name, values in (("kernel", sizes), ("stride", strides), ("pad", pads)):
            square = "kernel_size" if name == "kernel" else name
            if values[0] == values[1] and draw(FLAG):
                options[square] = values[0]
            else:
                options[f"{name}_h"], options[f"{name}_w"] = values
        maybe(draw, options, "round_mode", st.sampled_from(["CEIL", "FLOOR"]))
    tops = draw(st.integers(1, 2)) if options["pool"] == "MAX" else 1
    return Example("Pooling", (shape,), options, tops, draw(PHASE), seed=draw(SEED), positive=stochastic)

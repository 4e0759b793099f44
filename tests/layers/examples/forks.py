"""Layers that only forks of Caffe have."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.layers.examples.draws import CHANNELS_SHAPE, COUNT, FLAG, PHASE, SEED, SHAPES, SIZE, Draw, maybe
from tests.layers.examples.example import Example


@st.composite
def interp(draw: Draw) -> Example:
    shape = draw(SHAPES)
    crop = min(shape[2:]) - 1
    beg = draw(st.integers(0, min(2, crop)))
    options: dict[str, Any] = {"pad_beg": -beg, "pad_end": -draw(st.integers(0, min(2, crop - beg)))}
    how = draw(st.sampled_from(["size", "zoom", "shrink", "both"]))
    if how == "size":
        options.update(height=draw(SIZE), width=draw(SIZE))
    if how in ("zoom", "both"):
        options["zoom_factor"] = draw(COUNT)
    if how in ("shrink", "both"):
        options["shrink_factor"] = draw(COUNT)
    return Example("Interp", (shape,), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def bn(draw: Draw) -> Example:
    # SegNet's layer has a tiny eps of its own: a channel has several values, far apart.
    shape = (draw(COUNT), draw(COUNT), draw(st.integers(2, 4)), draw(st.integers(2, 4)))
    options: dict[str, Any] = {}
    if draw(FLAG):
        options["eps"] = draw(st.sampled_from([0.05, 0.5]))
        maybe(draw, options, "momentum", st.sampled_from([0.5, 0.95]))
        maybe(draw, options, "frozen", FLAG)
    else:
        maybe(draw, options, "bn_mode", st.sampled_from(["LEARN", "INFERENCE"]))
    return Example("BN", (shape,), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def upsample(draw: Draw) -> Example:
    shape = draw(SHAPES)
    height, width = shape[2:]
    options: dict[str, Any] = {}
    if draw(FLAG):
        options.update(upsample_h=height + draw(st.integers(1, 4)), upsample_w=width + draw(st.integers(1, 4)))
        places = options["upsample_h"] * options["upsample_w"]
    elif draw(FLAG):
        options.update(scale_h=draw(st.integers(2, 3)), scale_w=draw(st.integers(2, 3)))
        places = options["scale_h"] * height * options["scale_w"] * width
    else:
        maybe(draw, options, "scale", st.just(2))
        maybe(draw, options, "pad_out_h", FLAG)
        maybe(draw, options, "pad_out_w", FLAG)
        places = (2 * height - options.get("pad_out_h", 0)) * (2 * width - options.get("pad_out_w", 0))
    return Example("Upsample", (shape, shape), options, phase=draw(PHASE), seed=draw(SEED), places=places)


@st.composite
def unpooling(draw: Draw) -> Example:
    shape = draw(SHAPES)
    stride = draw(COUNT)
    options: dict[str, Any] = {"kernel_size": 2, "stride": stride}
    # Large enough for each value to have a place of its own.
    height, width = (stride * (side - 1) + 1 + draw(st.integers(0, 2)) for side in shape[2:])
    if height == width and draw(FLAG):
        options["unpool_size"] = height
    else:
        options.update(unpool_h=height, unpool_w=width)
    maybe(draw, options, "unpool", st.sampled_from(["MAX", "AVE", "TILE"]))
    bottoms = (shape, shape) if draw(FLAG) else (shape,)
    places = height * width if len(bottoms) > 1 else 0
    return Example("Unpooling", bottoms, options, phase=draw(PHASE), seed=draw(SEED), places=places)


@st.composite
def mean_field(draw: Draw) -> Example:
    n, classes, height, width = (draw(st.integers(1, most)) for most in (2, 3, 4, 4))
    options: dict[str, Any] = {"num_iterations": draw(st.integers(2, 3))}
    options.update({f"theta_{name}": draw(st.sampled_from([0.5, 3.0])) for name in ("alpha", "beta", "gamma")})
    scores = (n, classes, height, width)
    return Example(
        "MultiStageMeanfield", (scores, scores, (n, 3, height, width)), options, phase=draw(PHASE), seed=draw(SEED)
    )


@st.composite
def normalize(draw: Draw) -> Example:
    options: dict[str, Any] = {}
    maybe(draw, options, "across_spatial", FLAG)
    maybe(draw, options, "channel_shared", FLAG)
    maybe(draw, options, "eps", st.sampled_from([1e-10, 0.1]))
    return Example("Normalize", (draw(SHAPES),), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def permute(draw: Draw) -> Example:
    shape = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple))
    order = draw(st.permutations(range(len(shape))))[: draw(st.integers(0, len(shape)))]
    return Example("Permute", (shape,), {"order": order} if order else {}, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def shuffle_channel(draw: Draw) -> Example:
    shape, group = draw(CHANNELS_SHAPE), draw(COUNT)
    shape = (shape[0], shape[1] * group, *shape[2:])
    options = {"group": group} if group > 1 or draw(FLAG) else {}
    return Example("ShuffleChannel", (shape,), options, phase=draw(PHASE), seed=draw(SEED))


@st.composite
def axpy(draw: Draw) -> Example:
    shape = draw(SHAPES)
    factors = (*shape[:2], 1, 1) if draw(FLAG) else shape[:2]
    return Example("Axpy", (factors, shape, shape), phase=draw(PHASE), seed=draw(SEED))


@st.composite
def uneven_pooling(draw: Draw) -> Example:
    shape = draw(SHAPES)
    options: dict[str, Any] = {"pool": draw(st.sampled_from(["MAX", "AVE", "AVE_EXC_PAD", "AVE_TF"]))}
    for name, side, first, last in (("h", shape[2], "t", "b"), ("w", shape[3], "l", "r")):
        before, after = draw(st.integers(0, 2)), draw(st.integers(0, 2))
        size = draw(st.integers(max(before, after) + 1, max(before, after) + side))
        options.update({f"kernel_{name}": size, f"stride_{name}": draw(st.integers(1, min(3, size)))})
        options.update({f"pad_{first}": before, f"pad_{last}": after})
    sizes = (options["kernel_h"], options["kernel_w"])
    pads = (options["pad_t"] + options["pad_b"], options["pad_l"] + options["pad_r"])
    if all(side + pad >= size for side, pad, size in zip(shape[2:], pads, sizes, strict=True)):
        maybe(draw, options, "round_mode", st.sampled_from(["CEIL", "FLOOR"]))
    return Example("UnevenPooling", (shape,), options, phase=draw(PHASE), seed=draw(SEED))

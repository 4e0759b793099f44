"""What single layer types must do, against plain NumPy and Caffe's documented rules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite.errors import DataError, ShapeError, SpecError
from fcnlite.net import Net
from fcnlite.spec import LayerSpec, NetSpec
from tests.layers.examples import EXAMPLES, Array, Example, input_layer

NAN = float("nan")


def one(
    type_: str,
    shapes: Sequence[tuple[int, ...]],
    options: dict[str, Any] | None = None,
    *,
    tops: int = 1,
    phase: str = "TEST",
    seed: int = 0,
    name: str = "layer",
) -> Net:
    """A net of one layer in float64, with inputs x0, x1, ... and tops y0, y1, ..."""
    inputs = [input_layer(f"x{i}", shape) for i, shape in enumerate(shapes)]
    bottom, top = tuple(f"x{i}" for i in range(len(shapes))), tuple(f"y{i}" for i in range(tops))
    spec = NetSpec(layers=(*inputs, LayerSpec(name, type_, bottom, top, options or {})))
    return Net(spec, phase=phase, path="plain", dtype="float64", seed=seed)


def compute(type_: str, arrays: Sequence[Any], options: dict[str, Any] | None = None, **how: Any) -> list[Array]:
    """The tops of one layer fed with `arrays`."""
    net = one(type_, [np.shape(each) for each in arrays], options, **how)
    out = net.forward({f"x{i}": each for i, each in enumerate(arrays)})
    return [out[f"y{i}"] for i in range(how.get("tops", 1))]


# Convolution and Deconvolution


def pair(options: dict[str, Any], stem: str, square: str, default: int) -> tuple[int, int]:
    if f"{stem}_h" in options:
        return options[f"{stem}_h"], options[f"{stem}_w"]
    values = options.get(square, [default])
    return values[0], values[-1]


def taps(
    options: dict[str, Any], small: tuple[int, int], large: tuple[int, int]
) -> list[tuple[int, int, int, int, int, int]]:
    """Which pixel of the large picture meets which of the small one through which tap of the kernel."""
    kernel, stride = pair(options, "kernel", "kernel_size", 0), pair(options, "stride", "stride", 1)
    pad, dilation = pair(options, "pad", "pad", 0), pair(options, "dilation", "dilation", 1)
    found = []
    for y, x, i, j in np.ndindex(*small, *kernel):
        row, column = y * stride[0] - pad[0] + i * dilation[0], x * stride[1] - pad[1] + j * dilation[1]
        if 0 <= row < large[0] and 0 <= column < large[1]:
            found.append((y, x, i, j, row, column))
    return found


@settings(max_examples=40)
@given(example=EXAMPLES["Convolution"])
def test_convolution_is_the_sum_over_taps(example: Example) -> None:
    net, x = example.net("float64"), example.inputs()["x0"]
    top = net.forward(x0=x)["y0"]
    weight, *bias = (parameter.array for parameter in net.params["layer"])
    group, outputs = example.options["group"], example.options["num_output"]
    expected = np.zeros(top.shape)
    if bias:
        expected += bias[0].reshape(-1, 1, 1)
    places = taps(example.options, top.shape[2:], x.shape[2:])
    per_group = weight.shape[1]
    for n, o, c in np.ndindex(len(x), outputs, per_group):
        channel = o // (outputs // group) * per_group + c
        for y, z, i, j, row, column in places:
            expected[n, o, y, z] += weight[o, c, i, j] * x[n, channel, row, column]
    np.testing.assert_allclose(top, expected, rtol=0, atol=1e-12 * max(1, np.abs(expected).max()))
    assert weight.shape[0] == outputs and per_group == x.shape[1] // group
    assert bool(bias) == example.options.get("bias_term", True)


@settings(max_examples=40)
@given(example=EXAMPLES["Deconvolution"])
def test_deconvolution_spreads_each_pixel_by_the_kernel(example: Example) -> None:
    net, x = example.net("float64"), example.inputs()["x0"]
    top = net.forward(x0=x)["y0"]
    weight, *bias = (parameter.array for parameter in net.params["layer"])
    group = example.options["group"]
    outputs = weight.shape[1]  # of each group
    expected = np.zeros(top.shape)
    if bias:
        expected += bias[0].reshape(-1, 1, 1)
    places = taps(example.options, x.shape[2:], top.shape[2:])
    for n, c, o in np.ndindex(*x.shape[:2], outputs):
        channel = c // (x.shape[1] // group) * outputs + o
        for y, z, i, j, row, column in places:
            expected[n, channel, row, column] += weight[c, o, i, j] * x[n, c, y, z]
    np.testing.assert_allclose(top, expected, rtol=0, atol=1e-12 * max(1, np.abs(expected).max()))
    assert weight.shape[0] == x.shape[1] and outputs * group == example.options["num_output"]


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": [3]},
        {"num_output": 0, "kernel_size": [3]},
        {"num_output": 2},
        {"num_output": 2, "kernel_size": [0]},
        {"num_output": 2, "kernel_size": [3], "stride": [0]},
        {"num_output": 2, "kernel_size": [3], "pad": [-1]},
        {"num_output": 2, "kernel_size": [3], "dilation": [0]},
        {"num_output": 2, "kernel_size": [3, 3, 3]},
        {"num_output": 2, "kernel_h": 3},
        {"num_output": 2, "kernel_size": [3], "kernel_h": 3, "kernel_w": 3},
        {"num_output": 2, "kernel_size": [3], "group": 0},
        {"num_output": 3, "kernel_size": [3], "group": 2},
    ],
)
@pytest.mark.parametrize("type_", ["Convolution", "Deconvolution"])
def test_convolution_refuses_options_that_do_not_fit(type_: str, options: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=r"'layer'"):
        one(type_, [(1, 4, 9, 9)], options)


@pytest.mark.parametrize("type_", ["Convolution", "Deconvolution"])
def test_convolution_names_shapes_that_do_not_fit(type_: str) -> None:
    with pytest.raises(ShapeError, match=r"'layer'.*x0.*1×3×9×9"):
        one(type_, [(1, 3, 9, 9)], {"num_output": 2, "kernel_size": [3], "group": 2})
    with pytest.raises(ShapeError, match=r"'layer'.*x0.*1×3×9"):
        one(type_, [(1, 3, 9)], {"num_output": 2, "kernel_size": [3]})


def test_convolution_of_a_picture_smaller_than_the_kernel_is_an_error() -> None:
    with pytest.raises(ShapeError, match=r"'layer'.*x0.*1×3×2×9"):
        one("Convolution", [(1, 3, 2, 9)], {"num_output": 2, "kernel_size": [3]})


# Pooling


@settings(max_examples=60)
@given(
    size=st.integers(1, 9),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 4),
    pad=st.integers(0, 2),
    ceil=st.booleans(),
)
def test_pooled_size_is_caffes(size: int, kernel: int, stride: int, pad: int, ceil: bool) -> None:
    if pad >= kernel or size + 2 * pad < kernel:
        return
    expected = (size + 2 * pad - kernel) / stride
    expected = int(np.ceil(expected) if ceil else np.floor(expected)) + 1
    if pad and (expected - 1) * stride >= size + pad:
        expected -= 1  # the last window has to start inside the picture or the near pad
    options = {"kernel_size": kernel, "stride": stride, "pad": pad, "round_mode": "CEIL" if ceil else "FLOOR"}
    (top,) = compute("Pooling", [np.ones((1, 1, size, 9))], options)
    assert top.shape[2] == expected


def test_average_pooling_counts_the_padding() -> None:
    (top,) = compute("Pooling", [np.ones((1, 1, 2, 2))], {"pool": "AVE", "kernel_size": 3, "stride": 1, "pad": 1})
    np.testing.assert_allclose(top[0, 0], np.full((2, 2), 4 / 9))


def test_max_pooling_does_not_see_the_padding() -> None:
    (top,) = compute("Pooling", [-np.ones((1, 1, 2, 2))], {"kernel_size": 3, "stride": 1, "pad": 1})
    np.testing.assert_array_equal(top, -np.ones((1, 1, 2, 2)))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "kernel_size"),
        ({"kernel_size": 3, "pad": 3}, "pad"),
        ({"kernel_size": 3, "stride": 0}, "stride"),
        ({"kernel_size": 3, "kernel_h": 3}, "kernel"),
        ({"kernel_h": 3}, "kernel"),
        ({"global_pooling": True, "kernel_size": 3}, "kernel"),
        ({"kernel_size": 2, "pool": "STOCHASTIC"}, "STOCHASTIC"),
        ({"kernel_size": 2, "pool": "MEDIAN"}, "pool"),
    ],
)
def test_pooling_refuses_options_that_do_not_fit(options: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecError, match=f"'layer'.*{words}"):
        one("Pooling", [(1, 1, 5, 5)], options)


# ReLU and Dropout


def test_relu_passes_nan_on() -> None:
    (top,) = compute("ReLU", [[NAN, -1.0, 0.0, 2.0]])
    np.testing.assert_array_equal(top, [NAN, 0, 0, 2])


def test_relu_has_no_gradient_at_zero() -> None:
    net = one("ReLU", [(3,)])
    net.forward(x0=[-1.0, 0.0, 1.0], keep=True)
    net.backward(y0=[1.0, 1.0, 1.0], wrt=["x0"])
    np.testing.assert_array_equal(net.grads["x0"], [0, 0, 1])


def test_dropout_keeps_the_mean_and_drops_the_share() -> None:
    x = np.ones((4, 10, 50, 50))
    for ratio in (0.2, 0.5, 0.9):
        (top,) = compute("Dropout", [x], {"dropout_ratio": ratio}, phase="TRAIN")
        np.testing.assert_allclose(np.unique(top), [0, 1 / (1 - ratio)])
        assert np.mean(top == 0) == pytest.approx(ratio, abs=0.01)
        assert top.mean() == pytest.approx(1, abs=0.05)


def test_dropout_is_the_identity_in_test() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    np.testing.assert_array_equal(compute("Dropout", [x], {"dropout_ratio": 0.7})[0], x)


def test_dropout_follows_seed_iteration_and_layer_alone() -> None:
    x = np.ones(1000)

    def mask(seed: int = 0, iteration: int = 0, name: str = "layer", before: int = 0) -> Array:
        net = one("Dropout", [(1000,)], phase="TRAIN", seed=seed, name=name)
        for _ in range(before):
            net.forward(x0=x)
        net.iteration = iteration
        return net.forward(x0=x)["y0"] > 0

    np.testing.assert_array_equal(mask(), mask(before=3))
    for other in (mask(seed=1), mask(iteration=1), mask(name="other")):
        assert 300 < (mask() != other).sum() < 700


def test_dropout_draws_anew_at_each_training_pass() -> None:
    net = one("Dropout", [(1000,)], phase="TRAIN")
    x = np.ones(1000)
    first, second = (net.forward(x0=x, keep=True)["y0"] for _ in range(2))
    assert (first != second).sum() > 300


def test_dropout_drops_in_backward_what_forward_dropped() -> None:
    net = one("Dropout", [(100,)], phase="TRAIN")
    top = net.forward(x0=np.ones(100), keep=True)["y0"]
    net.backward(y0=np.ones(100), wrt=["x0"])
    np.testing.assert_array_equal(net.grads["x0"], top)


@pytest.mark.parametrize("ratio", [-0.1, 1.0, 1.5, NAN])
def test_dropout_refuses_other_ratios(ratio: float) -> None:
    with pytest.raises(SpecError, match=r"'layer'.*dropout_ratio"):
        one("Dropout", [(3,)], {"dropout_ratio": ratio})


# Crop


@settings(max_examples=40)
@given(example=EXAMPLES["Crop"])
def test_crop_is_a_slice(example: Example) -> None:
    x, reference = example.inputs().values()
    axis = example.options["axis"] % x.ndim
    offsets = example.options.get("offset", [0])
    if len(offsets) == 1:
        offsets = offsets * (x.ndim - axis)
    expected = x
    for i, offset in zip(range(axis, x.ndim), offsets, strict=True):
        expected = np.take(expected, range(offset, offset + reference.shape[i]), axis=i)
    np.testing.assert_array_equal(compute("Crop", [x, reference], example.options)[0], expected)


def test_crop_defaults_to_rows_and_columns_from_the_start() -> None:
    x = np.arange(2 * 3 * 5 * 6.0).reshape(2, 3, 5, 6)
    np.testing.assert_array_equal(compute("Crop", [x, np.zeros((1, 1, 2, 3))])[0], x[:, :, :2, :3])


def test_crop_names_what_does_not_fit() -> None:
    with pytest.raises(ShapeError, match=r"'layer'.*x0 1×1×5×5.*x1 1×1×4×4"):
        one("Crop", [(1, 1, 5, 5), (1, 1, 4, 4)], {"offset": [2]})
    with pytest.raises((ShapeError, SpecError), match=r"'layer'.*offset"):
        one("Crop", [(1, 1, 5, 5), (1, 1, 4, 4)], {"offset": [0, 0, 0]})
    with pytest.raises(SpecError, match=r"'layer'.*offset"):
        one("Crop", [(1, 1, 5, 5), (1, 1, 4, 4)], {"offset": [-1]})


# Eltwise, Concat, Split


def test_eltwise_maximum_ties_as_caffe_breaks_them() -> None:
    """Caffe compares the first two with `>`, so that the second wins a tie; later ones must be greater."""
    net = one("Eltwise", [(4,)] * 3, {"operation": "MAX"})
    net.forward(x0=[1.0, 1, 0, 0], x1=[1.0, 0, 1, 1], x2=[1.0, 1, 1, 2], keep=True)
    net.backward(y0=[1.0, 2, 3, 4], wrt=["x0", "x1", "x2"])
    np.testing.assert_array_equal(net.grads["x0"], [0, 2, 0, 0])
    np.testing.assert_array_equal(net.grads["x1"], [1, 0, 3, 0])
    np.testing.assert_array_equal(net.grads["x2"], [0, 0, 0, 4])


@pytest.mark.parametrize("options", [{}, {"stable_prod_grad": False}])
def test_eltwise_product_gradient_at_zero(options: dict[str, Any]) -> None:
    """dy/dx_i is the product of the others: no division by x_i, which may be 0."""
    net = one("Eltwise", [(3,)] * 3, {"operation": "PROD", **options})
    net.forward(x0=[0.0, 2, 0], x1=[3.0, 0, 0], x2=[4.0, 5, 6], keep=True)
    net.backward(y0=[1.0, 1, 1], wrt=["x0", "x1", "x2"])
    np.testing.assert_array_equal(net.grads["x0"], [12, 0, 0])
    np.testing.assert_array_equal(net.grads["x1"], [0, 10, 0])
    np.testing.assert_array_equal(net.grads["x2"], [0, 0, 0])


def test_eltwise_refuses_what_does_not_fit() -> None:
    with pytest.raises(SpecError, match=r"'layer'.*coeff"):
        one("Eltwise", [(3,)] * 3, {"coeff": [1.0, 2.0]})
    with pytest.raises(SpecError, match=r"'layer'.*coeff"):
        one("Eltwise", [(3,)] * 2, {"coeff": [1.0, 2.0], "operation": "PROD"})
    with pytest.raises(ShapeError, match=r"'layer'.*x0 1×2×5×5.*x1 1×2×5×6"):
        one("Eltwise", [(1, 2, 5, 5), (1, 2, 5, 6)])


@settings(max_examples=20)
@given(example=EXAMPLES["Concat"])
def test_concat_is_numpys(example: Example) -> None:
    arrays = list(example.inputs().values())
    axis = example.options.get("axis", example.options.get("concat_dim", 1))
    expected = np.concatenate(arrays, axis)
    np.testing.assert_array_equal(compute("Concat", arrays, example.options)[0], expected)


def test_concat_names_what_does_not_fit() -> None:
    with pytest.raises(ShapeError, match=r"'layer'.*x0 1×2×5×5.*x1 1×2×5×6"):
        one("Concat", [(1, 2, 5, 5), (1, 2, 5, 6)])
    with pytest.raises(SpecError, match=r"'layer'.*concat_dim"):
        one("Concat", [(1, 2)], {"axis": 1, "concat_dim": 1})


def test_split_sums_gradients() -> None:
    net = one("Split", [(2,)], tops=3)
    out = net.forward(x0=[1.0, 2.0], keep=True)
    assert all(out[f"y{i}"].tolist() == [1, 2] for i in range(3))
    net.backward(y0=[1.0, 10.0], y2=[100.0, 1000.0], wrt=["x0"])
    np.testing.assert_array_equal(net.grads["x0"], [101, 1010])


# InnerProduct, Scale, BatchNorm


@settings(max_examples=30)
@given(example=EXAMPLES["InnerProduct"])
def test_inner_product_is_a_matrix_product(example: Example) -> None:
    net, x = example.net("float64"), example.inputs()["x0"]
    weight, *bias = (parameter.array for parameter in net.params["layer"])
    axis = example.options.get("axis", 1) % x.ndim
    matrix = weight if example.options.get("transpose", False) else weight.T
    expected = x.reshape(*x.shape[:axis], -1) @ matrix + (bias[0] if bias else 0)
    np.testing.assert_allclose(net.forward(x0=x)["y0"], expected, atol=1e-12)


def test_inner_product_names_another_size_at_a_later_call() -> None:
    net = one("InnerProduct", [(1, 3, 4, 4)], {"num_output": 2})
    with pytest.raises(ShapeError, match=r"'layer'.*x0 1×3×5×5"):
        net.forward(x0=np.zeros((1, 3, 5, 5)))


@settings(max_examples=30)
@given(example=EXAMPLES["Scale"])
def test_scale_repeats_its_factor(example: Example) -> None:
    net, inputs = example.net("float64"), example.inputs()
    params = [parameter.array for parameter in net.params.get("layer", [])]
    factor = inputs["x1"] if "x1" in inputs else params.pop(0)
    rank = inputs["x0"].ndim
    axis = example.options.get("axis", 1) % rank
    if "x1" not in inputs:
        axes = example.options.get("num_axes", 1)
        assert factor.shape == example.shapes[0][axis : rank if axes == -1 else axis + axes]
    wide = (..., *[None] * (rank - axis - factor.ndim))
    expected = inputs["x0"] * factor[wide]
    if params:
        assert params[0].shape == factor.shape
        expected = expected + params[0][wide]
    assert bool(params) == example.options.get("bias_term", False)
    np.testing.assert_allclose(net.forward(inputs)["y0"], expected, atol=1e-12)


def test_scale_starts_as_the_identity() -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
    np.testing.assert_array_equal(compute("Scale", [x], {"bias_term": True})[0], x)


def batch_norm(phase: str, **options: Any) -> Net:
    return one("BatchNorm", [(2, 3, 4, 5)], {"eps": 0.01, **options}, phase=phase)


def test_batch_norm_normalises_each_channel() -> None:
    x = np.random.default_rng(0).normal(3, 2, (2, 3, 4, 5))
    y = batch_norm("TRAIN").forward(x0=x)["y0"]
    mean, variance = x.mean((0, 2, 3)), x.var((0, 2, 3))
    wide = (slice(None), None, None)
    np.testing.assert_allclose(y, (x - mean[wide]) / np.sqrt(variance[wide] + 0.01), atol=1e-12)


def test_batch_norm_collects_sums_and_uses_their_mean() -> None:
    """Two passes of training: s ← f·s + new, the variance unbiased; a test divides by the third sum."""
    rng = np.random.default_rng(0)
    batches = [rng.normal(i, 1 + i, (2, 3, 4, 5)) for i in range(2)]
    train = batch_norm("TRAIN", moving_average_fraction=0.75)
    for x in batches:
        train.forward(x0=x, keep=True)
    first, second = (moments(x) for x in batches)
    sums = [0.75 * a + b for a, b in zip(first, second, strict=True)]
    for parameter, expected in zip(train.params["layer"], sums, strict=True):
        np.testing.assert_allclose(parameter.array, expected, atol=1e-12)

    test = train.share(phase="TEST")
    before = [parameter.array.copy() for parameter in test.params["layer"]]
    wide = (slice(None), None, None)
    mean, variance = sums[0] / sums[2], sums[1] / sums[2]
    expected = (batches[0] - mean[wide]) / np.sqrt(variance[wide] + 0.01)
    np.testing.assert_allclose(test.forward(x0=batches[0])["y0"], expected, atol=1e-12)
    for parameter, array in zip(test.params["layer"], before, strict=True):
        np.testing.assert_array_equal(parameter.array, array)


def moments(x: Array) -> tuple[Array, Array, Array]:
    return x.mean((0, 2, 3)), x.var((0, 2, 3), ddof=1), np.ones(1)


def test_batch_norm_written_choice_beats_the_phase() -> None:
    x = np.random.default_rng(0).normal(3, 2, (2, 3, 4, 5))
    np.testing.assert_array_equal(
        batch_norm("TEST", use_global_stats=False).forward(x0=x)["y0"],
        batch_norm("TRAIN").forward(x0=x)["y0"],
    )
    frozen = batch_norm("TRAIN", use_global_stats=True)
    for parameter, value in zip(frozen.params["layer"], (1.0, 4.0, 2.0), strict=True):
        parameter.data[...] = value
    expected = (x - 0.5) / np.sqrt(2.01)
    np.testing.assert_allclose(frozen.forward(x0=x)["y0"], expected, atol=1e-12)
    assert frozen.params["layer"][2].array == 2


def test_batch_norm_without_statistics_is_finite() -> None:
    x = np.ones((2, 3, 4, 5))
    assert np.isfinite(batch_norm("TEST").forward(x0=x)["y0"]).all()


# Softmax, SoftmaxWithLoss, Accuracy, ArgMax


def test_softmax_of_large_scores_is_finite() -> None:
    (p,) = compute("Softmax", [[[1e4, 1e4, -1e4]]])
    np.testing.assert_allclose(p, [[0.5, 0.5, 0]])


def log_probabilities(x: Array) -> Array:
    shifted = x - x.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


SCORES = np.random.default_rng(5).normal(size=(2, 4, 3, 5))
LABELS = np.random.default_rng(6).integers(0, 4, (2, 3, 5))


@pytest.mark.parametrize(
    ("options", "normalizer"),
    [
        ({}, "valid"),
        ({"normalization": "VALID"}, "valid"),
        ({"normalization": "FULL"}, "full"),
        ({"normalization": "BATCH_SIZE"}, "batch"),
        ({"normalization": "NONE"}, "none"),
        ({"normalize": True}, "valid"),
        ({"normalize": False}, "batch"),
        ({"normalize": False, "normalization": "FULL"}, "full"),
        ({"normalize": True, "normalization": "NONE"}, "none"),
    ],
)
def test_softmax_loss_normalizations(options: dict[str, Any], normalizer: str) -> None:
    labels = LABELS.copy()
    labels[0, :2] = 255
    counted = labels != 255
    expected_sum = -sum(log_probabilities(SCORES)[n, labels[n, y, x], y, x] for n, y, x in np.argwhere(counted))
    divisor = {"valid": counted.sum(), "full": labels.size, "batch": 2, "none": 1}[normalizer]
    for fed in (labels, labels[:, None], labels.astype(np.float64)):
        loss, p = compute("SoftmaxWithLoss", [SCORES, fed], {"ignore_label": 255, **options}, tops=2)
        assert loss.shape == ()
        assert float(loss) == pytest.approx(expected_sum / divisor, rel=1e-12)
        np.testing.assert_allclose(p, np.exp(log_probabilities(SCORES)), rtol=1e-12)


def test_softmax_loss_of_ignored_labels_only_is_zero() -> None:
    net = one("SoftmaxWithLoss", [SCORES.shape, LABELS.shape], {"ignore_label": 9})
    assert net.forward(x0=SCORES, x1=np.full(LABELS.shape, 9), keep=True)["y0"] == 0
    net.backward(wrt=["x0"])
    np.testing.assert_array_equal(net.grads["x0"], np.zeros(SCORES.shape))


@pytest.mark.parametrize("type_", ["SoftmaxWithLoss", "Accuracy"])
@pytest.mark.parametrize("value", [4, -1, 255, 1.5, 1e30, NAN, float("inf")])
def test_labels_that_are_no_classes_are_named(type_: str, value: float) -> None:
    labels = LABELS.astype(np.float64)
    labels[1, 2, 3] = value
    shown = "nan|NaN" if np.isnan(value) else f"{value:g}".replace("+", r"\+")
    for options in ({}, {"ignore_label": 254}):
        with pytest.raises(DataError, match=rf"'layer'.*({shown})"):
            compute(type_, [SCORES, labels], options)


@pytest.mark.parametrize("ignored", [-1, 2, 255])
@pytest.mark.parametrize("type_", ["SoftmaxWithLoss", "Accuracy"])
def test_exactly_the_ignored_label_is_ignored(type_: str, ignored: int) -> None:
    """Also a class can be ignored; then its positions do not count."""
    labels = LABELS.copy()
    labels[0, 0] = ignored
    kept = labels != ignored
    (found,) = compute(type_, [SCORES, labels], {"ignore_label": ignored})
    rows = np.argwhere(kept)
    if type_ == "Accuracy":
        expected = np.mean(SCORES.argmax(1)[kept] == labels[kept])
    else:
        expected = -np.mean([log_probabilities(SCORES)[n, labels[n, y, x], y, x] for n, y, x in rows])
    assert float(found) == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.parametrize("type_", ["SoftmaxWithLoss", "Accuracy"])
@pytest.mark.parametrize("shape", [(2, 5, 3), (2, 15), (2, 2, 3, 5), (1, 3, 5)])
def test_labels_of_another_shape_are_named(type_: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=rf"'layer'.*x0 2×4×3×5.*x1 {'×'.join(map(str, shape))}"):
        one(type_, [SCORES.shape, shape])


def test_accuracy_counts_ties_as_better() -> None:
    """A label is right if fewer than top_k scores, itself not counted, are as high as its own."""
    scores = [[1.0, 1.0, 0.0], [3.0, 2.0, 1.0], [0.0, 0.0, 0.0]]
    for top_k, expected in ((1, 1 / 3), (2, 2 / 3), (3, 1.0)):
        (found,) = compute("Accuracy", [scores, [0, 0, 0]], {"top_k": top_k})
        assert float(found) == pytest.approx(expected)


def test_accuracy_of_each_class() -> None:
    scores = [[1.0, 0, 0], [1, 0, 0], [1, 0, 0], [0, 1, 0]]
    total, each = compute("Accuracy", [scores, [0, 0, 1, 1]], tops=2)
    assert float(total) == 0.75
    np.testing.assert_array_equal(each, [1, 0.5, 0])  # 0 for a class without labels


def test_accuracy_refuses_more_than_all_classes() -> None:
    with pytest.raises((SpecError, ShapeError), match=r"'layer'.*top_k"):
        one("Accuracy", [(2, 3), (2,)], {"top_k": 4})
    with pytest.raises(SpecError, match=r"'layer'.*top_k"):
        one("Accuracy", [(2, 3), (2,)], {"top_k": 0})


def caffe_arg_max(values: Sequence[float], top_k: int) -> list[tuple[float, int]]:
    """Caffe sorts pairs of value and place by `greater`: of equal values the later place is first."""
    return sorted(((value, place) for place, value in enumerate(values)), reverse=True)[:top_k]


@settings(max_examples=60)
@given(data=st.data(), values=st.booleans())
def test_arg_max_is_caffes(data: st.DataObject, values: bool) -> None:
    shape = data.draw(st.lists(st.integers(1, 4), min_size=2, max_size=4).map(tuple))
    x = np.random.default_rng(data.draw(st.integers(0, 99))).integers(0, 3, shape).astype(np.float64)
    if data.draw(st.booleans()):
        axis = data.draw(st.integers(-len(shape), len(shape) - 1))
        top_k = data.draw(st.integers(1, shape[axis]))
        (top,) = compute("ArgMax", [x], {"axis": axis, "top_k": top_k, "out_max_val": values})
        lines = np.moveaxis(x, axis, -1).reshape(-1, shape[axis])
        found = np.moveaxis(top, axis, -1).reshape(-1, top_k)
        for line, row in zip(lines, found, strict=True):
            assert row.tolist() == [pair[0 if values else 1] for pair in caffe_arg_max(line, top_k)]
    else:
        count = int(np.prod(shape[1:]))
        top_k = data.draw(st.integers(1, count))
        (top,) = compute("ArgMax", [x], {"top_k": top_k, "out_max_val": values})
        assert top.shape[:3] == (shape[0], 2 if values else 1, top_k)
        for line, item in zip(x.reshape(len(x), -1), top, strict=True):
            best = caffe_arg_max(line, top_k)
            assert item[0].ravel().tolist() == [place for _, place in best]
            if values:
                assert item[1].ravel().tolist() == [value for value, _ in best]


def test_arg_max_refuses_more_than_there_are() -> None:
    with pytest.raises((SpecError, ShapeError), match=r"'layer'.*top_k"):
        one("ArgMax", [(2, 3)], {"top_k": 4, "axis": 1})
    with pytest.raises(SpecError, match=r"'layer'.*top_k"):
        one("ArgMax", [(2, 3)], {"top_k": 0})

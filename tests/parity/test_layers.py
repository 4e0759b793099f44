"""Every registered layer type against Caffe's numbers: outputs, gradients, statistics."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fcnlite.formats.caffe import read_net
from fcnlite.net import Net
from tests.parity.reference import HERE, assert_close, case_folder, part, read_case, set_param

BAR = {"plain": 2e-5, "fast": 5e-5}
"""By path, of the reference's largest value."""

CASES = {
    "Accuracy": ["accuracy_ignore", "accuracy_ties", "accuracy_top3"],
    "BatchNorm": ["batchnorm_batch", "batchnorm_global"],
    "Concat": ["concat_batch", "concat_channels"],
    "Convolution": [
        "conv_11x11_stride4",
        "conv_1x1",
        "conv_3x3_pad1",
        "conv_7x7_valid",
        "conv_depthwise",
        "conv_dilation2",
        "conv_group2",
        "conv_pad100",
        "conv_rect",
        "conv_stride2_nobias",
    ],
    "Crop": ["crop_channels", "crop_spatial", "crop_two_offsets"],
    "Deconvolution": [
        "deconv_dilation2",
        "deconv_group_bilinear",
        "deconv_k16s8_bias",
        "deconv_k4s2",
        "deconv_k5s3_pad1",
        "deconv_k64s32",
    ],
    "Eltwise": ["eltwise_max", "eltwise_prod", "eltwise_sum", "eltwise_sum_coeff"],
    "EuclideanLoss": ["euclidean_loss"],
    "Flatten": ["flatten"],
    "InnerProduct": ["inner_product", "inner_product_transpose_axis2"],
    "LRN": ["lrn_across", "lrn_across_default", "lrn_within", "lrn_within_k2"],
    "PReLU": ["prelu"],
    "Pooling": [
        "pool_ave_3x3s2_pad1",
        "pool_ave_5x5s3",
        "pool_ave_last_window_clipped",
        "pool_global_ave",
        "pool_global_max",
        "pool_max_2x2",
        "pool_max_3x3s2",
        "pool_max_floor",
        "pool_max_last_window_clipped",
        "pool_max_pad1",
        "pool_max_pad1_s1",
        "pool_rect",
    ],
    "Power": ["power"],
    "ReLU": ["relu", "relu_leaky"],
    "Reshape": ["reshape"],
    "Scale": ["scale_bias", "scale_scalar"],
    "Sigmoid": ["sigmoid"],
    "SigmoidCrossEntropyLoss": ["sigmoid_ce_loss"],
    "Slice": ["slice_channels"],
    "Softmax": ["softmax"],
    "SoftmaxWithLoss": [
        "softmax_loss_batch_size_ignore255",
        "softmax_loss_default",
        "softmax_loss_full_ignore255",
        "softmax_loss_none_ignore255",
        "softmax_loss_normalize_false",
        "softmax_loss_saturated",
        "softmax_loss_valid_ignore255",
        "softmax_loss_weight",
    ],
    "TanH": ["tanh"],
}


@pytest.mark.parametrize("path", BAR)
@pytest.mark.parametrize("name", [name for names in CASES.values() for name in names])
def test_layer(name: str, path: str) -> None:
    folder = case_folder("layers", name)
    case = read_case(folder / f"{name}.npz")
    net = Net(read_net(folder / f"{name}.prototxt"), phase="TRAIN", path=path)
    before = part(case, "param_before.")
    for index, values in (before or part(case, "param.")).items():
        set_param(net, "layer", int(index), values)

    outputs = part(case, "out.")
    found = net.forward(part(case, "in."), outputs=list(outputs), keep=True)
    assert outputs
    for blob, reference in outputs.items():
        assert_close(found[blob], reference, BAR[path], f"{name}: top {blob}")
    if before:
        for index, reference in part(case, "param.").items():
            statistic = net.params["layer"][int(index)].array
            assert_close(statistic, reference, BAR[path], f"{name}: statistic {index}")

    bottom_gradients = part(case, "din.")
    if bottom_gradients:
        net.backward(part(case, "dout."))
    for blob, reference in bottom_gradients.items():
        assert_close(net.grads[blob], reference, BAR[path], f"{name}: gradient of {blob}")
    for index, reference in part(case, "dparam.").items():
        assert_close(net.params["layer"][int(index)].grad, reference, BAR[path], f"{name}: gradient {index}")


def test_all_cases_are_run(shared: Path) -> None:
    """None of the reference's cases is missing from the list above."""
    there: dict[str, list[str]] = {}
    for path in sorted((shared / "reference" / "layers").glob("*.npz")):
        there.setdefault(read_net(path.with_suffix(".prototxt")).layer("layer").type, []).append(path.stem)
    assert there == CASES


def test_cases_have_gradients(shared: Path) -> None:
    """All but Accuracy have recorded gradients, so that none of the comparisons above is of nothing."""
    for type_, names in CASES.items():
        for name in names:
            case = read_case(shared / "reference" / "layers" / f"{name}.npz")
            assert bool(part(case, "din.")) == (type_ != "Accuracy"), name
            if type_ in ("Convolution", "Deconvolution", "InnerProduct", "PReLU", "Scale"):
                assert part(case, "dparam."), name


def test_copies_are_the_reference(shared: Path) -> None:
    copies = sorted(HERE.iterdir())
    assert sum(path.stat().st_size for path in copies) < 300_000
    for path in copies:
        found = [folder / path.name for folder in (shared / "reference").iterdir() if folder.is_dir()]
        original = next(each for each in found if each.exists())
        assert path.read_bytes() == original.read_bytes(), path.name


def test_comparison_can_fail() -> None:
    reference = np.array([1.0, -4.0], np.float32)
    assert_close(reference + np.float32(7e-5), reference, BAR["plain"], "within")
    with pytest.raises(AssertionError, match="off by"):
        assert_close(reference + np.float32(9e-5), reference, BAR["plain"], "beyond")
    with pytest.raises(AssertionError, match="says nothing"):
        assert_close(reference, 0 * reference, BAR["plain"], "zero")

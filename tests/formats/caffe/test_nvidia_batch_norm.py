"""BatchNorm of NVIDIA's Caffe, which scales and shifts too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import fcnlite
from fcnlite import caffe, convert, surgery
from fcnlite.errors import ShapeError
from fcnlite.formats.caffe.hdf5_files import read_hdf5_weights
from fcnlite.formats.caffe.writing import hdf5_weights, write_together
from fcnlite.net import Net

NET = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 3 dim: 4 dim: 5 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 6 kernel_size: 1 bias_term: false } }
layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "TOP" PARAM batch_norm_param { OPTIONS } }
layer { name: "relu" type: "ReLU" bottom: "TOP" top: "TOP" }
"""
RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 3, 4, 5)).astype(np.float32)
FILTER = RNG.normal(size=(6, 3, 1, 1)).astype(np.float32)
MEAN, SCALE, BIAS = RNG.normal(size=(3, 6)).astype(np.float32)
VARIANCE = RNG.uniform(0.5, 2, size=6).astype(np.float32)

pytestmark = pytest.mark.filterwarnings("ignore:.*pictures are fed as")


def blobs(correction: float = 1.0) -> dict[str, list[np.ndarray]]:
    return {"conv": [FILTER], "bn": [MEAN, VARIANCE, np.array([correction], np.float32), SCALE, BIAS]}


def right(eps: float = 1e-5) -> np.ndarray:
    """scale · x̂ + bias, rectified."""
    y = np.einsum("oc,nchw->nohw", FILTER[:, :, 0, 0].astype(float), X)
    axes = (slice(None), None, None)
    y = (y - MEAN[axes]) / np.sqrt(VARIANCE.astype(float) + eps)[axes]
    return np.maximum(y * SCALE[axes] + BIAS[axes], 0)


def write(folder: Path, options: str = "", top: str = "bn", param: str = "", correction: float = 1.0) -> list[Path]:
    files = [folder / "net.prototxt", folder / "w.caffemodel", folder / "w.caffemodel.h5"]
    files[0].write_text(NET.replace("OPTIONS", options).replace("TOP", top).replace("PARAM", param))
    caffe.write_weights(files[1], blobs(correction))
    write_together([(files[2], hdf5_weights(files[2], blobs(correction)))])
    return files


@pytest.mark.parametrize("path", ["fast", "plain"])
@pytest.mark.parametrize(
    ("options", "top"),
    [
        ("", "bn"),
        ("", "conv"),
        ("scale_bias: true", "conv"),
        ("scale_filler { value: 1 } engine: CUDNN use_global_stats: false", "bn"),
        ("scale_bias: true eps: 0", "bn"),
    ],
)
def test_five_blobs_scale_and_shift_normalised_values(tmp_path: Path, options: str, top: str, path: str) -> None:
    net, binary, hdf5 = write(tmp_path, options, top)
    for weights in (binary, hdf5):
        out = fcnlite.load(net, weights, path=path).forward(data=X)
        np.testing.assert_allclose(out[top], right(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("correction", [0.0, 7.0])
def test_the_statistics_are_taken_unchanged(tmp_path: Path, correction: float) -> None:
    net, weights, _ = write(tmp_path, correction=correction)
    np.testing.assert_allclose(fcnlite.load(net, weights).forward(data=X)["bn"], right(), rtol=1e-4, atol=1e-5)


def test_a_net_so_read_is_saved_and_read_again(tmp_path: Path) -> None:
    source, weights, _ = write(tmp_path, top="conv")
    net = fcnlite.load(source, weights)
    expected = net.forward(data=X)["conv"]
    net.save(tmp_path / "ours.h5")
    caffe.save(net, tmp_path / "saved.prototxt", tmp_path / "saved.caffemodel")
    for again in (
        fcnlite.load(tmp_path / "ours.h5"),
        fcnlite.load(tmp_path / "saved.prototxt", tmp_path / "saved.caffemodel"),
        fcnlite.load(tmp_path / "ours.h5", weights),
    ):
        assert again.spec.layers == net.spec.layers
        np.testing.assert_array_equal(again.forward(data=X)["conv"], expected)
    saved = caffe.read_weights(tmp_path / "saved.caffemodel")
    assert [each.size for each in saved["bn"]] == [6, 6, 1] and len(saved["bn_scale_bias"]) == 2
    with pytest.raises(ShapeError, match="scale_bias: true"):  # the description knows nothing of the Scale
        fcnlite.load(source, tmp_path / "saved.caffemodel")


def test_scale_and_shift_are_learned_and_begin_as_described(tmp_path: Path) -> None:
    frozen = "param { lr_mult: 0 } " * 5
    source, *_ = write(tmp_path, "scale_filler { value: 3 } bias_filler { value: -2 }", param=frozen)
    net = fcnlite.load(source, phase="TRAIN")
    scale, bias = net.params["bn_scale_bias"]
    assert (scale.array == 3).all() and (bias.array == -2).all() and scale.lr_mult == bias.lr_mult == 1
    assert [each for each, _ in net.learnable()] == ["conv[0]", "bn_scale_bias[0]", "bn_scale_bias[1]"]


def test_a_solver_s_net_has_to_say_that_it_scales(tmp_path: Path) -> None:
    source, *_ = write(tmp_path)
    (tmp_path / "solver.prototxt").write_text(
        'net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" weights: "w.caffemodel"'
    )
    message = r"w\.caffemodel: holds 5 blobs for layer 'bn' \(BatchNorm\), which takes 3; .*`scale_bias: true`"
    with pytest.raises(ShapeError, match=message):
        fcnlite.solver.load(tmp_path / "solver.prototxt")
    source.write_text(source.read_text().replace("batch_norm_param {", "batch_norm_param { scale_bias: true"))
    net = fcnlite.solver.load(tmp_path / "solver.prototxt").net
    np.testing.assert_array_equal(net.params["bn_scale_bias"][0].array, SCALE)


def test_surgery_takes_all_five(tmp_path: Path) -> None:
    source, weights, _ = write(tmp_path, "scale_bias: true")
    net = Net(caffe.read_net(source))
    assert {each.outcome for each in surgery.transplant(net, caffe.read_weights(weights))} == {"taken"}


def test_the_order_of_older_versions_is_refused(tmp_path: Path) -> None:
    source, weights, _ = write(tmp_path)
    caffe.write_weights(weights, {"bn": [SCALE, BIAS, MEAN, VARIANCE, np.ones(1, np.float32)]})
    with pytest.raises(ShapeError, match="'bn'"):
        fcnlite.load(source, weights)


def test_statistics_that_count_as_zero_are_warned_of(tmp_path: Path) -> None:
    source, weights, _ = write(tmp_path)
    three = [MEAN, VARIANCE, np.zeros(1, np.float32)]
    caffe.write_weights(weights, {"conv": [FILTER], "bn": three})
    with pytest.warns(UserWarning, match=r"w\.caffemodel: bn \(BatchNorm\).*divides them by 0.*params\[NAME\]\[2\]"):
        fcnlite.load(source, weights)


def test_read_weights_shows_the_file_as_it_is(tmp_path: Path) -> None:
    _, binary, hdf5 = write(tmp_path)
    assert len(caffe.read_weights(binary)["bn"]) == len(read_hdf5_weights(hdf5)["bn"]) == 5


def test_a_classifier_is_converted_with_its_scales(tmp_path: Path) -> None:
    source, weights, _ = write(tmp_path)
    fc = 'layer { name: "fc" type: "InnerProduct" bottom: "bn" top: "fc" inner_product_param { num_output: 2 } }'
    source.write_text(source.read_text() + fc)
    dense = np.random.default_rng(1).normal(size=(2, 120)).astype(np.float32)
    caffe.write_weights(weights, {**blobs(), "fc": [dense, np.ones(2, np.float32)]})
    convert.main([str(weights), "--net", str(source), "--out", str(tmp_path / "out.h5")])
    expected = right().reshape(2, -1) @ dense.T + 1
    found = fcnlite.load(tmp_path / "out.h5").forward(data=X)["fc"]
    np.testing.assert_allclose(found.reshape(2, 2), expected, rtol=1e-4, atol=1e-4)
    caffe.write_weights(weights, {**blobs(), "fc": [dense, np.ones(2, np.float32), np.ones(2, np.float32)]})
    with pytest.raises(ShapeError, match="holds 3 blobs for layer 'fc'"):
        convert.main([str(weights), "--net", str(source), "--out", str(tmp_path / "other.h5")])
    assert not (tmp_path / "other.h5").exists()

"""Files that others made with the original Caffe (../shared/real): they are read, run, and give Caffe's numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fcnlite
from fcnlite import caffe

pytestmark = pytest.mark.filterwarnings("ignore:.*was not used|.*were not used")


@pytest.fixture
def real(shared: Path) -> Path:
    return shared / "real"


def gray(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path).convert("L"), np.float32)


@pytest.mark.parametrize(
    "name",
    ["convolution", "deconvolution", "inner_product", "lrn_channels", "lrn_spatial", "mvn", "pooling_ave",
     "pooling_max", "softmax"],
)  # fmt: skip
def test_single_layers(real: Path, name: str) -> None:
    path = real / "caffe_layers" / f"layer_{name}"
    weights = path.with_suffix(".caffemodel")
    net = fcnlite.load(path.with_suffix(".prototxt"), *([weights] if weights.exists() else []))
    given = path.with_suffix(".input.npy") if name == "deconvolution" else path.parent / "blob.npy"
    (found,) = net.forward(input=np.load(given)).values()
    expected = np.load(path.with_suffix(".npy"))
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_slices_and_reshapes_run(real: Path) -> None:
    net = fcnlite.load(real / "caffe_layers/reshape_and_slice_routines.prototxt")
    x = np.random.default_rng(0).normal(size=(1, 3, 4, 5))
    assert all(np.isfinite(top).all() for top in net.forward(input=x).values())


def test_lenet_of_v1_knows_a_zero(real: Path) -> None:
    folder = real / "lenet_v1"
    net = fcnlite.load(folder / "lenet_image_memory_data.prototxt", folder / "lenet_iter_10000")
    mean = caffe.read_blob(folder / "mnist_mean.binaryproto")
    picture = (gray(folder / "mnist_sample_image.png") - mean[0, 0]) * net.info.preprocessing.scale
    prob = net.forward(data=picture[None, None])["prob"].ravel()
    assert prob.argmax() == 0 and prob[0] > 0.999


@pytest.mark.parametrize("name", ["quick_iter_4000", "quick_iter_5000", "full_iter_70000"])
def test_cifar10_of_v1(real: Path, name: str) -> None:
    folder = real / "cifar10_v1"
    kind = name.split("_")[0]
    weights = folder / f"cifar10_{name}.caffemodel"
    net = fcnlite.load(folder / f"cifar10_{kind}.prototxt", weights)
    x = np.random.default_rng(0).integers(0, 256, (4, 3, 32, 32)) - caffe.read_blob(folder / "mean.binaryproto")
    prob = net.forward(data=x)["prob"]
    np.testing.assert_allclose(prob.sum(1), 1, rtol=1e-6)

    training = fcnlite.load(folder / f"cifar10_{kind}_train_test.prototxt", weights)
    assert not training.sized  # its pictures are in a data base, so their size is known at the first forward
    out = training.forward(data=x, label=np.zeros(4))
    assert {"accuracy", "loss"} <= out.keys()
    np.testing.assert_allclose(out["loss"], -np.log(prob[:, 0]).mean(), rtol=1e-5)


def test_cifar10_of_v2_in_both_forms(real: Path) -> None:
    folder = real / "cifar10_v2_hdf5"
    x = np.random.default_rng(0).normal(0, 50, (2, 3, 32, 32))
    for kind, weights in (
        ("quick", "quick_iter_4000.caffemodel"),
        ("quick", "quick_iter_5000.caffemodel.h5"),
        ("full", "full_iter_95000.caffemodel.h5"),
    ):
        net = fcnlite.load(folder / f"cifar10_{kind}.prototxt", folder / f"cifar10_{weights}")
        np.testing.assert_allclose(net.forward(data=x)["prob"].sum(1), 1, rtol=1e-6)


@pytest.mark.parametrize("name", ["quick_iter_4000.solverstate", "quick_iter_5000.solverstate.h5"])
def test_solver_states(real: Path, name: str) -> None:
    state = caffe.read_solver_state(real / "cifar10_v2_hdf5" / f"cifar10_{name}")
    weights = caffe.read_weights(real / "cifar10_v2_hdf5/cifar10_quick_iter_4000.caffemodel")
    assert state.iteration == int(name.split("_")[2].split(".")[0])
    assert Path(state.learned_net).name.startswith(f"cifar10_quick_iter_{state.iteration}.caffemodel")
    assert [each.shape for each in state.history] == [each.shape for arrays in weights.values() for each in arrays]


@pytest.mark.parametrize(
    ("name", "height", "width"), [("det1", 12, 12), ("det1", 71, 96), ("det2", 24, 24), ("det3", 48, 48)]
)
def test_mtcnn(real: Path, name: str, height: int, width: int) -> None:
    net = fcnlite.load(real / f"mtcnn/{name}.prototxt", real / f"mtcnn/{name}.caffemodel")
    out = net.forward(data=np.random.default_rng(0).normal(size=(1, 3, height, width)))
    np.testing.assert_allclose(out["prob1"].sum(1), 1, rtol=1e-5)


def test_the_recorded_feature_of_the_3d_pose_net(real: Path) -> None:
    folder = real / "triplet_3d"
    net = fcnlite.load(folder / "3d_triplet_testIMG.prototxt", folder / "3d_triplet_iter_30000.caffemodel")
    feature = net.forward(data=gray(folder / "4_78.png")[None, None])["feat"].ravel()
    np.testing.assert_allclose(feature, (-312.4805, 8.4768486, -224.98953), rtol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(60, 80), (33, 47)])
def test_super_resolution_at_any_size(real: Path, height: int, width: int) -> None:
    net = fcnlite.load(real / "super_resolution/sr.prototxt", real / "super_resolution/sr.caffemodel")
    out = net.forward(data=np.random.default_rng(0).random((1, 1, height, width)))
    assert [each.shape for each in out.values()] == [(1, 1, 2 * height - 1, 2 * width - 1)]

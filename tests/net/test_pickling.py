"""Public objects can be pickled and copied, and behave the same afterwards; otherwise an error says why not."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import fcnlite
from fcnlite import SGD, Segmenter, caffe, data, models
from fcnlite.description.model_info import ModelInfo, Preprocessing
from fcnlite.doctor.finding import Finding
from fcnlite.errors import FcnliteError, UnknownNameError
from fcnlite.net import PATHS, Net
from fcnlite.segmentation.metrics import Metrics, confusion

RNG = np.random.default_rng(0)
X = RNG.normal(0, 50, (1, 3, 32, 40)).astype(np.float32)
Y = RNG.integers(0, 4, (1, 1, 32, 40))
UNSIZED = """
input: "data"
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 2 kernel_size: 3 weight_filler { type: "xavier" } } }
"""

Copy = Callable[[Any], Any]


@pytest.fixture(params=["pickle", "deepcopy"])
def again(request: pytest.FixtureRequest) -> Copy:
    return copy.deepcopy if request.param == "deepcopy" else lambda value: pickle.loads(pickle.dumps(value))


def small(**how: Any) -> Net:
    net = models.build("lite-fcn8s", classes=4, width=0.1, **how)
    for i, (_, parameter) in enumerate(net.learnable()):
        parameter.data = np.random.default_rng(i).normal(0, 0.05, parameter.shape)
    return net


def assert_same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> None:
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name])


@pytest.mark.parametrize("path", PATHS)
def test_nets(again: Copy, path: str, tmp_path: Path) -> None:
    small().save(tmp_path / "net.h5")
    net = fcnlite.load(tmp_path / "net.h5", path=path)
    net.forward(X, keep=True)
    other = again(net)
    assert_same(other.forward(X), net.forward(X))
    assert other.params.keys() == net.params.keys() and other.spec == net.spec
    other.params["conv1_1"][0].data[...] = 0
    assert net.params["conv1_1"][0].array.any()
    with pytest.raises(UnknownNameError, match="did you mean 'conv1_1'"):
        other.params["conv1-1"]
    with pytest.raises(FcnliteError, match="no forward pass"):
        again(net).backward()


def test_nets_that_share_parameters_share_them_afterwards(again: Copy) -> None:
    net, test = again([(made := small()), made.share()])
    net.params["conv1_1"][0].data *= 2
    assert_same(net.forward(X), test.forward(X))
    assert net.state.learning is test.state.learning and net.turns is not test.turns


def test_nets_without_sizes(again: Copy, tmp_path: Path) -> None:
    """Before the first pass a net can be copied, unless loaded weights wait for the sizes of their layers."""
    net = Net(caffe.parse_net(UNSIZED))
    assert_same(again(net).forward(X), net.forward(X))
    (tmp_path / "net.prototxt").write_text(UNSIZED)
    net.save(tmp_path / "net.h5")
    loaded = fcnlite.load(tmp_path / "net.h5")
    with pytest.raises(FcnliteError, match="call forward with all inputs first"):
        again(loaded)
    expected = loaded.forward(X)
    assert_same(again(loaded).forward(X), expected)


@pytest.mark.parametrize("path", PATHS)
def test_solvers_go_on_alike(again: Copy, path: str) -> None:
    solver = SGD(small(phase="TRAIN", path=path), base_lr=1e-3, momentum=0.9, average_loss=3, lr_policy="fixed")
    for _ in range(2):
        solver.step(data=X, label=Y)
    other = again(solver)
    assert [solver.step(data=X, label=Y) for _ in range(3)] == [other.step(data=X, label=Y) for _ in range(3)]
    assert other.smoothed_loss == solver.smoothed_loss and other.iteration == 5
    for name, parameters in solver.net.params.items():
        for ours, theirs in zip(parameters, other.net.params[name], strict=True):
            np.testing.assert_array_equal(ours.array, theirs.array)


def test_solvers_of_files(again: Copy, tmp_path: Path) -> None:
    (tmp_path / "net.prototxt").write_text(caffe.write_net(small().spec))
    (tmp_path / "solver.prototxt").write_text(
        'net: "net.prototxt" base_lr: 0.01 lr_policy: "fixed" test_iter: 1 test_interval: 10'
    )
    with pytest.warns(UserWarning, match="zero"):  # no filler of the upsampling is in the text
        solver = fcnlite.solver.load(tmp_path / "solver.prototxt")
    for name, group in small().params.items():
        for parameter, given in zip(solver.net.params[name], group, strict=True):
            parameter.data = given.array
    solver.step(data=X, label=Y)
    for other in (again(solver), again(solver)):  # before and after the solver has made its own
        (ours,), (theirs,) = solver.test_nets, other.test_nets
        other.step(data=X, label=Y)
        with pytest.raises(AssertionError):
            assert_same(ours.forward(X), theirs.forward(X))
        assert_same(theirs.forward(X), other.net.share().forward(X))


def test_segmenters(again: Copy) -> None:
    segment = Segmenter(small())
    image = RNG.integers(0, 256, (40, 48, 3), np.uint8)
    other = again(segment)
    np.testing.assert_array_equal(other(image), segment(image))
    assert other.classes == segment.classes and other.colors == segment.colors


@pytest.mark.parametrize("options", [{}, {"masks": "nonzero"}, {"colors": "colors.txt"}])
def test_folders(again: Copy, tmp_path: Path, options: dict[str, Any]) -> None:
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    table = np.array([[0, 0, 0], [200, 0, 0]], np.uint8)
    (tmp_path / "colors.txt").write_text("0 0 0 sky\n200 0 0 road\n")
    for i in range(4):
        label = RNG.integers(0, 2, (20, 30), np.uint8)
        Image.fromarray(RNG.integers(0, 256, (20, 30, 3), np.uint8)).save(tmp_path / "images" / f"p{i}.png")
        Image.fromarray(table[label] if "colors" in options else label).save(tmp_path / "labels" / f"p{i}.png")
    if "colors" not in options:
        (tmp_path / "colors.txt").unlink()
    assert_same_samples(data.open("folder", tmp_path, "train", val=0.5, **options), again)


def test_generated_shapes(again: Copy) -> None:
    assert_same_samples(data.open("shapes", None, "train"), again)


def assert_same_samples(dataset: data.Dataset, again: Copy) -> None:
    other = again(dataset)
    assert len(other) == len(dataset) and other.classes == dataset.classes and other.colors == dataset.colors
    for sample in (other[0], again(dataset[0])):
        assert sample.name == dataset[0].name
        np.testing.assert_array_equal(sample.image, dataset[0].image)
        np.testing.assert_array_equal(sample.label, dataset[0].label)
    loaders = [data.Loader(each, batch_size=2, preprocessing=Preprocessing()) for each in (dataset, other)]
    batches = [next(iter(again(each).batches())) for each in loaders]
    assert_same(*batches)


def test_values(again: Copy) -> None:
    net = small()
    counts = confusion(Y[0, 0].astype(np.uint8), Y[0, 0].astype(np.uint8), 4)
    finding = Finding("id", "note", "what", "mend")
    for value in (net.spec, net.info, ModelInfo(classes=("a", "b")), finding, Preprocessing(), net.spec.layers[0]):
        assert again(value) == value
    metrics = Metrics.from_matrix(counts)
    assert again(metrics) == metrics and metrics.mean_iu == 1


def test_layers_and_parameters(again: Copy) -> None:
    net = models.build("lite-fcn8s", classes=4, width=0.1, seed=3)  # whose first values are not drawn yet
    parameter = net.params["conv1_1"][0]
    np.testing.assert_array_equal(again(parameter).array, parameter.array)
    assert again(net.params).keys() == net.params.keys()
    for layer in net.layers:
        other = again(layer)
        assert (other.spec, other.options, other.phase) == (layer.spec, layer.options, layer.phase)


def test_errors(again: Copy) -> None:
    for error in (FcnliteError("what was found"), UnknownNameError("no layer is called 'a'.")):
        assert type(again(error)) is type(error) and str(again(error)) == str(error)

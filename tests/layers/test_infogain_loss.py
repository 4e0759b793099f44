"""InfogainLoss: the logistic loss with class weights in a matrix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from fcnlite.arrays import Array
from fcnlite.errors import FcnliteError, FileError, ShapeError, SpecError
from fcnlite.formats.caffe import parse_net, read_net
from fcnlite.formats.caffe.schema import message_class
from fcnlite.net import Net
from tests.layers.single import LABELS, SCORES, compute, gradients, normal, one

MATRIX = normal(4, 4, seed=9)
"""A row for each true class; not symmetric."""

NORMALIZATIONS: list[tuple[dict[str, Any], int]] = [
    ({}, 20),
    ({"normalization": "VALID"}, 20),
    ({"normalization": "FULL"}, 30),
    ({"normalization": "BATCH_SIZE"}, 2),
    ({"normalization": "NONE"}, 1),
    ({"normalize": False}, 2),
    ({"normalize": True}, 20),
]


def partly_ignored() -> Array:
    """Labels of which a third, 10 of 30, is 255."""
    labels = LABELS.copy()
    labels[0, :2] = 255
    return labels


def options_of(matrix: Array, **others: Any) -> dict[str, Any]:
    return {"matrix": matrix.ravel().tolist(), **others}


@pytest.mark.parametrize(("options", "divisor"), NORMALIZATIONS)
def test_the_loss_is_the_weighted_sum_of_all_logarithms(options: dict[str, Any], divisor: int) -> None:
    labels, shapes = partly_ignored(), [SCORES.shape, LABELS.shape]
    weights = np.where(labels[..., None] == 255, 0, MATRIX[labels % 255 % 4])  # N×H×W×classes
    expected = -np.einsum("nyxk,nkyx", weights, log_softmax(SCORES, 1)) / divisor
    options = options_of(MATRIX, ignore_label=255, **options)
    loss, p = compute("InfogainLoss", [SCORES, labels], options, tops=2)
    assert loss.shape == ()
    assert loss == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(p, softmax(SCORES, 1), rtol=1e-12)

    dx, dlabel = gradients(one("InfogainLoss", shapes, options), [SCORES, labels])
    expected_dx = p * weights.sum(-1)[:, None] - np.moveaxis(weights, -1, 1)
    np.testing.assert_allclose(dx, expected_dx / divisor, rtol=1e-11, atol=1e-14)
    assert not dlabel.any()


@pytest.mark.parametrize(("options", "divisor"), NORMALIZATIONS)
def test_with_the_identity_it_is_softmax_with_loss(options: dict[str, Any], divisor: int) -> None:
    labels, shapes = partly_ignored(), [SCORES.shape, LABELS.shape]
    options = {"ignore_label": 255, **options}
    infogain = one("InfogainLoss", shapes, options_of(np.eye(4), **options))
    ordinary = one("SoftmaxWithLoss", shapes, options)
    for ours, theirs in zip(gradients(infogain, [SCORES, labels]), gradients(ordinary, [SCORES, labels]), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-15)
    assert infogain.loss == pytest.approx(ordinary.loss, rel=1e-12)


def test_weights_on_the_diagonal_balance_the_classes() -> None:
    """With 1 over a class's pixels as its weight, each class adds the mean loss of its own pixels."""
    counts = np.bincount(LABELS.ravel(), minlength=4)
    losses = -np.take_along_axis(log_softmax(SCORES, 1), LABELS[:, None], 1)[:, 0]
    of_classes = [losses[each == LABELS].mean() for each in range(4)]
    (loss,) = compute("InfogainLoss", [SCORES, LABELS], options_of(np.diag(1 / counts), normalization="NONE"))
    assert loss == pytest.approx(sum(of_classes), rel=1e-12)


def test_the_loss_of_zero_probability_is_caffes_bound() -> None:
    """log p is bounded at log 1e-20."""
    (loss,) = compute("InfogainLoss", [[[1e4, 0.0]], [1]], options_of(np.eye(2)))
    assert loss == pytest.approx(20 * np.log(10), rel=1e-12)


@pytest.mark.parametrize(("shape", "axis"), [((4, 6), 0), ((6, 4), 1), ((2, 4, 3), -2), ((2, 3, 2, 4), 3)])
def test_classes_on_any_axis(shape: tuple[int, ...], axis: int) -> None:
    x = normal(*shape)
    last = np.moveaxis(x, axis, -1)
    labels = np.random.default_rng(2).integers(0, 4, last.shape[:-1])
    expected = -(MATRIX[labels] * log_softmax(last, -1)).sum(-1).mean()
    (loss,) = compute("InfogainLoss", [x, labels], options_of(MATRIX, axis=axis))
    assert loss == pytest.approx(expected, rel=1e-12)


# Where the matrix comes from


@pytest.mark.parametrize("shape", [(4, 4), (1, 1, 4, 4), (16,)])
def test_a_third_bottom_is_the_matrix(shape: tuple[int, ...]) -> None:
    (expected,) = compute("InfogainLoss", [SCORES, LABELS], options_of(MATRIX))
    matrix = MATRIX.reshape(shape)
    assert compute("InfogainLoss", [SCORES, LABELS, matrix])[0] == expected
    net = one("InfogainLoss", [SCORES.shape, LABELS.shape, shape])
    _, _, dmatrix = gradients(net, [SCORES, LABELS, matrix])
    np.testing.assert_array_equal(dmatrix, np.zeros(shape))


PROTOTXT = """
input: "x0" input_shape { dim: 2 dim: 4 dim: 3 dim: 5 }
input: "x1" input_shape { dim: 2 dim: 3 dim: 5 }
layer { name: "balanced" type: "InfogainLoss" bottom: "x0" bottom: "x1" top: "y0"
        infogain_loss_param { source: "matrix.binaryproto" } }
"""


def write_matrix(folder: Path, matrix: Array, **fields: Any) -> Path:
    """`matrix.binaryproto` and a prototxt that names it; returns the prototxt."""
    blob = message_class("BlobProto")(data=matrix.ravel().tolist(), **fields)
    (folder / "matrix.binaryproto").write_bytes(blob.SerializeToString())
    path = folder / "net.prototxt"
    path.write_text(PROTOTXT)
    return path


@pytest.mark.parametrize(
    "fields", [{"shape": {"dim": [4, 4]}}, {"shape": {"dim": [16]}}, {"num": 1, "channels": 1, "height": 4, "width": 4}]
)
def test_a_file_beside_the_prototxt_is_the_matrix(fields: dict[str, Any], tmp_path: Path) -> None:
    spec = read_net(write_matrix(tmp_path, MATRIX, **fields))
    (expected,) = compute("InfogainLoss", [SCORES, LABELS], options_of(MATRIX.astype(np.float32)))
    found = Net(spec, path="plain", dtype="float64").forward(x0=SCORES, x1=LABELS)["y0"]
    assert found == expected


def test_a_file_in_the_working_directory_is_the_matrix_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = write_matrix(tmp_path, MATRIX, shape={"dim": [4, 4]})
    beside = read_net(written)
    (tmp_path / "elsewhere").mkdir()
    moved = written.rename(tmp_path / "elsewhere" / "net.prototxt")
    monkeypatch.chdir(tmp_path)
    assert read_net(moved) == beside


def test_a_matrix_file_that_does_not_fit_is_named(tmp_path: Path) -> None:
    path = write_matrix(tmp_path, np.eye(3), shape={"dim": [3, 3]})
    with pytest.raises(ShapeError, match=r"'balanced' .InfogainLoss.: the matrix has 9 values; expected 16"):
        Net(read_net(path))
    (tmp_path / "matrix.binaryproto").write_bytes(b"1 0 0 1")
    with pytest.raises(FileError, match=r"matrix\.binaryproto: is not a binaryproto"):
        read_net(path)
    (tmp_path / "matrix.binaryproto").unlink()
    with pytest.raises(FileError, match=r"net\.prototxt: 'matrix\.binaryproto'.*not at"):
        read_net(path)


def test_a_matrix_file_that_was_not_read_is_named() -> None:
    with pytest.raises(SpecError, match=r"'balanced' .InfogainLoss.: source 'matrix\.binaryproto' was not read"):
        Net(parse_net(PROTOTXT))


@pytest.mark.parametrize(
    ("shapes", "options", "words"),
    [
        ([(2, 3), (2,)], {}, "the matrix once"),
        ([(2, 3), (2,), (3, 3)], options_of(np.eye(3)), "the matrix once"),
        ([(2, 3), (2,)], options_of(np.eye(2)), "the matrix has 4 values; expected 9 for 3 classes"),
        ([(2, 3), (2,), (3, 2)], {}, "the matrix has 6 values; expected 9 for 3 classes"),
        ([(2, 3), (2,)], {"matrix": ["a"]}, "matrix: "),
        ([(2, 3), (2,)], options_of(np.eye(3), axis=2), "axis 2"),
    ],
)
def test_matrices_that_do_not_fit_are_named(shapes: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(FcnliteError, match=f"'layer' .InfogainLoss.: .*{words}"):
        one("InfogainLoss", shapes, options)

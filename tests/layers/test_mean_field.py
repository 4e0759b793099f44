"""The mean field of a dense CRF and its lattice, against the lattice in Python, Gaussian sums, and the formula."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fcnlite
from fcnlite import layers
from fcnlite._kernels import permutohedral as kernels
from fcnlite.arrays import Array
from fcnlite.errors import DataError, ShapeError, SpecError
from fcnlite.formats import caffe, interop
from fcnlite.formats.caffe import parse_net
from fcnlite.layers.forks.permutohedral import Lattice
from fcnlite.net import Net

THETAS = {"theta_alpha": 4.0, "theta_beta": 1.5, "theta_gamma": 1.5}


def gaussian(points: Array) -> Array:
    """exp(−|p_i − p_j|² / 2) for all pairs."""
    return np.asarray(np.exp(-np.square(points[:, None] - points).sum(-1) / 2))


def lattice_matrix(points: Array) -> Array:
    """The filter as a matrix, by the definition of the lattice: coordinates in a dictionary, simplices by search.

    The lattice is all integer vectors of d + 1 coordinates with sum 0 that are equal modulo d + 1. The simplices around
    a vertex are its sums with the canonical simplex, whose coordinates are permuted.
    """
    count, d = points.shape
    scale = np.sqrt(2 / 3) * (d + 1) / np.sqrt(np.arange(1, d + 1) * np.arange(2, d + 2))
    basis = np.triu(np.ones((d + 1, d)))
    basis[np.arange(1, d + 1), np.arange(d)] = -np.arange(1, d + 1)
    elevated = ((points * scale) @ basis.T).round(13)  # so that equal coordinates are equal
    grid: dict[tuple[int, ...], int] = {}
    share = np.zeros((count, count * (d + 1)))
    for n, place in enumerate(elevated):
        for vertex, weight in _corners(place, d):
            share[n, grid.setdefault(vertex, len(grid))] += weight
    share = share[:, : len(grid)]
    result = share.T
    for j in range(d + 1):
        step = np.where(np.arange(d + 1) == j, -d, 1)
        blur = np.eye(len(grid))
        for vertex, number in grid.items():
            for sign in (-1, 1):
                other = grid.get(tuple(np.array(vertex) + sign * step))
                if other is not None:
                    blur[number, other] = 0.5
        result = blur @ result
    return np.asarray(share @ result / (1 + 2.0**-d))


def _corners(place: Array, d: int) -> list[tuple[tuple[int, ...], float]]:
    """The vertices of the simplex that contains a place, with the barycentric coordinates.

    If several contain it, the one around the nearest vertex of multiples of d + 1, and then the one whose first
    coordinates are larger, as in the kernel.
    """
    near = np.floor(place / (d + 1)).astype(int)
    origins = [(near + up) * (d + 1) for up in product((1, 0), repeat=d + 1)]
    distances = [np.square(place - each).sum().round(9) for each in origins]
    for k in np.argsort(distances, kind="stable"):
        origin = origins[k]
        if origin.sum() != 0:
            continue
        order = np.argsort(-(place - origin), kind="stable")
        corners = [origin]
        for i in range(d):  # one coordinate after the other falls behind the d + 1 others' step of 1
            corners.append(corners[-1] + 1)
            corners[-1][order[d - i]] -= d + 1
        system = np.vstack([np.array(corners).T, np.ones(d + 1)])
        weights = np.linalg.lstsq(system, np.append(place, 1.0), rcond=None)[0]
        if weights.min() > -1e-9:
            return [(tuple(map(int, each)), float(weight)) for each, weight in zip(corners, weights, strict=True)]
    raise AssertionError("no simplex contains the place")


@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_the_kernel_is_the_lattice_by_its_definition(d: int) -> None:
    points = np.random.default_rng(d).uniform(-2, 3, (40, d))
    lattice = Lattice.of(points, np.dtype(float))
    assert lattice.weights.min() > -1e-12
    np.testing.assert_allclose(lattice.weights.sum(axis=1), 1, atol=1e-12)
    expected = lattice_matrix(points)
    np.testing.assert_allclose(lattice.filter(np.eye(40)).T, expected, atol=1e-12)
    np.testing.assert_allclose(lattice.filter(np.eye(40), transposed=True), expected, atol=1e-12)


@settings(max_examples=30)
@given(
    d=st.integers(1, 8),
    count=st.integers(1, 30),
    channels=st.integers(1, 19),
    seed=st.integers(0, 99),
    single=st.booleans(),
)
def test_the_filter_is_linear_and_its_transpose_exact(
    d: int, count: int, channels: int, seed: int, single: bool
) -> None:
    dtype, rng = np.dtype(np.float32 if single else float), np.random.default_rng(seed)
    lattice = Lattice.of(rng.normal(size=(count, d)) * rng.choice([0.1, 1, 30]), dtype)
    x, y = rng.normal(size=(2, channels, count)).astype(dtype)
    bar = 1e-5 if single else 1e-12
    both = lattice.filter(x) + 2 * lattice.filter(y)
    np.testing.assert_allclose(lattice.filter(x + 2 * y), both, atol=bar * np.abs(both).max())
    products = [(lattice.filter(x) * y).sum(), (x * lattice.filter(y, transposed=True)).sum()]
    assert abs(products[0] - products[1]) <= bar * np.abs(lattice.filter(np.abs(x)) * np.abs(y)).sum()
    for threads in (1, 3):
        out = np.empty_like(x)
        scratch = np.empty(kernels.filter_scratch(len(lattice.neighbours), threads), dtype)
        kernels.filtered(x, lattice.vertices, lattice.weights, lattice.neighbours, out, False, scratch, threads)
        np.testing.assert_array_equal(out, lattice.filter(x))


@pytest.mark.parametrize(("d", "spread", "worst"), [(2, 10.0, 0.02), (3, 4.0, 0.02), (5, 2.0, 0.02), (5, 4.0, 0.06)])
def test_means_are_close_to_those_of_gaussians(d: int, spread: float, worst: float) -> None:
    """Of values from 0 to 1; the farther apart the points, the larger the error of the lattice."""
    rng = np.random.default_rng(0)
    points, x = rng.uniform(0, spread, (1500, d)), rng.random((2, 1500))
    lattice, k, ones = Lattice.of(points, np.dtype(float)), gaussian(points), np.ones((1, 1500))
    error = np.abs(lattice.filter(x) / lattice.filter(ones) - x @ k / k.sum(axis=0)).max()
    assert worst / 10 < error < worst


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(axis=0))
    return np.asarray(e / e.sum(axis=0))


def by_formula(unary: Array, first: Array, picture: Array, params: list[Array], iterations: int, kernel: Any) -> Array:
    """The scores of one picture, C×H×W, with dense matrices of the weights between pixels."""
    c, h, w = unary.shape
    place = np.array([(x, y) for y in range(h) for x in range(w)], float)
    colour = picture.reshape(3, -1).T
    kernels = [
        kernel(place / THETAS["theta_gamma"]),
        kernel(np.hstack([place / THETAS["theta_alpha"], colour / THETAS["theta_beta"]])),
    ]
    means = [each / each.sum(axis=1, keepdims=True) for each in kernels]
    y = first.reshape(c, -1)
    for _ in range(iterations):
        q = softmax(y)
        message = sum(weight[0, 0] @ q @ mean.T for weight, mean in zip(params, means, strict=False))
        y = unary.reshape(c, -1) - params[2][0, 0] @ message
    return np.asarray(y.reshape(unary.shape))


def test_mean_field_by_its_formula() -> None:
    rng = np.random.default_rng(1)
    unary, first = rng.normal(size=(2, 2, 3, 5, 6))
    picture = rng.normal(size=(2, 3, 5, 6))
    params = [rng.normal(size=(1, 1, 3, 3)) for _ in range(3)]
    found = layers.apply("MultiStageMeanfield", unary, first, picture, params=params, num_iterations=3, **THETAS).top
    for n in range(2):
        expected = by_formula(unary[n], first[n], picture[n], params, 3, lattice_matrix)
        np.testing.assert_allclose(found[n], expected, atol=1e-10)


def test_mean_field_is_close_to_the_one_with_gaussian_sums() -> None:
    """Two regions of colour, scores with noise: the lattice's error in probability stays small."""
    rng = np.random.default_rng(2)
    inside = np.hypot(*np.indices((24, 24)) - 11.5) < 7
    picture = np.where(inside, 4.0, -4.0) + rng.normal(size=(1, 3, 24, 24)) * 0.5
    unary = np.stack([~inside, inside]) * 0.5 + rng.normal(size=(1, 2, 24, 24))
    found = layers.apply("MultiStageMeanfield", unary, unary, picture, num_iterations=5, **THETAS)
    params = [np.eye(2)[None, None] * each for each in (3.0, 5.0, -1.0)]
    for each, expected in zip(found.params, params, strict=True):
        np.testing.assert_array_equal(each, expected)
    exact = by_formula(unary[0], unary[0], picture[0], params, 5, gaussian)
    assert np.abs(softmax(found.top[0]) - softmax(exact)).max() < 0.05
    np.testing.assert_array_equal(found.top[0].argmax(0), inside)
    assert (unary[0].argmax(0) != inside).mean() > 0.2


CRF = """input: "data" input_dim: 1 input_dim: 3 input_dim: 12 input_dim: 14
layer { name: "conv" type: "Convolution" bottom: "data" top: "coarse"
        convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "msra" } } }
layer { type: 'Split' name: 'splitting' bottom: 'coarse' top: 'unary' top: 'Q0' }
layer { name: "inference1" type: "MultiStageMeanfield" bottom: "unary" bottom: "Q0" bottom: "data" top: "pred"
        param { lr_mult: 10000 } param { lr_mult: 10000 } param { lr_mult: 1000 }
        multi_stage_meanfield_param { num_iterations: 5 compatibility_mode: POTTS threshold: 2 theta_alpha: 160
          theta_beta: 3 theta_gamma: 3 %s } }"""


def test_a_net_of_the_authors_form(tmp_path: Path) -> None:
    """Both paths, forward and backward, with weights from a caffemodel; written in our format only."""
    x = np.random.default_rng(0).normal(size=(1, 3, 12, 14)) * 20
    spec = parse_net(CRF % 'spatial_filter_weights_str: "3 2 1 4 9" bilateral_filter_weight: 5')
    first = Net(spec, seed=0)
    np.testing.assert_array_equal(first.params["inference1"][0].data[0, 0], np.diag([3, 2, 1, 4]))
    np.testing.assert_array_equal(first.params["inference1"][1].data[0, 0], 5 * np.eye(4))
    weights = {name: [each.data * 1.25 for each in params] for name, params in first.params.items()}
    caffe.write_weights(tmp_path / "net.caffemodel", weights)
    (tmp_path / "net.prototxt").write_text(CRF % "")
    found = []
    for path in ("fast", "plain"):
        net = fcnlite.load(
            tmp_path / "net.prototxt", tmp_path / "net.caffemodel", path=path, phase="TRAIN", mean=(104, 117, 123)
        )
        np.testing.assert_array_equal(net.params["inference1"][2].data[0, 0], -1.25 * np.eye(4))
        top = net.forward(data=x, keep=True)["pred"]
        net.backward(pred=np.cos(np.arange(top.size)).reshape(top.shape))
        found.append([top, *(each.grad.copy() for name in ("conv", "inference1") for each in net.params[name])])
    for fast, plain in zip(*found, strict=True):
        np.testing.assert_allclose(fast, plain, rtol=1e-4, atol=1e-4 * np.abs(plain).max())
    assert all(np.abs(each).max() > 0 for each in found[0])
    net.save(tmp_path / "net.h5")
    np.testing.assert_allclose(fcnlite.load(tmp_path / "net.h5").forward(data=x)["pred"], found[0][0], rtol=1e-5)
    with pytest.raises(SpecError, match=r"'inference1'.*Caffe has no layer of this type"):
        caffe.save(net, tmp_path / "out.prototxt", tmp_path / "out.caffemodel")
    with pytest.raises(SpecError, match=r"'inference1'.*ONNX"):
        interop.save_onnx(net, tmp_path / "out.onnx")
    assert not list(tmp_path.glob("out*"))


def test_the_first_release_of_the_fork_in_v1() -> None:
    text = """input: "data" input_dim: 1 input_dim: 3 input_dim: 6 input_dim: 7
    layers { name: "c" type: CONVOLUTION bottom: "data" top: "c" convolution_param { num_output: 2 kernel_size: 1 } }
    layers { name: "crf" type: MULTI_STAGE_MEANFIELD bottom: "c" bottom: "c" bottom: "data" top: "pred"
      blobs_lr: 0.001 blobs_lr: 0.001 blobs_lr: 0.01
      multi_stage_meanfield_param { num_iterations: 5 compatibility_mode: POTTS threshold: 2 theta_alpha: 160
        theta_beta: 3 theta_gamma: 3 spatial_filter_weight: 7 bilateral_filter_weight: 5 } }"""
    net = Net(parse_net(text))
    np.testing.assert_array_equal(net.params["crf"][0].data[0, 0], 7 * np.eye(2))
    assert net.params["crf"][2].lr_mult == 0.01


def test_refusals() -> None:
    scores, picture = np.zeros((1, 2, 3, 3)), np.zeros((1, 3, 3, 3))
    good = {"num_iterations": 2, **THETAS}

    def refused(error: type[Exception], words: str, *bottom: Array, **options: Any) -> None:
        with pytest.raises(error, match=words):
            layers.apply("MultiStageMeanfield", *bottom or (scores, scores, picture), **options)

    refused(SpecError, "num_iterations is missing", **THETAS)
    refused(SpecError, "num_iterations is 1; expected 2", **{**good, "num_iterations": 1})
    refused(SpecError, "theta_beta is 0; expected a number above 0", **{**good, "theta_beta": 0.0})
    refused(
        SpecError,
        "spatial_filter_weights_str is '3 x'; expected a number for each",
        **good,
        spatial_filter_weights_str="3 x",
    )
    refused(SpecError, "whose first matrix is in the code of one fork", **good, compatibility_mode="CUSTOM")
    wide = np.zeros((1, 3, 3, 3))
    refused(ShapeError, "are 2 numbers for 3 classes", wide, wide, picture, **good, bilateral_filter_weights_str="3 3")
    refused(ShapeError, r"a picture of 1×3×3×3, found", scores, scores, np.zeros((1, 1, 3, 3)), **good)
    for value in (np.nan, 1e30):
        refused(DataError, "not finite or very large", scores, scores, np.full((1, 3, 3, 3), value), **good)

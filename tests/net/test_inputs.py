"""Inputs: names, shapes and sizes, and that the given arrays stay unchanged."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcnlite.errors import DataError, FcnliteError, ShapeError, SpecError
from fcnlite.formats.caffe import parse_net
from fcnlite.net import Net
from tests.net.nets import conv, data, labels, layer, net_of, picture, small


@settings(max_examples=15)
@given(sizes=st.lists(st.tuples(st.integers(2, 20), st.integers(2, 20), st.integers(1, 3)), min_size=2, max_size=4))
def test_any_size_at_every_call(sizes: list[tuple[int, int, int]]) -> None:
    net = small()
    for height, width, batch in sizes:
        x = picture(2 * height, 2 * width, batch)
        score = net.forward(data=x)["score"]
        assert score.shape == (batch, 3, 2 * height, 2 * width)
        np.testing.assert_array_equal(score, small().forward(data=x)["score"])  # nothing lingers


def test_layers_without_their_inputs_are_left_out() -> None:
    net = small()
    assert set(net.forward(data=picture())) == {"score"}
    assert set(net.forward(data=picture(), label=labels())) == {"loss"}
    assert set(net.forward(data=picture(), keep=True)) == {"score"}


def test_nothing_to_run_is_an_error() -> None:
    with pytest.raises(SpecError, match=r"label"):
        small().forward(label=labels())
    with pytest.raises(SpecError, match=r"data"):
        small().forward()


def test_a_mapping_serves_names_that_are_not_identifiers() -> None:
    net = net_of(data(1, 2, 3, 3, name="the-data"), conv("a/b", "the-data"))
    assert set(net.forward({"the-data": np.ones((1, 2, 3, 3))})) == {"a/b"}


def test_a_blob_called_like_an_argument() -> None:
    net = net_of(data(1, 2, 3, 3, name="inputs"), conv("keep", "inputs"))
    assert set(net.forward(inputs=np.ones((1, 2, 3, 3)))) == {"keep"}
    assert set(net.forward({"inputs": np.ones((1, 2, 3, 3))}, outputs=["keep"])) == {"keep"}


def test_unneeded_inputs_may_be_fed() -> None:
    assert set(small().forward(data=picture(), label=labels(), outputs=["score"])) == {"score"}


def test_a_bad_input_names_itself() -> None:
    net = small()
    for wrong in ("text", None, [[1, 2], [3]], np.array([object()])):
        with pytest.raises(FcnliteError, match=r"'data'"):
            net.forward(data=wrong)
    with pytest.raises(ShapeError, match=r"'conv1'.*data 1×3×9×9"):
        net.forward(data=np.zeros((1, 3, 9, 9)))
    with pytest.raises(ShapeError, match=r"'conv1'.*data 2×9×9"):
        net.forward(data=np.zeros((2, 9, 9)))
    with pytest.raises(ShapeError, match=r"'loss'.*score 1×3×9×9.*label 1×8×9"):
        net.forward(data=picture(), label=labels(8, 9))
    with pytest.raises(DataError, match=r"'loss'.*7"):
        net.forward(data=picture(), label=np.full((1, 9, 9), 7))
    assert set(net.forward(data=picture())) == {"score"}  # the errors left nothing behind


def test_shapes_that_do_not_fit_are_found_at_every_call() -> None:
    net = small()
    for _ in range(2):
        net.forward(data=picture(), label=labels())
        with pytest.raises(ShapeError, match=r"'loss'.*score 1×3×8×9.*label 1×9×9"):
            net.forward(data=picture(8, 9), label=labels())


def test_an_empty_input_is_an_error() -> None:
    for shape in ((0, 2, 9, 9), (1, 2, 0, 9)):
        with pytest.raises(ShapeError, match=rf"'data'.*{'×'.join(map(str, shape))}"):
            small().forward(data=np.zeros(shape))


def test_fed_arrays_are_never_written() -> None:
    """Not even by a layer that works in place on the input."""
    net = net_of(data(1, 2, 3, 3), layer("relu", "ReLU", "data", "data"), conv("score", "data"), phase="TRAIN")
    x = np.random.default_rng(0).normal(size=(1, 2, 3, 3))
    before = x.copy()
    for keep in (False, True):
        net.forward(data=x, keep=keep)
    net.backward(score=np.ones((1, 2, 3, 3)), wrt=["data"])
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(net.forward(data=x, outputs=["data"])["data"], np.maximum(x, 0))
    np.testing.assert_array_equal(x, before)


def test_the_only_picture_needs_no_name() -> None:
    net, x = small(), picture()
    expected = net.forward(data=x)
    for made in (net.forward(x), net(x), net(x.tolist()), net(data=x), net({"data": x})):
        assert made.keys() == expected.keys()
        for name, array in made.items():
            np.testing.assert_array_equal(array, expected[name])
    blobs = {"label": labels()}
    assert net(x, **blobs, keep=True) == net.forward(data=x, **blobs)
    assert list(net(x, outputs=["conv1"])) == ["conv1"]
    with pytest.raises(SpecError, match=r"input 'data' was given twice"):
        net.forward(x, data=x)
    with pytest.raises(SpecError, match=r"input 'data' has dtype"):
        net("data")


def test_pictures_of_a_net_of_several_need_their_names() -> None:
    net = Net(
        parse_net("""
        input: "color" input: "depth"
        layer { name: "sum" type: "Eltwise" bottom: "color" bottom: "depth" top: "sum" }
        """)
    )
    with pytest.raises(SpecError, match=r"has 2: 'color', 'depth'; give each input by its name"):
        net.forward(picture())


def test_parameters_wait_for_a_size_that_the_description_lacks() -> None:
    net = net_of(layer("data", "Input"), conv("a", "data"))
    with pytest.raises(ShapeError, match=r"data"):
        _ = net.params
    assert net.forward(data=np.ones((1, 5, 3, 3)))["a"].shape == (1, 2, 3, 3)
    assert net.params["a"][0].shape == (2, 5, 1, 1)


def test_inputs_without_shapes_may_be_fed_in_turns() -> None:
    text = "".join(
        f'layer {{ name: "{name}" type: "Input" top: "{name}" }}'
        f'layer {{ name: "conv_{name}" type: "Convolution" bottom: "{name}" top: "y_{name}" '
        f'convolution_param {{ num_output: 2 kernel_size: 1 }} param {{ name: "w" }} }}'
        for name in ("a", "b")
    )
    net = Net(parse_net(text))
    x = np.zeros((1, 3, 2, 2))
    net.forward(a=x)
    owner = net.params["conv_a"][0]
    assert net.forward(a=x, b=x).keys() == {"y_a", "y_b"}
    assert net.params["conv_a"][0] is owner
    assert net.params["conv_b"][0] is owner

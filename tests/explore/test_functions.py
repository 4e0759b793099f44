"""What the page shows are the engine's numbers: each answer is compared with the public interface."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import fcnlite
from fcnlite import caffe, metrics
from fcnlite.analysis import receptive_fields
from fcnlite.data.shapes import Shapes
from fcnlite.data.transforms import to_blob
from fcnlite.errors import DataError, FcnliteError
from fcnlite.explore import inference
from fcnlite.explore.inference.layout import Edge, Node, place
from fcnlite.explore.messages import pack
from fcnlite.net import Net
from tests.explore import wrong_uploads
from tests.explore.chinese import in_chinese
from tests.explore.conftest import Functions, png
from tests.explore.nets import skip_net
from tests.explore.wrong_uploads import Upload

WEIGHTS = Path(__file__).parents[2] / "weights"
SHAPES = WEIGHTS / "shapes-fcn8s.h5"


def blob_of(net: Net, picture: np.ndarray) -> np.ndarray:
    return to_blob(picture, net.info.preprocessing)[None]


# Segmentation


def test_the_sample_is_segmented_as_a_segmenter_does(shapes: Functions) -> None:
    sample = Shapes("test", size=320, scene=True)[0]
    opened, found = shapes["current"](), shapes["segment"]()
    np.testing.assert_array_equal(opened["pixels"], sample.images["data"])
    np.testing.assert_array_equal(opened["truth"], sample.labels["label"])
    segmenter = fcnlite.Segmenter(SHAPES)
    expected = segmenter(sample.images["data"])
    np.testing.assert_array_equal(found["labels"], expected)
    assert found["counts"].sum() == expected.size
    figures = metrics.Metrics.from_matrix(metrics.confusion(sample.labels["label"], expected, 6))
    assert found["metrics"]["mean_iu"] == figures.mean_iu > 0.8
    named = [layer for step in found["steps"] for layer in step["layers"]]
    assert {"conv1_1", "score_fr", "upscore8"} <= set(named) and all(step["ms"] > 0 for step in found["steps"])
    chances = segmenter.probabilities(sample.images["data"])
    here = shapes["probabilities"](row=100, column=240)
    np.testing.assert_allclose(here["probabilities"], chances[:, 100, 240], rtol=1e-5)
    assert here["truth"] == sample.labels["label"][100, 240]
    entropy = shapes["entropy"]()["entropy"]
    p = chances[:, 100, 240].astype(float)
    assert entropy[100, 240] == pytest.approx(-(p * np.log(p)).sum() / np.log(6), abs=1e-4)
    assert entropy.min() >= 0 and entropy.max() <= 1 + 1e-6


def test_every_answer_fits_into_a_message(functions: Functions) -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        ("state", {}),
        ("segment", {}),
        ("entropy", {}),
        ("graph", {}),
        ("describe", {"layer": "conv1"}),
        ("activations", {"layer": "pool2"}),
        ("filters", {"layer": "conv1", "output": 1}),
        ("gradients", {"layer": "conv1", "of": 1}),
        ("field", {"layer": "pool1", "row": 3, "column": 4}),
        ("why", {"row": 3, "column": 4, "of": 1}),
        ("contributions", {"row": 3, "column": 4}),
        ("cuts", {}),
        ("kernels", {}),
        *(("number", {"layer": name, "channel": 0, "row": 1, "column": 1}) for name in ("conv1", "pool2", "upscore")),
    ]
    for name, arguments in calls:
        pack(functions[name](**arguments))


def test_a_truth_gives_metrics_and_another_size_takes_it_along(functions: Functions, picture: np.ndarray) -> None:
    truth = np.random.default_rng(0).integers(0, 3, picture.shape[:2], dtype=np.uint8)
    truth[0] = 255
    assert functions["segment"]()["metrics"] is None
    functions["truth"](name="label.png", content=png(truth))
    found = functions["segment"]()
    expected = metrics.Metrics.from_matrix(metrics.confusion(truth, found["labels"], 3))
    assert found["metrics"]["pixel_accuracy"] == expected.pixel_accuracy
    opened = functions["resize"](height=74, width=100)
    np.testing.assert_array_equal(opened["truth"], truth.repeat(2, 0).repeat(2, 1))
    assert functions["segment"]()["labels"].shape == (74, 100)
    np.testing.assert_array_equal(functions["resize"](height=37, width=50)["pixels"], picture)


def test_weights_are_chosen_by_name_only() -> None:
    made = inference.functions()
    assert made["state"]()["choices"][0] == "shapes-fcn8s"
    with pytest.raises(DataError, match="not among the choices"):
        made["choose"](model="../secret")


def test_the_picture_stays_open_when_the_net_changes(picture: np.ndarray) -> None:
    made = inference.functions()
    made["upload"](name="p.png", content=png(picture))
    truth = np.full(picture.shape[:2], 5, np.uint8)
    made["truth"](name="t.png", content=png(truth))
    assert made["choose"](model="em-membrane-fcn8s")["classes"] == ["membrane", "cell"]
    assert made["current"]()["truth"] is None  # its numbers mean other classes
    np.testing.assert_array_equal(made["current"]()["pixels"], picture)
    expected = fcnlite.Segmenter(WEIGHTS / "em-membrane-fcn8s.h5")(picture)
    np.testing.assert_array_equal(made["segment"]()["labels"], expected)
    made["choose"](model="shapes-fcn8s")
    np.testing.assert_array_equal(made["current"]()["truth"], truth)


def test_a_prototxt_and_its_caffemodel(net: Net, picture: np.ndarray, tmp_path: Path) -> None:
    caffe.save(net, tmp_path / "net.prototxt", tmp_path / "w.caffemodel")
    settings = {"mean": [100, 110, 120], "scale": 0.05, "order": "BGR"}
    made = inference.functions(str(tmp_path / "net.prototxt"), str(tmp_path / "w.caffemodel"), settings)
    made["upload"](name="p.png", content=png(picture))
    np.testing.assert_array_equal(made["segment"]()["labels"], fcnlite.Segmenter(net)(picture))
    assert made["state"]()["model"] == "net.prototxt"


def test_a_classifier_shows_its_outputs_and_says_why_it_makes_no_label_map() -> None:
    made = inference.functions()
    state = made["choose"](model="shapes-classifier")
    assert not state["segments"] and "four axes" in state["reason"] and state["fixed"] == (160, 160)
    assert made["sample"]()["pixels"].shape == (160, 160, 3)
    (top,) = made["segment"]()["top"]
    assert top["blob"] == "prob" and top["value"][0] == max(top["value"])
    assert made["activations"](layer="fc8")["shape"] == [5, 1, 1]
    assert made["graph"]()["nodes"][-1]["id"] == "prob"
    with pytest.raises(DataError, match="no label maps"):
        made["cuts"]()


def test_no_message_names_a_folder(tmp_path: Path) -> None:
    (tmp_path / "broken.h5").write_bytes(b"no weights")
    with pytest.raises(FcnliteError) as found:
        inference.functions(net=str(tmp_path / "broken.h5"))["state"]()
    assert "broken.h5" in str(found.value) and str(tmp_path) not in str(found.value)
    caffe.save(fcnlite.models.build("lite-fcn8s", width=0.02), tmp_path / "n.prototxt", tmp_path / "n.caffemodel")
    with pytest.warns(UserWarning, match=r"n\.prototxt") as told:
        inference.functions(net=str(tmp_path / "n.prototxt"))["state"]()
    assert not [each for each in told if str(tmp_path) in str(each.message)]


# Graph


def test_the_graph_has_the_shapes_of_this_picture(functions: Functions, net: Net, picture: np.ndarray) -> None:
    for height, width in (picture.shape[:2], (64, 48)):
        found = functions["graph"](height=height, width=width)
        shapes = {layer.spec.name: list(tops[0]) for layer, _, tops in net.shapes({"data": (1, 3, height, width)})}
        for node in found["nodes"][1:]:
            assert node["shape"] == shapes[node["id"]]
    assert functions["graph"]()["height"] == picture.shape[0]
    nodes = {node["id"]: node for node in found["nodes"]}
    assert nodes["conv1"]["layers"] == ["conv1", "relu1"] and nodes["conv1"]["types"] == ["Convolution", "ReLU"]
    assert nodes["pool2"]["stride"] == 4 and nodes["upscore2"]["stride"] == 2
    edges = {(edge["from"], edge["to"]): edge["reference"] for edge in found["edges"]}
    assert edges["conv1", "pool1"] is False
    assert edges["data", "score"] is True and edges["score_pool1", "upscore2c"] is True
    assert edges["score_pool1", "fuse_pool1"] is False


@pytest.mark.parametrize("stages", [False, True])
@pytest.mark.parametrize("model", ["shapes-fcn8s", "camvid-fcn8s", "shapes-classifier"])
def test_nodes_do_not_overlap_and_edges_go_to_the_right(model: str, stages: bool) -> None:
    made = inference.functions()
    made["choose"](model=model)
    found = made["graph"](stages=stages)
    nodes = found["nodes"]
    for i, a in enumerate(nodes):
        assert a["x"] >= 0 and a["x"] + a["w"] <= found["size"][0] and a["y"] + a["h"] <= found["size"][1]
        for b in nodes[i + 1 :]:
            apart = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
            assert apart or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"], (a["id"], b["id"])
    where = {node["id"]: node for node in nodes}
    for edge in found["edges"]:
        assert where[edge["from"]]["x"] < where[edge["to"]]["x"]
        xs = [x for x, _ in edge["points"]]
        assert xs == sorted(xs)


def test_collapsed_stages_hold_every_layer_once(shapes: Functions) -> None:
    whole = [layer for node in shapes["graph"]()["nodes"] for layer in node["layers"]]
    found = shapes["graph"](stages=True)["nodes"]
    assert sorted(layer for node in found for layer in node["layers"]) == sorted(whole)
    first = found[1]
    assert first["type"] == "conv1_1 … pool1" and first["role"] == "stage" and len(first["layers"]) == 9
    assert len(found) < 20


def test_the_published_net_is_drawn_with_its_skips_beside_their_sums(tmp_path: Path) -> None:
    caffe.save(fcnlite.models.build("voc-fcn8s", width=0.02), tmp_path / "n.prototxt", tmp_path / "n.caffemodel")
    settings = {"mean": 100, "scale": 1, "order": "BGR"}
    made = inference.functions(str(tmp_path / "n.prototxt"), str(tmp_path / "n.caffemodel"), settings)
    nodes = {node["id"]: node for node in made["graph"](height=320, width=480)["nodes"]}
    assert nodes["conv1_1"]["shape"][2:] == [518, 678]  # the pad of 100
    for skip, sum_of in (("score_pool4", "fuse_pool4"), ("score_pool3", "fuse_pool3")):
        assert nodes["pool5"]["x"] < nodes[skip]["x"] < nodes[sum_of]["x"]
        assert nodes[sum_of]["x"] - nodes[skip]["x"] < 500


def test_a_skip_is_beside_its_sum_and_the_trunk_goes_down() -> None:
    nodes = [Node(name, "Convolution", [name], "convolution") for name in "abcdes"]
    for node, stride in zip(nodes, (1, 2, 4, 4, 2, 2), strict=True):
        node.stride = stride  # type: ignore[assignment]
    nodes[4].output = True
    edges = [Edge(*pair) for pair in ("ab", "bc", "cd", "de", "bs", "se")]
    drawing = place([*nodes[:4], nodes[5], nodes[4]], edges)
    at = {node.name: node for node in drawing.nodes}
    assert at["a"].y < at["b"].y < at["c"].y == at["d"].y > at["e"].y == at["b"].y
    assert at["s"].x == at["d"].x and at["s"].y == at["b"].y


# Layers


def test_activations_are_the_engines_strongest_first(shapes: Functions) -> None:
    net = fcnlite.load(SHAPES)
    blob = blob_of(net, shapes["current"]()["pixels"])
    for layer, blob_name in (("pool3", "pool3"), ("relu4_1", "conv4_1")):
        expected = net.forward(data=blob, outputs=[blob_name])[blob_name][0]
        found = shapes["activations"](layer=layer)
        strength = np.abs(expected).mean(axis=(1, 2))
        np.testing.assert_allclose(found["strength"], np.sort(strength)[::-1][:24], rtol=1e-4)
        np.testing.assert_allclose(found["maps"], expected[found["index"]], atol=1e-4)
        assert found["histogram"]["high"] == pytest.approx(expected.max(), rel=1e-4)
        assert found["histogram"]["counts"].sum() == expected.size
        plane = shapes["plane"](layer=layer, channel=7)["values"]
        np.testing.assert_allclose(plane, expected[7], atol=1e-4)


def test_a_value_before_its_relu_is_shown_too(shapes: Functions) -> None:
    # The ReLU and the normalisation write in place, so that the net itself shows only the last value.
    assert shapes["activations"](layer="conv1_1")["histogram"]["low"] < 0
    assert shapes["activations"](layer="relu1_1")["histogram"]["low"] == 0


def test_broken_weights_are_shown(net: Net, picture: np.ndarray, tmp_path: Path) -> None:
    broken = skip_net()
    broken.params["conv2"][0].data[...] = np.nan
    broken.save(tmp_path / "broken.h5")
    made = inference.functions(net=str(tmp_path / "broken.h5"))
    made["upload"](name="p.png", content=png(picture))
    found = made["segment"]()
    assert found["labels"] is None and "NaN" in found["problem"]
    assert made["describe"](layer="conv2")["parameters"][0]["histogram"]["not_finite"] == 288
    found = made["activations"](layer="conv2")["histogram"]
    assert found["not_finite"] == found["count"] > 0
    pack(made["number"](layer="conv2", channel=0, row=3, column=3))


def test_filters_are_the_parameters(functions: Functions, net: Net) -> None:
    found = functions["filters"](layer="conv2", output=6)
    assert set(found["index"]) == {4, 5, 6, 7} and found["bias"] == net.params["conv2"][1].array[6]
    for index, values in zip(found["index"], found["maps"], strict=True):
        np.testing.assert_array_equal(values, net.params["conv2"][0].array[6, index - 4])
    found = functions["filters"](layer="upscore2", output=2)
    for index, values in zip(found["index"], found["maps"], strict=True):
        np.testing.assert_array_equal(values, net.params["upscore2"][0].array[index, 2])
    assert functions["filters"](layer="pool1", output=0) == {"maps": None}


def test_gradients_of_a_class_and_of_the_loss(functions: Functions, net: Net, picture: np.ndarray) -> None:
    x = blob_of(net, picture)
    scores = net.forward(data=x, keep=["pool1"])["score"]
    net.backward({"score": np.stack([np.zeros_like(scores[0, 0]), np.ones_like(scores[0, 0]), 0 * scores[0, 0]])[None]},
                 wrt=["pool1"])  # fmt: skip
    found = functions["gradients"](layer="pool1", of=1)
    assert found["histogram"]["high"] == pytest.approx(net.grads["pool1"].max(), rel=1e-4)
    truth = scores[0].argmin(axis=0).astype(np.uint8)
    truth[:5] = 255
    functions["truth"](name="t.png", content=png(truth))
    found = functions["gradients"](layer="conv2")

    def loss() -> float:
        z = functions_scores(net, x)
        z = z - z.max(axis=0)
        p = np.exp(z) / np.exp(z).sum(axis=0)
        rows, columns = np.nonzero(truth != 255)
        return float(-np.log(p[truth[rows, columns], rows, columns]).mean())

    # The norm of the bias's gradient, by central differences.
    bias = net.params["conv2"][1].data
    differences = []
    for i in range(len(bias)):
        before = bias[i]
        bias[i] = before + 1e-2
        net.changed()
        high = loss()
        bias[i] = before - 1e-2
        net.changed()
        differences.append((high - loss()) / 2e-2)
        bias[i] = before
    net.changed()
    assert found["parameters"][1] == pytest.approx(np.linalg.norm(differences), rel=2e-2)


def functions_scores(net: Net, x: np.ndarray) -> np.ndarray:
    return net.forward(data=x)["score"][0].astype(np.float64)


def test_a_layer_is_described_from_its_file(functions: Functions) -> None:
    found = functions["describe"](layer="conv2")
    assert "y[n, o, i, j] = bias[o]" in found["formula"]
    given = {row["name"]: row["value"] for row in found["options"] if row["given"]}
    assert given == {"num_output": "8", "kernel_size": "3", "pad": "2", "dilation": "2", "group": "2"}
    source = found["source"]
    assert source["file"] == "fcnlite/layers/convolution.py"
    lines = source["text"].splitlines()
    assert lines[source["lines"]["forward"] - 1].strip().startswith("def forward(")
    assert "class Convolution" in "".join(lines[source["lines"]["class"] - 1 :][:2])
    assert [each["shape"] for each in found["parameters"]] == ["8×4×3×3", "8"]


# Pixels and skips


def test_receptive_fields_are_those_of_the_analysis(functions: Functions, net: Net, picture: np.ndarray) -> None:
    found = functions["field"](layer="pool2", row=20, column=25)
    shape = (1, 3, *picture.shape[:2])
    mask = receptive_fields.predicted(net, "pool2", found["position"], shape)
    assert found["nominal"] == receptive_fields.bounds(mask) and mask[20, 25]
    effective = receptive_fields.measured(net, "pool2", found["position"], blob_of(net, picture))
    np.testing.assert_allclose(found["effective"], effective, rtol=1e-4, atol=1e-6)
    assert not effective[~mask].any() and 0 < found["effective_pixels"] <= found["nominal_pixels"]


def test_why_is_the_gradient_of_the_score(functions: Functions, net: Net, picture: np.ndarray) -> None:
    found = functions["why"](row=20, column=25, of=2)
    x = blob_of(net, picture)
    assert found["score"] == pytest.approx(float(net.forward(data=x)["score"][0, 2, 20, 25]), rel=1e-4)
    row, column = np.unravel_index(found["magnitude"].argmax(), found["magnitude"].shape)
    slopes = []
    for channel in range(3):
        ends = []
        for step in (0.01, -0.01):
            moved = x.copy()
            moved[0, channel, row, column] += step
            ends.append(float(net.forward(data=moved)["score"][0, 2, 20, 25]))
        slopes.append((ends[0] - ends[1]) / 0.02)
    assert found["magnitude"][row, column] == pytest.approx(np.abs(slopes).sum(), rel=3e-2)
    assert found["effect"][row, column] == pytest.approx(float(slopes @ x[0, :, row, column]), rel=3e-2, abs=0.05)


def test_skips_add_up_to_the_score(functions: Functions, net: Net, picture: np.ndarray) -> None:
    found = functions["contributions"](row=20, column=25)
    assert [(each["blob"], each["stride"]) for each in found["skips"]] == [("score_fr", 4), ("score_pool1", 2)]
    np.testing.assert_allclose(found["parts"].sum(axis=0), found["scores"], rtol=1e-4, atol=1e-4)
    expected = net.forward(data=blob_of(net, picture))["score"][0, :, 20, 25]
    np.testing.assert_allclose(found["scores"], expected, rtol=1e-4, atol=1e-4)


def test_a_cut_is_the_net_with_the_finer_skip_at_zero(functions: Functions, picture: np.ndarray) -> None:
    found = functions["cuts"]()
    assert found["labels"].shape == (2, 37, 50)
    net = skip_net()
    for labels in found["labels"][::-1]:  # the finest first
        np.testing.assert_array_equal(labels, fcnlite.Segmenter(net)(picture))
        for parameter in net.params["score_pool1"]:
            parameter.data[...] = 0
    assert found["changed"] == [0, np.mean(found["labels"][0] != found["labels"][1])]


def test_kernels_are_compared_with_the_bilinear_one(shapes: Functions, functions: Functions, net: Net) -> None:
    assert [each["difference"] for each in shapes["kernels"]()["kernels"]] == [0, 0, 0]
    first = functions["kernels"]()["kernels"][0]
    weight = net.params["upscore2"][0].array
    np.testing.assert_array_equal(first["kernel"], weight[0, 0])
    own = np.stack([weight[i, i] for i in range(3)])
    assert first["difference"] == pytest.approx(np.abs(own - first["bilinear"]).max())
    assert first["others"] == pytest.approx(
        max(np.abs(weight[i, j]).max() for i in range(3) for j in range(3) if i != j)
    )


def test_pixels_outside_are_one_sentence(functions: Functions) -> None:
    for name in ("probabilities", "contributions"):
        for row, column in ((37, 0), (-1, 0), (0, 50), (0.5, 1)):
            with pytest.raises(DataError, match="outside"):
                functions[name](row=row, column=column)


# Uploads


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "PPM", "JPEG", "npy", "gray"])
def test_a_picture_of_every_kind_is_read_from_memory(functions: Functions, picture: np.ndarray, kind: str) -> None:
    stream = io.BytesIO()
    values = picture[:, :, 0] if kind == "gray" else picture
    if kind == "npy":
        np.save(stream, values)
    else:
        options = {"lossless": True} if kind == "WEBP" else {}
        Image.fromarray(values).save(stream, format="PNG" if kind == "gray" else kind, **options)
    opened = functions["upload"](name="mine", content=np.frombuffer(stream.getvalue(), np.uint8))
    assert (opened["name"], opened["pixels"].shape) == ("mine", picture.shape)
    if kind != "JPEG":
        np.testing.assert_array_equal(opened["pixels"], values if values.ndim == 3 else values[:, :, None].repeat(3, 2))


# Wrong uploads


@pytest.mark.parametrize("wrong", wrong_uploads.PICTURES, ids=lambda each: each.name)
def test_a_wrong_picture_is_one_sentence_with_its_name(
    functions: Functions, wrong: Upload, picture: np.ndarray
) -> None:
    with pytest.raises(FcnliteError, match=wrong.words) as found:
        functions["upload"](name=wrong.name, content=wrong.content)
    check_sentence(str(found.value), wrong)
    np.testing.assert_array_equal(functions["current"]()["pixels"], picture)  # the old one is still open


@pytest.mark.parametrize("wrong", wrong_uploads.TRUTHS, ids=lambda each: each.name)
def test_a_wrong_truth_is_one_sentence_with_its_name(functions: Functions, wrong: Upload) -> None:
    with pytest.raises(FcnliteError, match=wrong.words) as found:
        functions["truth"](name=wrong.name, content=wrong.content)
    check_sentence(str(found.value), wrong)
    assert functions["current"]()["truth"] is None


def check_sentence(sentence: str, wrong: Upload) -> None:
    """Check that a sentence begins with the file's name, names no folder, and has a Chinese form."""
    assert sentence.startswith(re.split(r"[/\\]", wrong.name)[-1] + ": ")
    assert not any(word in sentence for word in ("/proc", "memfd", "C:", "etc/", "\n"))
    assert in_chinese(sentence)


@pytest.mark.parametrize("size", [(7, 50), (50, 1 << 22), (37.5, 50), (True, 50)])
def test_an_unusable_size_is_one_sentence(functions: Functions, size: tuple[Any, Any]) -> None:
    with pytest.raises(DataError, match="not usable"):
        functions["resize"](height=size[0], width=size[1])

"""Nets as strangers write them: names twice, losses without a top, the words of forks."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fcnlite
from fcnlite.errors import ShapeError, SpecError
from fcnlite.formats.caffe import parse_net, write_net
from fcnlite.formats.caffe.schema import message_class
from fcnlite.net import Net

INPUT = 'input: "data" input_dim: 1 input_dim: 3 input_dim: 20 input_dim: 20 '
X = np.random.default_rng(0).normal(size=(1, 3, 20, 20)).astype(np.float32)


def conv(name: str, bottom: str, top: str, extra: str = "", kernel: int = 1, outputs: int = 2) -> str:
    return (
        f'layer {{ name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{top}" convolution_param {{ '
        f'num_output: {outputs} kernel_size: {kernel} weight_filler {{ type: "xavier" }} {extra} }} }}\n'
    )


def test_a_second_layer_of_a_name_is_renamed() -> None:
    text = (
        INPUT
        + conv("down", "data", "a", kernel=3)
        + conv("wide", "data", "b")
        + """
    layer { name: "crop" type: "Crop" bottom: "b" bottom: "a" top: "b1" crop_param { axis: 2 offset: 1 } }
    layer { name: "crop" type: "Crop" bottom: "b" bottom: "b1" top: "b2" crop_param { axis: 2 offset: 0 } }
    layer { name: "crop_2" type: "Eltwise" bottom: "b1" bottom: "b2" top: "score" }"""
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # neither layer has weights
        net = Net(parse_net(text))
    assert [layer.spec.name for layer in net.layers] == ["data", "down", "wide", "crop", "crop_3", "crop_2"]
    assert net.forward(data=X)["score"].shape == (1, 2, 18, 18)


def test_one_name_in_two_phases_is_kept() -> None:
    text = """layer { name: "d" type: "Input" top: "d" include { phase: TRAIN } }
              layer { name: "d" type: "Input" top: "d" include { phase: TEST } }
              layer { name: "d" type: "ReLU" bottom: "d" top: "d" }"""
    assert [each.name for each in parse_net(text)] == ["d", "d", "d_2"]


def test_weights_of_a_name_go_into_its_first_layer_and_the_last_ones_count(tmp_path: Path) -> None:
    net, weights = tmp_path / "net.prototxt", tmp_path / "net.caffemodel"
    net.write_text(INPUT + conv("c", "data", "a", outputs=3) + conv("c", "a", "b", outputs=3))
    message: Any = message_class("NetParameter")()
    for value in (1.0, 5.0):
        blobs = message.layer.add(name="c", type="Convolution").blobs
        for shape in ((3, 3, 1, 1), (3,)):
            blobs.add(data=[value] * int(np.prod(shape))).shape.dim.extend(shape)
    weights.write_bytes(message.SerializeToString())
    with pytest.warns(UserWarning) as caught:
        loaded = fcnlite.load(net, weights)
    said = [str(each.message) for each in caught]
    assert any("'c'; as in Caffe, the last ones count" in each for each in said)
    assert any("the second is called 'c_2' here and starts by its fillers" in each for each in said)
    assert (loaded.params["c"][0].array == 5).all()
    assert (loaded.params["c_2"][1].array == 0).all() and len(np.unique(loaded.params["c_2"][0].array)) > 1


def test_a_crop_of_v1_gets_the_offset_that_aligns_its_blobs() -> None:
    text = (
        INPUT
        + """layers { name: "score" type: CONVOLUTION bottom: "data" top: "score"
                      convolution_param { num_output: 2 kernel_size: 3 pad: 4 } }
             layers { name: "crop" type: CROP bottom: "score" bottom: "data" top: "out" }"""
    )
    spec = parse_net(text)
    assert spec.layer("crop").options == {"axis": 2, "offset": [3, 3]}
    assert Net(spec).forward(data=X)["out"].shape == (1, 2, 20, 20)
    assert parse_net(text.replace('"out"', '"out" crop_param { axis: 2 offset: 1 }')).layer("crop").options == {
        "axis": 2,
        "offset": 1,
    }
    with pytest.raises(SpecError, match=r"'crop': has no offset, and none can be computed.*crop_param"):
        parse_net(text.replace("pad: 4", "pad: 0"))
    # Caffe's own Crop, of V2, begins at 0.
    assert parse_net('layer { name: "crop" type: "Crop" bottom: "a" bottom: "b" top: "c" }').layers[0].options == {}


def test_a_loss_without_a_top_gets_one() -> None:
    text = INPUT + 'input: "label" input_dim: 1 input_dim: 1 input_dim: 20 input_dim: 20 ' + conv("s", "data", "score")
    text += 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" }'
    text += 'layer { name: "data" type: "EuclideanLoss" bottom: "score" bottom: "score" }'
    net = Net(parse_net(text))
    assert net.spec.layer("loss").top == ("loss",) and net.spec.layer("data_2").top == ("data_2",)
    out = net.forward(data=X, label=np.zeros((1, 1, 20, 20)))
    assert out.keys() == {"loss", "data_2"} and out["loss"] > 0


@pytest.mark.parametrize(
    ("extra", "options"),
    [
        ("hole: 2", {"dilation": [2]}),
        ("hole_h: 2 hole_w: 3", {"dilation": [2, 3]}),
        ("hole_w: 3", {"dilation": [1, 3]}),
        ("engine: MKLDNN", {}),
        ("engine: CAFFE", {"engine": "CAFFE"}),
    ],
)
def test_words_of_forks_for_a_convolution(extra: str, options: dict[str, Any]) -> None:
    found = parse_net(conv("c", "data", "c", extra)).layers[0].options
    plain = parse_net(conv("c", "data", "c")).layers[0].options
    assert found == {**plain, **options}


def test_a_depthwise_convolution_is_one_in_groups() -> None:
    for type_ in ("ConvolutionDepthwise", "DepthwiseConvolution"):
        text = INPUT + conv("c", "data", "c", outputs=3, kernel=3).replace('"Convolution"', f'"{type_}"')
        net = Net(parse_net(text))
        assert net.spec.layer("c").type == "Convolution" and net.params["c"][0].shape == (3, 1, 3, 3)


@pytest.mark.parametrize(
    ("options", "size"),
    [("ceil_mode: false", 9), ("ceil_mode: true", 10), ("round_mode: FLOOR", 9), ("", 10)],
)
def test_ceil_mode_of_a_pooling(options: str, size: int) -> None:
    pool = 'layer { name: "p" type: "Pooling" bottom: "data" top: "p" pooling_param { kernel_size: 3 stride: 2 %s } }'
    spec = parse_net(INPUT + pool % options)
    assert "ceil_mode" not in spec.layer("p").options
    assert Net(spec).forward(data=X)["p"].shape == (1, 3, size, size)


def test_contradictions_and_fields_that_change_the_result_are_errors() -> None:
    pool = 'layer { name: "p" type: "Pooling" pooling_param { kernel_size: 3 %s } }'
    for text, words in (
        (pool % "ceil_mode: true round_mode: FLOOR", "'p': ceil_mode and round_mode contradict"),
        (pool % "pad: 1 pad_l: 1 pad_r: 1", "'p': has pad_t, pad_b, pad_l, pad_r and other pads"),
        (conv("c", "a", "c", "hole: 2 dilation: 2"), "'c': has hole and other dilations"),
        (conv("c", "a", "c", "relu: true"), "line 1: .*'relu'.* write a layer of type ReLU after this one"),
        (conv("c", "a", "c", "quantum: 2"), "line 1: .*no field 'quantum'"),
    ):
        with pytest.raises(SpecError, match=words):
            parse_net(text)


def test_fields_of_forks_without_effect_are_ignored_with_one_line() -> None:
    text = INPUT + conv("c", "data", "c").replace("convolution_param", "forward_type: FLOAT16 convolution_param")
    text = (
        text.replace("kernel_size: 1", 'kernel_size: 1 conv_algos_override: "0,-1,-1"') + "compile_net_state { a: 1 }"
    )
    with pytest.warns(
        UserWarning, match=r"line 1: LayerParameter has no field 'forward_type'.* 2 more are ignored"
    ) as found:
        spec = parse_net(text)
    assert len(found) == 1 and spec == parse_net(INPUT + conv("c", "data", "c"))


def test_weighting_of_classes_by_their_frequencies() -> None:
    text = INPUT + 'input: "label" input_dim: 1 input_dim: 1 input_dim: 20 input_dim: 20 ' + conv("s", "data", "score")
    loss = (
        'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" loss_param { %s } }'
    )
    weights = "weight_by_label_freqs: true ignore_label: 255 class_weighting: 0.5 class_weighting: 2"
    label = np.random.default_rng(1).choice([0, 1, 255], size=(1, 1, 20, 20))
    for path in ("fast", "plain"):
        net = Net(parse_net(text + loss % weights), path=path)
        out = net.forward(data=X, label=label, outputs=["score", "loss"], keep=True)
        x = out["score"].astype(np.float64)
        p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
        counted = label[0, 0] != 255
        w = np.where(label[0, 0] == 1, 2.0, 0.5) * counted
        of_label = np.where(label[0, 0] == 1, p[0, 1], p[0, 0])
        np.testing.assert_allclose(out["loss"], -(w * np.log(of_label)).sum() / counted.sum(), rtol=1e-5)
        net.backward(wrt=["score"])
        expected = w * (p[0] - np.stack([label[0, 0] == 0, label[0, 0] == 1])) / counted.sum()
        np.testing.assert_allclose(net.grads["score"][0], expected, atol=1e-7)
    with pytest.raises(ShapeError, match="class_weighting has 1 numbers for 2 classes"):
        Net(parse_net(text + loss % weights.replace("class_weighting: 2", "")))


def test_weighting_without_class_weighting_is_by_the_labels_of_the_batch() -> None:
    """SegNet's first version: each position counts 1 / the number of positions of its label."""
    text = INPUT + 'input: "label" input_dim: 1 input_dim: 1 input_dim: 20 input_dim: 20 ' + conv("s", "data", "score")
    text += 'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" '
    text += "loss_param { weight_by_label_freqs: true ignore_label: 255 normalize: false } }"
    label = np.random.default_rng(1).choice([0, 1, 255], p=[0.7, 0.1, 0.2], size=(1, 1, 20, 20))
    for path in ("fast", "plain"):
        net = Net(parse_net(text), path=path)
        out = net.forward(data=X, label=label, outputs=["score", "loss"], keep=True)
        x = out["score"][0].astype(np.float64)
        log_p = x - np.log(np.exp(x).sum(0))
        means = [log_p[k][label[0, 0] == k].mean() for k in (0, 1)]
        np.testing.assert_allclose(out["loss"], -sum(means), rtol=1e-5)
        net.backward(wrt=["score"])
        for k in (0, 1):
            here = label[0, 0] == k
            hot = np.array([k == 0, k == 1])[:, None]
            expected = (np.exp(log_p[:, here]) - hot) / here.sum()
            np.testing.assert_allclose(net.grads["score"][0][:, here], expected, atol=1e-7)


@pytest.mark.parametrize(
    "inputs",
    [
        'input: "data" input_dim: 1 input_dim: 3 input_dim: 20 input_dim: 20',
        'input: "data" input_shape { dim: 1 dim: 3 dim: 20 dim: 20 }',
        'input: "data"\ninput_shape: { dim: [1, 3, 20, 20] }',
        'layer { name: "data" type: "Input" top: "data" input_param: { shape: { dim: 1 dim: 3 dim: 20 dim: 20 } } }',
        'layer { name: "d" type: "DummyData" top: "data" dummy_data_param { shape { dim: [1, 3, 20, 20] } } }',
        'layer { name: "d" type: "MemoryData" top: "data" top: "l" '
        "memory_data_param { batch_size: 1 channels: 3 height: 20 width: 20 } }",
        'input: "data"',
    ],
)
def test_every_form_of_an_input(inputs: str) -> None:
    for text in (f"{inputs} {conv('c', 'data', 'score')}", f"{conv('c', 'data', 'score')} {inputs}"):
        if text.startswith("layer") and not inputs.startswith("input"):
            continue  # a layer reads only what is made before it
        assert Net(parse_net(text)).forward(data=X)["score"].shape == (1, 2, 20, 20)


def test_layers_of_both_forms_are_read_in_the_order_of_the_file() -> None:
    text = INPUT + (
        'layers { name: "r" type: RELU bottom: "data" top: "r" }'
        + conv("c", "r", "c")
        + 'layers { name: "s" type: SIGMOID bottom: "c" top: "s" }'
    )
    with pytest.warns(UserWarning, match="has `layer` and `layers`.*but Caffe ignores the `layer` ones"):
        spec = parse_net(text)
    assert [layer.name for layer in spec] == ["data", "r", "c", "s"]
    assert Net(spec).forward(data=X)["s"].shape == (1, 2, 20, 20)


def test_an_only_output_that_goes_to_silence_is_the_output() -> None:
    silence = 'layer { name: "hush" type: "Silence" bottom: "%s" }'
    net = Net(parse_net(INPUT + conv("c", "data", "score") + silence % "score"))
    assert net.forward(data=X).keys() == {"score"}
    both = Net(parse_net(INPUT + conv("c", "data", "score") + conv("d", "data", "other") + silence % "score"))
    assert both.forward(data=X).keys() == {"other"}


def test_a_blob_of_the_other_phase_is_named_with_its_phase() -> None:
    data = 'layer { name: "data" type: "Input" top: "data" include { phase: TRAIN } }'
    spec = parse_net(data + conv("c", "data", "score"))
    with pytest.raises(
        SpecError, match="bottom 'data' in phase TEST; in phase TRAIN layer 'data' does: use phase TRAIN"
    ):
        Net(spec)
    assert Net(spec, phase="TRAIN").forward(data=X)["score"].shape == (1, 2, 20, 20)


def test_what_is_read_is_written_in_caffe_s_words() -> None:
    text = conv("c", "data", "c", "hole: 2") + 'layer { name: "p" type: "Pooling" pooling_param { ceil_mode: false } }'
    written = write_net(parse_net(text))
    assert "dilation: 2" in written and "round_mode: FLOOR" in written
    assert "hole" not in written and "ceil_mode" not in written


def test_a_label_that_is_shrunk_for_the_loss_is_no_picture() -> None:
    """As in DeepLab's nets."""
    text = (
        INPUT
        + 'input: "label" input_dim: 1 input_dim: 1 input_dim: 21 input_dim: 21 '
        + conv("s", "data", "score", "stride: 2", 2)
    )
    text += """layer { name: "small" type: "Interp" bottom: "label" top: "small" interp_param { height: 10 width: 10 } }
    layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "small" top: "loss" }"""
    net = Net(parse_net(text))
    assert net.forward(X).keys() == {"score", "small"} - {"small"}
    assert net.forward(data=X, label=np.zeros((1, 1, 21, 21))).keys() == {"loss"}


def test_a_test_net_of_deeplab_runs_up_to_its_own_layers() -> None:
    text = INPUT + conv("c", "data", "score").replace("convolution_param", "strict_dim: false convolution_param", 1)
    text += """layer { name: "crf" type: "DenseCRF" bottom: "score" top: "crf" dense_crf_param { bi_w: 5 } }
        layer { name: "mat" type: "MatWrite" bottom: "score" mat_write_param { prefix: "fc8/" } }"""
    with pytest.warns(UserWarning, match="LayerParameter has no field 'strict_dim'.*It is ignored"):
        net = Net(parse_net(text))
    assert net.forward(data=X, outputs=["score"])["score"].shape[2:] == (20, 20)
    with pytest.raises(SpecError, match=r"'crf'.*does not learn.*runs up to what the layer reads: outputs=\['score'"):
        net.forward(data=X)


def test_fusenets_unpooling_is_segnets_upsample() -> None:
    pooled = (
        INPUT
        + """layer { name: "pool" type: "Pooling" bottom: "data" top: "pool" top: "mask"
                       pooling_param { kernel_size: 2 stride: 2 } } """
    )
    unpool = 'layer { name: "un" type: "%s" bottom: "pool" bottom: "mask" top: "un" %s }'
    for theirs, ours in (("output_h: 20 output_w: 20", "upsample_h: 20 upsample_w: 20"), ("scale: 2", "scale: 2")):
        spec = parse_net(pooled + unpool % ("Unpooling", f"unpooling_param {{ {theirs} }}"))
        assert spec == parse_net(pooled + unpool % ("Upsample", f"upsample_param {{ {ours} }}"))
        assert Net(spec).forward(data=X)["un"].shape == (1, 3, 20, 20)

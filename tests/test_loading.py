"""Nets from files."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path

import numpy as np
import pytest

import fcnlite
from fcnlite import caffe, models, surgery
from fcnlite.description.model_info import ModelInfo, Preprocessing
from fcnlite.errors import FcnliteError, FileError, ShapeError, SpecError
from fcnlite.net import Net

NET = """
name: "two"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 6 dim: 6 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 2 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "drop" type: "Dropout" bottom: "conv" top: "conv" }
layer { name: "up" type: "Deconvolution" bottom: "conv" top: "up"
        convolution_param { num_output: 2 kernel_size: 4 stride: 2 bias_term: false FILLER } }
"""
BILINEAR = NET.replace("FILLER", 'weight_filler { type: "bilinear" }')
X = np.random.default_rng(0).normal(size=(1, 3, 6, 6))


@pytest.fixture
def prototxt(tmp_path: Path) -> Path:
    path = tmp_path / "net.prototxt"
    path.write_text(BILINEAR)
    return path


def arrays(net: Net) -> dict[str, list[np.ndarray]]:
    return {name: [each.array for each in parameters] for name, parameters in net.params.items()}


def assert_same_parameters(net: Net, other: Net) -> None:
    assert list(net.params) == list(other.params)
    for name, parameters in arrays(net).items():
        for mine, theirs in zip(parameters, arrays(other)[name], strict=True):
            np.testing.assert_array_equal(mine, theirs)


@pytest.fixture(autouse=True)
def no_warnings() -> None:
    """Loading what fits warns of nothing but how pictures are taken where the files do not say it."""
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", message=".*pictures are fed as")


def test_a_prototxt_alone_starts_by_its_fillers(prototxt: Path) -> None:
    net = fcnlite.load(prototxt, seed=3)
    assert net.phase == "TEST" and net.forward(data=X)["up"].shape == (1, 2, 10, 10)
    assert_same_parameters(net, fcnlite.load(str(prototxt), seed=3))
    assert (net.params["conv"][0].array != fcnlite.load(prototxt).params["conv"][0].array).any()


def test_upsampling_that_starts_at_zero_warns(tmp_path: Path) -> None:
    path = tmp_path / "net.prototxt"
    path.write_text(NET.replace("FILLER", ""))
    with pytest.warns(UserWarning, match=r"net\.prototxt.*'up'.*interp"):
        fcnlite.load(path)


def test_phase_and_dtype_are_handed_on(prototxt: Path) -> None:
    net = fcnlite.load(prototxt, phase="TRAIN", path="plain", dtype="float64")
    assert net.phase == "TRAIN" and net.forward(data=X)["up"].dtype == np.float64
    assert (net.forward(data=X, outputs=["conv"])["conv"] == 0).any()


def test_a_caffemodel_is_matched_by_name(prototxt: Path, tmp_path: Path) -> None:
    source = fcnlite.load(prototxt, seed=5)
    weights = tmp_path / "net.caffemodel"
    caffe.write_weights(weights, {**arrays(source), "elsewhere": [np.ones(3, np.float32)]})
    with pytest.warns(UserWarning, match=r"net\.caffemodel: its layers elsewhere are not in the net"):
        loaded = fcnlite.load(prototxt, weights)
    assert_same_parameters(loaded, source)


def test_the_references_caffemodel(shared: Path) -> None:
    folder = shared / "reference" / "nets" / "voc-fcn8s-deploy"
    net = fcnlite.load(folder / "net.prototxt", folder / "weights.caffemodel")
    given = caffe.read_weights(folder / "weights.caffemodel")
    np.testing.assert_array_equal(net.params["conv3_2"][0].array, given["conv3_2"][0])


def test_save_and_load_again(tmp_path: Path) -> None:
    net = models.build("lite-fcn8s", classes=3, width=1 / 64, seed=4)
    net.info = ModelInfo(
        Preprocessing("RGB", (1.0, 2.0, 3.0), 0.5), ("a", "b", "c"), ((0, 0, 0), (1, 2, 3), (4, 5, 6)), {"iou": 0.5}
    )
    path = tmp_path / "net.h5"
    net.save(path)
    again = fcnlite.load(path)
    assert again.spec == net.spec and again.info == net.info
    assert_same_parameters(again, net)
    x = np.random.default_rng(0).normal(size=(1, 3, 40, 31))
    np.testing.assert_array_equal(again.forward(data=x)["score"], net.forward(data=x)["score"])
    for parameters in again.params.values():
        for parameter in parameters:
            parameter.data[...] = 1  # the file stays as it was
    assert_same_parameters(fcnlite.load(path), net)


def test_a_weight_file_of_ours_fills_a_prototxt(prototxt: Path, tmp_path: Path) -> None:
    source = fcnlite.load(prototxt, seed=5)
    source.save(tmp_path / "weights.h5")
    assert_same_parameters(fcnlite.load(prototxt, tmp_path / "weights.h5"), source)


def test_layers_without_weights_are_warned_of(prototxt: Path, tmp_path: Path) -> None:
    weights = tmp_path / "net.caffemodel"
    caffe.write_weights(weights, {"up": arrays(fcnlite.load(prototxt))["up"]})
    with pytest.warns(UserWarning, match=r"net\.caffemodel.*conv"):
        fcnlite.load(prototxt, weights)


def test_weights_that_do_not_fit_are_named(prototxt: Path, tmp_path: Path) -> None:
    weights = tmp_path / "net.caffemodel"
    given = arrays(fcnlite.load(prototxt))
    caffe.write_weights(weights, {**given, "conv": [np.ones((2, 3, 5, 5), np.float32), given["conv"][1]]})
    with pytest.raises(ShapeError, match=r"net\.caffemodel.*conv\[0\].*2×3×5×5.*2×3×3×3"):
        fcnlite.load(prototxt, weights)


def test_files_that_are_no_nets_are_named(prototxt: Path, tmp_path: Path) -> None:
    for name in ("missing.prototxt", "missing.h5", "missing.caffemodel"):
        with pytest.raises(FileError, match=name.replace(".", r"\.")):
            fcnlite.load(tmp_path / name)
        with pytest.raises(FileError, match=name.replace(".", r"\.")):
            fcnlite.load(prototxt, tmp_path / name)
    broken = tmp_path / "broken.prototxt"
    broken.write_text("layer { name: ")
    with pytest.raises(FcnliteError, match=r"broken\.prototxt"):
        fcnlite.load(broken)
    for name in ("foreign.h5", "foreign.caffemodel"):
        foreign = tmp_path / name
        foreign.write_bytes(b"\x89PNG no weights" * 10)
        for files in ((foreign,), (prototxt, foreign)):
            with pytest.raises(FileError, match=name.replace(".", r"\.")):
                fcnlite.load(*files)
    with pytest.raises(FcnliteError):
        fcnlite.load(tmp_path)
    unknown = tmp_path / "unknown.prototxt"
    unknown.write_text(BILINEAR.replace("Dropout", "Dropuot"))
    with pytest.warns(UserWarning, match=r"unknown\.prototxt, line \d+.*'drop'.*'Dropout'"):
        net = fcnlite.load(unknown)
    with pytest.raises(SpecError, match=r"'drop'.*'Dropout'"):
        net.forward(data=np.zeros((1, 3, 8, 8)))


def test_layers_that_the_net_has_not_are_one_line(prototxt: Path, tmp_path: Path) -> None:
    given = {**arrays(fcnlite.load(prototxt)), **{f"extra{i}": [np.ones(2)] for i in range(20)}}
    caffe.write_weights(tmp_path / "net.caffemodel", given)
    with pytest.warns(UserWarning, match="extra0.* and 12 more are not in the net") as caught:
        fcnlite.load(prototxt, tmp_path / "net.caffemodel")
    assert len([each for each in caught if "pictures are fed as" not in str(each.message)]) == 1


@pytest.mark.parametrize(
    ("name", "more", "message"),
    [
        ("conv", 1, r"3 blobs for layer 'conv' \(Convolution\), which takes 2; .*rename the layer"),
        ("up", 1, r"2 blobs for layer 'up' \(Deconvolution\), which takes 1; .*`bias_term: true`"),
        ("drop", 2, r"2 blobs for layer 'drop' \(Dropout\), which takes none; .*rename the layer"),
    ],
)
def test_more_blobs_than_a_layer_takes_are_refused(
    prototxt: Path, tmp_path: Path, name: str, more: int, message: str
) -> None:
    given = arrays(fcnlite.load(prototxt))
    given = {**given, name: [*given.get(name, ()), *[np.ones(2)] * more]}
    caffe.write_weights(tmp_path / "net.caffemodel", given)
    with pytest.raises(ShapeError, match=rf"net\.caffemodel: holds {message}"):
        fcnlite.load(prototxt, tmp_path / "net.caffemodel")


def test_more_blobs_than_a_layer_takes_are_refused_at_the_first_forward(tmp_path: Path) -> None:
    text = 'input: "data" layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc" '
    text += "inner_product_param { num_output: 2 bias_term: false } }"
    (tmp_path / "net.prototxt").write_text(text)
    caffe.write_weights(tmp_path / "w.caffemodel", {"fc": [np.ones((2, 3)), np.ones(2)]})
    net = fcnlite.load(tmp_path / "net.prototxt", tmp_path / "w.caffemodel")
    with pytest.raises(ShapeError, match=r"w\.caffemodel: holds 2 blobs for layer 'fc'.*takes 1; .*bias_term: true"):
        net.forward(data=np.ones((1, 3, 1, 1)))


def test_weights_of_more_classes_name_the_ways_to_fine_tune(shared: Path) -> None:
    case = shared / "cases" / "users" / "09-finetune-message"
    message = r"score_fr\[0\].*To fine-tune, rename the layer.*`train --init`.*fcnlite\.surgery\.transplant"
    with pytest.raises(ShapeError, match=message):
        fcnlite.load(case / "net2.prototxt", case / "voc21.caffemodel")
    text = (case / "net2.prototxt").read_text().replace("score_fr", "score_two")
    spec = caffe.parse_net(
        text + 'layer { name: "score_fr" type: "Convolution" bottom: "data" top: "old" '
        "convolution_param { num_output: 21 kernel_size: 1 } }"
    )
    net = Net(spec)
    assert {each.outcome for each in surgery.transplant(net, caffe.read_weights(case / "voc21.caffemodel"))} == {
        "taken",
        "left",
    }


def test_weights_of_another_net_are_refused(prototxt: Path, tmp_path: Path) -> None:
    caffe.write_weights(tmp_path / "other.caffemodel", {"ip1": [np.ones(2)], "ip2": [np.ones(2)]})
    with pytest.raises(ShapeError, match=r"other\.caffemodel: none of its layers \(ip1, ip2\)"):
        fcnlite.load(prototxt, tmp_path / "other.caffemodel")


def test_a_net_without_sizes_takes_its_weights_at_the_first_forward(tmp_path: Path) -> None:
    text = """
    layer { name: "data" type: "Data" top: "data" data_param { source: "lmdb" batch_size: 64 } }
    layer { name: "fc" type: "InnerProduct" bottom: "data" top: "fc" inner_product_param { num_output: 2 } }
    """
    (tmp_path / "net.prototxt").write_text(text)
    weight = np.arange(24, dtype=np.float32)
    caffe.write_weights(tmp_path / "w.caffemodel", {"fc": [weight.reshape(1, 1, 2, 12), np.ones((1, 1, 1, 2))]})
    net = fcnlite.load(tmp_path / "net.prototxt", tmp_path / "w.caffemodel")
    x = np.ones((3, 3, 2, 2))
    np.testing.assert_allclose(net.forward(data=x)["fc"], x.reshape(3, 12) @ weight.reshape(2, 12).T + 1)
    wrong = fcnlite.load(tmp_path / "net.prototxt", tmp_path / "w.caffemodel")
    with pytest.raises(ShapeError, match=r"w\.caffemodel.*fc\[0\]"):
        wrong.forward(data=np.ones((1, 3, 5, 5)))


@pytest.mark.parametrize(
    ("options", "mean", "scale"),
    [
        ("python_param { layer: 'SIFTFlowSegDataLayer' }", (114.578, 115.294, 108.353), 1),
        ("python_param { layer: 'VOCSegDataLayer' param_str: \"{'mean': (1, 2.5, 3)}\" }", (1, 2.5, 3), 1),
        ("python_param { layer: 'VOCSegDataLayer' param_str: '(' }", (104.00699, 116.66877, 122.67892), 1),
        ("transform_param { mean_value: 127.5 scale: 0.5 }", (127.5, 127.5, 127.5), 0.5),
        ("transform_param { scale: 0.5 }", (0, 0, 0), 0.5),
    ],
)
def test_the_mean_of_the_data_layer(tmp_path: Path, options: str, mean: tuple[float, ...], scale: float) -> None:
    type_ = "Python" if "python" in options else "MemoryData"
    text = f'layer {{ name: "d" type: "{type_}" top: "data" {options} }}'
    text += 'layer { name: "r" type: "ReLU" bottom: "data" top: "r" }'
    (tmp_path / "net.prototxt").write_text(text)
    found = fcnlite.load(tmp_path / "net.prototxt").info.preprocessing
    assert (found.mean, found.scale, found.color) == (mean, scale, "BGR")


def test_the_pictures_of_the_reference_s_nyud_nets(shared: Path) -> None:
    def found(name: str) -> Preprocessing:
        path = shared / "reference" / "zoo" / f"nyud-fcn32s-{name}" / "test.prototxt"
        with pytest.warns(UserWarning, match="starts at zero"):
            found = fcnlite.load(path).info.preprocessing
        assert found.source.endswith("': the FCN reference's nyud")
        return dataclasses.replace(found, source="")

    color, hha = Preprocessing(mean=(116.190, 97.203, 92.318)), Preprocessing("RGB", (132.431, 94.076, 118.477))
    depth = Preprocessing("DEPTH", (7.844,), bits=16)
    assert found("color") == color
    assert found("hha") == hha
    assert found("color-d") == dataclasses.replace(color, others={"depth": depth})
    assert found("color-hha") == dataclasses.replace(color, others={"hha": hha})


def test_the_data_layers_of_the_reference_are_recognised(shared: Path) -> None:
    found = set()
    for path in sorted((shared / "reference" / "zoo").glob("*/train*.prototxt")):
        source = caffe.data_source(caffe.read_net(path))
        assert source is not None and len(source.mean) == 3 and "data" in source.root
        found.add((source.dataset, source.split))
        net = Net(caffe.read_net(path), phase="TRAIN")
        assert net.sized and net.layers[0].top_shapes()[0][1] == 3
    assert found == {("sbd", "train"), ("nyud", "trainval"), ("siftflow", "trainval"), ("pascal-context", "train")}


def test_the_error_for_weights_alone_names_the_missing_file(prototxt: Path, tmp_path: Path) -> None:
    weights = tmp_path / "net.caffemodel"
    caffe.write_weights(weights, arrays(fcnlite.load(prototxt)))
    with pytest.raises(FileError, match=r"net\.caffemodel.*prototxt"):
        fcnlite.load(weights)


def test_weights_of_ours_stay_mapped_until_they_are_written(tmp_path: Path) -> None:
    models.build("lite-fcn8s", classes=3, width=0.02).save(tmp_path / "net.h5")
    parameter = fcnlite.load(tmp_path / "net.h5").params["conv1_1"][0]
    mapped = parameter.array
    assert not mapped.flags.writeable
    before = mapped.copy()
    parameter.data[...] = 0
    assert not parameter.array.any()
    np.testing.assert_array_equal(mapped, before)

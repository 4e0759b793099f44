"""How Caffe's nets take their pictures: mean, scale, order of colours, and where each comes from."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fcnlite
from fcnlite import caffe
from fcnlite.description.model_info import MeanPicture, ModelInfo, Preprocessing
from fcnlite.errors import FileError, SpecError

SCORE = """layer { name: "score" type: "Convolution" bottom: "%s" top: "score"
  convolution_param { num_output: 2 kernel_size: 1 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss" include { phase: TRAIN } }
"""
DATA = 'layer { name: "data" type: "Data" top: "data" top: "label" %s data_param { source: "lmdb" batch_size: 1 } }\n'
DEPLOY = 'layer { name: "in" type: "Input" top: "data" input_param { shape { dim: 1 dim: %d dim: 8 dim: 8 } } }\n'
MEAN_40 = (
    'layer { name: "data" type: "Data" top: "data" transform_param { mean_value: 40 } data_param { source: "x" } }\n'
)
SHIFT = 'layer { name: "shift" type: "Power" bottom: "data" top: "shifted" power_param { shift: -116 } }\n'
"""DIGITS' FCN, which centres its input."""


def binaryproto(path: Path, values: np.ndarray) -> Path:
    """A BlobProto of 1×C×H×W, by hand: num, channels, height, width, packed data."""

    def varint(number: int) -> bytes:
        out = b""
        while number > 127:
            out += bytes([number & 127 | 128])
            number >>= 7
        return out + bytes([number])

    data = values.astype("<f4").tobytes()
    sizes = b"".join(bytes([8 * (i + 1)]) + varint(size) for i, size in enumerate((1, *values.shape)))
    path.write_bytes(sizes + b"\x2a" + varint(len(data)) + data)
    return path


def files(folder: Path, text: str, bias: float = 0.0, channels: int = 3) -> tuple[Path, Path]:
    """A net that scores class 1 where the mean of its input's channels, plus `bias`, is above 0."""
    (folder / "net.prototxt").write_text(text)
    weight = np.zeros((2, channels, 1, 1), "f4")
    weight[1] = 1 / channels
    caffe.write_weights(folder / "net.caffemodel", {"score": [weight, np.array([0, bias], "f4")]})
    return folder / "net.prototxt", folder / "net.caffemodel"


def gray(value: int, size: tuple[int, int] = (32, 32)) -> Image.Image:
    return Image.new("RGB", size, (value,) * 3)


@pytest.mark.parametrize(
    ("transform", "between", "bias", "turns"),
    [
        ('transform_param { mean_file: "mean.binaryproto" }', "", 0, 40),
        ("", "", -50, 50),  # raw bytes
        ("transform_param { mean_value: 60 scale: 0.5 }", "", -9, 78),  # (78 - 60) / 2 - 9 = 0
        ("", SHIFT, 0, 116),
    ],
)
def test_labels_are_those_of_caffe(tmp_path: Path, transform: str, between: str, bias: float, turns: int) -> None:
    """Class 1 where the picture is brighter than `turns`."""
    binaryproto(tmp_path / "mean.binaryproto", np.full((3, 32, 32), 40.0))
    text = DATA % transform + between + SCORE % ("shifted" if between else "data")
    segmenter = fcnlite.Segmenter(fcnlite.load(*files(tmp_path, text, bias)))
    assert (segmenter(gray(turns + 1)) == 1).all()
    assert (segmenter(gray(turns - 1)) == 0).all()


def test_a_deploy_net_that_centres_its_input_gets_no_mean_with_a_warning(tmp_path: Path) -> None:
    paths = files(tmp_path, DEPLOY % 3 + SHIFT + SCORE % "shifted")
    with pytest.warns(UserWarning, match=r"net.prototxt: pictures are fed as BGR, no mean.*'shift' \(Power\)"):
        net = fcnlite.load(*paths)
    assert not any(net.info.preprocessing.mean)


def test_assumed_preprocessing_is_warned_of_once_and_given_one_is_not(tmp_path: Path) -> None:
    paths = files(tmp_path, DEPLOY % 3 + SCORE % "data")
    with pytest.warns(UserWarning) as caught:
        net = fcnlite.load(*paths)
    (warning,) = (str(each.message) for each in caught)
    assert "BGR, mean 104.007, 116.669, 122.679, scale 1 (assumed: ImageNet's mean" in warning and "mean=" in warning
    net.save(tmp_path / "net.h5")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fcnlite.load(tmp_path / "net.h5").info.preprocessing == net.info.preprocessing  # its source too
        given = fcnlite.load(*paths, mean=(1, 2, 3), scale=0.5, order="rgb").info.preprocessing
    assert (given.mean, given.scale, given.color) == ((1, 2, 3), 0.5, "RGB")
    assert given.source.startswith("mean, scale and order as given")


def test_order_alone_turns_the_mean_with_the_colours(tmp_path: Path) -> None:
    net = fcnlite.load(
        *files(tmp_path, DATA % "transform_param { mean_value: 1 mean_value: 2 mean_value: 3 }" + SCORE % "data"),
        order="rgb",
    )
    assert net.info.preprocessing.mean == (3, 2, 1) and net.info.preprocessing.color == "RGB"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mean": (1, 2)}, "mean is 1.0, 2.0; expected 3"),
        ({"order": "grb"}, "order is 'grb'"),
        ({"mean": "gone.binaryproto"}, "gone.binaryproto: no such file"),
    ],
)
def test_settings_that_do_not_fit(tmp_path: Path, options: dict, words: str) -> None:
    paths = files(tmp_path, DATA % "" + SCORE % "data")
    with pytest.raises((SpecError, FileError), match=words):
        fcnlite.load(*paths, **options)


# Mean pictures


def test_a_mean_picture_is_subtracted_pixel_by_pixel_before_the_scale(tmp_path: Path) -> None:
    mean = np.random.default_rng(0).uniform(0, 255, (3, 6, 8)).astype("f4")
    binaryproto(tmp_path / "mean.binaryproto", mean)
    text = DATA % 'transform_param { mean_file: "mean.binaryproto" scale: 0.25 }' + SCORE % "data"
    net = fcnlite.load(*files(tmp_path, text))
    picture = np.random.default_rng(1).integers(0, 256, (6, 8, 3), np.uint8)
    wanted = ((picture[:, :, ::-1].transpose(2, 0, 1) - mean) * 0.25).mean(axis=0)
    np.testing.assert_allclose(fcnlite.Segmenter(net).scores(picture)[1], wanted, atol=1e-4)
    # The weight file keeps it, and what it does.
    net.save(tmp_path / "net.h5")
    again = fcnlite.Segmenter(tmp_path / "net.h5")
    np.testing.assert_allclose(again.scores(picture)[1], wanted, atol=1e-4)
    # Pictures of another size: its mean of each channel, said once.
    larger = np.random.default_rng(1).integers(0, 256, (7, 8, 3), np.uint8)
    wanted = ((larger[:, :, ::-1].transpose(2, 0, 1) - mean.mean(axis=(1, 2))[:, None, None]) * 0.25).mean(axis=0)
    with pytest.warns(UserWarning, match="the mean picture has 6 rows and 8 columns, a picture 7 rows"):
        found = again.scores(larger)
    np.testing.assert_allclose(found[1], wanted, atol=1e-3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        again.scores(larger)


def test_pictures_of_the_crop_take_the_middle_of_the_mean(tmp_path: Path) -> None:
    mean = np.random.default_rng(0).uniform(0, 255, (3, 9, 10)).astype("f4")
    binaryproto(tmp_path / "mean.binaryproto", mean)
    text = DATA % 'transform_param { mean_file: "mean.binaryproto" crop_size: 4 }' + SCORE % "data"
    net = fcnlite.load(*files(tmp_path, text))
    assert "crop_size 4 is not applied" in net.info.preprocessing.source
    picture = np.random.default_rng(1).integers(0, 256, (4, 4, 3), np.uint8)
    wanted = (picture[:, :, ::-1].transpose(2, 0, 1) - mean[:, 2:6, 3:7]).mean(axis=0)
    np.testing.assert_allclose(fcnlite.Segmenter(net).scores(picture)[1], wanted, atol=1e-4)


def test_a_missing_mean_file_is_named_and_searched_beside_the_prototxt(tmp_path: Path) -> None:
    text = DATA % 'transform_param { mean_file: "/somebody/imagenet_mean.binaryproto" }' + SCORE % "data"
    paths = files(tmp_path, text)
    with pytest.warns(UserWarning, match=r"mean_file '/somebody/imagenet_mean.binaryproto', which is not there"):
        assert fcnlite.load(*paths).info.preprocessing.mean == Preprocessing().mean
    binaryproto(tmp_path / "imagenet_mean.binaryproto", np.full((3, 4, 4), 7.0))
    assert fcnlite.load(*paths).info.preprocessing.mean == (7, 7, 7)


def test_a_mean_may_be_given_as_a_file(tmp_path: Path) -> None:
    paths = files(tmp_path, DATA % "" + SCORE % "data")
    np.save(tmp_path / "mean.npy", np.arange(3.0))
    assert fcnlite.load(*paths, mean=tmp_path / "mean.npy").info.preprocessing.mean == (0, 1, 2)
    np.save(tmp_path / "mean.npy", np.arange(24.0).reshape(3, 2, 4))
    found = fcnlite.load(*paths, mean=tmp_path / "mean.npy").info.preprocessing
    assert found.mean_picture is not None and found.mean == (3.5, 11.5, 19.5)
    np.testing.assert_array_equal(found.mean_picture.array, np.arange(24).reshape(3, 2, 4))
    np.save(tmp_path / "mean.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(FileError, match=r"mean.npy: is not a readable .npy file"):
        fcnlite.load(*paths, mean=tmp_path / "mean.npy")


def test_a_mean_picture_survives_json_and_damage_is_noticed() -> None:
    info = ModelInfo(Preprocessing(mean_picture=MeanPicture.of(np.random.default_rng(0).normal(size=(3, 2, 5)))))
    text = info.to_json()
    assert ModelInfo.from_json(text) == info
    for old, new in (('"width": 5', '"width": 6'), ('"width": 5', '"width": 2000000000')):
        with pytest.raises(SpecError, match="mean picture"):
            ModelInfo.from_json(text.replace(old, new))


def test_both_means_are_refused_as_caffe_does(tmp_path: Path) -> None:
    text = DATA % 'transform_param { mean_file: "m" mean_value: 3 }' + SCORE % "data"
    with pytest.raises(SpecError, match="has mean_file and mean_value"):
        fcnlite.load(*files(tmp_path, text))


# Channels


def test_gray_nets_take_gray(tmp_path: Path) -> None:
    """The channels follow from the weights, where the data base's are not written down."""
    paths = files(tmp_path, DATA % "transform_param { scale: 0.00390625 }" + SCORE % "data", channels=1)
    net = fcnlite.load(*paths)
    assert net.info.preprocessing == Preprocessing("GRAY", (0.0,), 1 / 256, source="layer 'data' subtracts no mean")
    assert fcnlite.Segmenter(net).scores(gray(128))[1, 0, 0] == pytest.approx(0.5, rel=1e-3)


def test_nets_of_other_channels_take_bands(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="bands 1, 2, 3, 4, 5 of 5, no mean"):
        net = fcnlite.load(*files(tmp_path, DEPLOY % 5 + SCORE % "data", channels=5))
    image = np.random.default_rng(0).integers(0, 256, (4, 6, 5), np.uint8)
    np.testing.assert_allclose(fcnlite.Segmenter(net).scores(image)[1], image.mean(axis=2), rtol=1e-5)


def test_the_data_layer_of_training_counts(tmp_path: Path) -> None:
    train, test = (
        DATA.replace('"data" type', f'"{phase}" type') % "transform_param { mean_value: %d }" % mean
        for phase, mean in (("a", 5), ("b", 9))
    )
    text = test.replace(" data_param", " include { phase: TEST } data_param")
    text += train.replace(" data_param", " include { phase: TRAIN } data_param") + SCORE % "data"
    assert caffe.feeding(caffe.parse_net(text), tmp_path / "x").preprocessing.mean == (5, 5, 5)


@pytest.mark.parametrize(
    "layers",
    [
        'layer { name: "lab" type: "Data" top: "label" data_param { source: "l" } }\n' + MEAN_40,
        MEAN_40
        + 'layer { name: "lab" type: "Data" top: "label" include { phase: TRAIN } data_param { source: "l" } }\n',
    ],
)
def test_the_layer_of_the_picture_counts_not_that_of_the_label(tmp_path: Path, layers: str) -> None:
    assert caffe.feeding(caffe.parse_net(layers + SCORE % "data"), tmp_path / "x").preprocessing.mean == (40, 40, 40)


def test_layers_that_are_left_out_of_testing_train(tmp_path: Path) -> None:
    text = (MEAN_40 + MEAN_40.replace("40", "50").replace('"data" type', '"b" type')).replace(
        " data_param", "%s data_param"
    )
    text = text % (" exclude { phase: TRAIN }", " exclude { phase: TEST }")
    assert caffe.feeding(caffe.parse_net(text + SCORE % "data"), tmp_path / "x").preprocessing.mean == (50, 50, 50)


@pytest.mark.parametrize("scale", [0, float("nan"), float("inf")])
def test_an_invalid_scale_is_refused(tmp_path: Path, scale: float) -> None:
    with pytest.raises(SpecError, match=r"scale is .*; expected a number other than 0"):
        fcnlite.load(*files(tmp_path, DATA % "" + SCORE % "data"), scale=scale)

"""`train --model net.prototxt`: the data set feeds the net, whatever its data layers read."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import fcnlite
from fcnlite import storage
from fcnlite._cli.running import run_command
from fcnlite.description.model_info import Preprocessing
from fcnlite.train.__main__ import main
from tests.cli.conftest import Command
from tests.train.runs import arrays

CASES = Path(__file__).parents[1] / "train" / "prototxt"
RUN = ("--data-option", "size=32", "--data-option", "count=4", "--batch-size", 2, "--base-lr", 1e-4, "--iterations", 2)
DATA = re.compile(r'layer \{ name: "data".*\n(layer \{ name: "label".*\n)?')
NET = (CASES / "tvData.prototxt").read_text()


def trained(command: Command, tmp_path: Path, text: str, *options: object) -> Path:
    out = tmp_path / "run"
    (tmp_path / "net.prototxt").write_text(text)
    ended = command(main, *RUN, "--model", tmp_path / "net.prototxt", *options, "--out", out)
    assert ended.status == 0, ended.err
    return out


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    """The weights that the net with Input layers learns."""
    out = tmp_path_factory.mktemp("input") / "run"
    assert run_command(main, [str(each) for each in (*RUN, "--model", CASES / "tvInput.prototxt", "--out", out)]) == 0
    return arrays(out / "last.h5")


LAYERS = {
    "two Data layers, in TRAIN alone": None,
    "one of two tops with an input_param": (CASES / "tvDataShape.prototxt").read_text(),
    "HDF5Data": 'layer { name: "data" type: "HDF5Data" top: "data" top: "label" hdf5_data_param { source: "x" } }\n',
    "ImageData": (
        'layer { name: "data" type: "ImageData" top: "data" image_data_param { source: "x" } }\n'
        'layer { name: "label" type: "ImageData" top: "label" image_data_param { source: "y" is_color: false } }\n'
    ),
    "one for each phase": "".join(
        f'layer {{ name: "data" type: "Data" top: "data" top: "label" include {{ phase: {phase} }} '
        'data_param { source: "x" batch_size: 7 } }\n'
        for phase in ("TRAIN", "TEST")
    ),
    "Python": (
        'layer { name: "data" type: "Python" top: "data" top: "label" python_param { module: "m" layer: "L" } }\n'
    ),
}


def with_mean(text: str) -> str:
    """The data layers of a net, but for HDF5's, with the mean that nets without a data layer take."""
    mean = " ".join(f"mean_value: {value}" for value in Preprocessing().mean)
    text = re.sub(r"transform_param \{[^}]*\}", "", text)
    return re.sub(r"(?<!hdf5_)\b((?:image_)?data_param \{)", rf"transform_param {{ {mean} }} \1", text)


@pytest.mark.parametrize("layers", LAYERS.values(), ids=LAYERS)
def test_it_learns_what_it_learns_with_described_inputs(
    command: Command, tmp_path: Path, layers: str | None, expected: dict[str, np.ndarray]
) -> None:
    text = NET if layers is None else layers if "conv1" in layers else DATA.sub(layers, NET, count=1)
    out = trained(command, tmp_path, with_mean(text))
    found = arrays(out / "last.h5")
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
    assert fcnlite.Segmenter(out / "best.h5")(np.zeros((20, 44, 3), np.uint8)).shape == (20, 44)
    spec = storage.load(out / "best.h5").spec
    assert {layer.type for layer in spec if not layer.bottom} == {"Input"}


def test_a_net_of_gray_pictures_gets_gray_ones(command: Command, tmp_path: Path) -> None:
    layers = (
        'layer { name: "data" type: "ImageData" top: "data" image_data_param { source: "x" is_color: false } }\n'
        'layer { name: "label" type: "ImageData" top: "label" image_data_param { source: "y" is_color: false } }\n'
    )
    out = trained(command, tmp_path, DATA.sub(layers, NET, count=1))
    content = storage.load(out / "best.h5")
    assert content.params["conv1"][0].shape == (8, 1, 3, 3)
    assert content.info.preprocessing.color == "GRAY"


def test_a_crop_gives_the_shape(command: Command, tmp_path: Path) -> None:
    out = trained(command, tmp_path, NET, "--crop", 24, 28)
    data = storage.load(out / "best.h5").spec.layer("data")
    assert data.options["shape"][0]["dim"] == [1, 3, 24, 28]


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("net.prototxt", "makes picture, mask, but data set 'shapes' gives data, label; rename picture, mask"),
        ("weights.caffemodel", "is a file of weights; give it to --init"),
    ],
)
def test_the_error_for_unusable_inputs_names_a_remedy(command: Command, tmp_path: Path, model: str, words: str) -> None:
    layer = 'layer { name: "in" type: "HDF5Data" top: "picture" top: "mask" hdf5_data_param { source: "x" } }\n'
    (tmp_path / "net.prototxt").write_text(DATA.sub(layer, NET).replace('"data"', '"picture"'))
    ended = command(main, *RUN, "--model", tmp_path / model, "--out", tmp_path / "run")
    assert ended.status == 1
    assert words in ended.err
    assert not (tmp_path / "run").exists()


def test_pictures_are_fed_as_the_data_layer_describes(command: Command, tmp_path: Path) -> None:
    transform = "transform_param { mean_value: 90 scale: 0.5 } data_param {"
    text = re.sub(r"transform_param \{[^}]*\}", "", NET).replace("data_param {", transform)
    found = storage.load(trained(command, tmp_path, text) / "best.h5").info.preprocessing
    assert (found.mean, found.scale, found.source) == ((90, 90, 90), 0.5, "layer 'data': mean_value")


def test_fine_tuning_feeds_as_the_weights_were_trained(command: Command, tmp_path: Path) -> None:
    out = trained(command, tmp_path, (CASES / "tvInput.prototxt").read_text())
    net = fcnlite.load(out / "best.h5", mean=50.0, scale=0.25)
    net.save(tmp_path / "scaled.h5")
    again = tmp_path / "again"
    ended = command(main, *RUN, "--model", tmp_path / "net.prototxt", "--init", tmp_path / "scaled.h5", "--out", again)
    assert ended.status == 0 and ": BGR, mean 50, 50, 50, scale 0.25" in ended.err
    assert storage.load(again / "best.h5").info.preprocessing.mean == (50, 50, 50)


def test_a_gray_net_is_fed_less_its_own_mean(command: Command, tmp_path: Path) -> None:
    transform = "transform_param { mean_value: 40 force_gray: true } data_param {"
    text = re.sub(r"transform_param \{[^}]*\}", "", NET).replace("data_param {", transform)
    found = storage.load(trained(command, tmp_path, text) / "best.h5").info.preprocessing
    assert (found.color, found.mean) == ("GRAY", (40,))

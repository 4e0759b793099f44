"""`python -m fcnlite.summary`."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from fcnlite import caffe, models, summary
from fcnlite.summary import Row, summarize
from tests.cli.conftest import Command

STAGES = ((64, 2, 224), (128, 2, 112), (256, 3, 56), (512, 3, 28), (512, 3, 14))
"""VGG-16: channels, convolutions and side of the maps of each stage."""


def rows(model: str, classes: int | None = None, **fed: tuple[int, ...]) -> dict[str, Row]:
    return {row.name: row for row in summarize(models.describe(model, classes=classes), fed)}


def table(out: str) -> dict[str, list[str]]:
    """The cells of a summary's table by layer."""
    return {line.split()[0]: line.split()[1:] for line in out.split("\n\n")[0].splitlines()}


def test_vgg16_has_the_parameters_and_the_work_that_its_authors_name() -> None:
    found = rows("vgg16", data=(1, 3, 224, 224))
    parameters = macs = 0
    channels = 3
    for outputs, convolutions, side in STAGES:
        for _ in range(convolutions):
            parameters += outputs * (channels * 9 + 1)
            macs += outputs * channels * 9 * side * side
            channels = outputs
    for inputs, outputs in ((512 * 7 * 7, 4096), (4096, 4096), (4096, 1000)):
        parameters += outputs * (inputs + 1)
        macs += outputs * inputs
    assert sum(row.parameters for row in found.values()) == parameters == 138_357_544
    assert sum(row.macs for row in found.values()) == macs == 15_470_264_320
    assert (found["conv1_2"].parameters, found["fc8"].shape) == (64 * (64 * 9 + 1), (1, 1000))


def test_activations_count_blobs_written_in_place_once() -> None:
    found = rows("vgg16", data=(1, 3, 224, 224))
    assert found["data"].activations == 3 * 224 * 224
    assert found["conv1_1"].activations == 64 * 224 * 224
    assert found["relu1_1"].activations == 0


def test_strides_and_receptive_fields_of_fcn32s_are_the_papers() -> None:
    found = rows("voc-fcn32s", data=(1, 3, 500, 500))
    assert (found["pool5"].stride, found["pool5"].field) == ("32", "212")
    assert (found["score_fr"].stride, found["score_fr"].field) == ("32", "404")
    assert found["score"].stride == "1"
    assert found["score"].shape == (1, 21, 500, 500)


def test_batch_and_size_scale_the_work(command: Command) -> None:
    one = rows("lite-fcn8s", 5, data=(1, 3, 32, 32))
    two = rows("lite-fcn8s", 5, data=(2, 3, 32, 64))
    assert two["conv1_1"].macs == 4 * one["conv1_1"].macs
    assert two["conv1_1"].parameters == one["conv1_1"].parameters
    ended = command(summary.main, "lite-fcn8s", "--classes", 5, "--batch", 2, "--size", "32x64")
    cells = table(ended.out)
    assert (ended.status, ended.err) == (0, "")
    assert cells["data"][1] == "2×3×32×64"
    assert cells["score"][1] == "2×5×32×64"


def test_prints_columns_and_totals(command: Command) -> None:
    ended = command(summary.main, "vgg16")
    cells = table(ended.out)
    assert cells["layer"] == ["type", "top", "parameters", "MACs", "stride", "field"]
    assert cells["conv1_1"] == ["Convolution", "1×64×224×224", "1,792", "86.70", "M", "1", "3"]
    assert cells["fc6"] == ["InnerProduct", "1×4096", "102,764,544", "102.76", "M", "–", "–"]
    assert "loss" not in cells
    assert "\nparameters   138,357,544 (553.43 MB)\nMACs         15.47 G\nactivations  60.95 MB " in ended.out


def test_reads_weight_files(command: Command, weights: Path) -> None:
    ended = command(summary.main, weights)
    assert ended.status == 0
    assert table(ended.out)["classify"] == ["Convolution", "1×3×8×8", "12", "576", "1", "1"]
    assert "\nparameters   12 (48 B)\nMACs         576\nactivations  1.54 kB (" in ended.out


def test_reads_prototxts_with_unequal_axes_and_shared_weights(tmp_path: Path, command: Command) -> None:
    convolution = """
        layer {{ name: "{0}" type: "Convolution" bottom: "data" top: "{0}" param {{ name: "w" }}
          convolution_param {{ num_output: 2 kernel_size: [3, 5] stride: [1, 2] bias_term: false }} }}"""
    file = tmp_path / "net.prototxt"
    file.write_text('layer { name: "data" type: "Input" top: "data" }' + "".join(map(convolution.format, "ab")))
    ended = command(summary.main, file, "--size", "9x9")
    assert ended.status == 0
    assert table(ended.out)["a"] == ["Convolution", "1×2×7×3", "90", "1.89", "k", "1×2", "3×5"]
    assert table(ended.out)["b"] == ["Convolution", "1×2×7×3", "1.89", "k", "1×2", "3×5"]
    ended = command(summary.main, file)
    assert (ended.status, ended.out) == (1, "")
    assert "gives no shape for input 'data'; give one with --size HxW" in ended.err


def test_says_which_weights_fit(tmp_path: Path, command: Command) -> None:
    small = ("--width", "0.02", "--classes", 4)
    net = models.build("lite-fcn8s", classes=4, width=0.02)
    arrays = {name: [each.array for each in parameters] for name, parameters in net.params.items()}
    arrays["other"] = arrays.pop("score_fr")
    caffe.write_weights(tmp_path / "net.caffemodel", arrays)
    ended = command(summary.main, "lite-fcn8s", *small, tmp_path / "net.caffemodel")
    assert ended.status == 0
    assert f"parameters of {tmp_path}/net.caffemodel fit the net\n  score_fr[0]: left" in ended.out
    assert "  other[0]: unused" in ended.out
    ended = command(summary.main, "lite-fcn8s", tmp_path / "net.caffemodel", "--width", "0.04")
    assert ended.status == 1
    assert "parameters do not fit the net, the first is conv1_1[0]: shape differs" in ended.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lite-fcn8"], "lite-fcn8: is neither a file nor a model; did you mean 'lite-fcn8s'"),
        (["missing.prototxt"], "missing.prototxt: no such file"),
        (["missing.h5"], "missing.h5: no such file"),
        (["vgg16", "--width", "0"], "width is 0.0"),
        (["missing.h5", "--classes", "3"], "--classes and --width are for models by name"),
    ],
)
def test_bad_input_ends_in_one_sentence(command: Command, arguments: list[str], words: str) -> None:
    ended = command(summary.main, *arguments)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith("error: ")
    assert words in ended.err


@pytest.mark.parametrize("size", ["100", "0x5", "axb", "5x", "1000000x1"])
def test_sizes_are_height_and_width(command: Command, size: str) -> None:
    ended = command(summary.main, "vgg16", "--size", size)
    assert ended.status == 2
    assert f"argument --size: {size!r} is no height and width" in ended.err


def test_runs_as_a_module_without_making_the_weights() -> None:
    """FCN-8s has 538 MB of weights and the process may not have half of that."""
    ended = subprocess.run(
        [sys.executable, "-m", "fcnlite.summary", "voc-fcn8s"],
        env={
            "PYTHONPATH": str(Path(summary.__file__).parents[1]),
            "PYTHONIOENCODING": "utf-8",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        },
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (250 << 20,) * 2),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "parameters   134,489,759" in ended.stdout

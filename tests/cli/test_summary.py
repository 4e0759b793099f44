"""`python -m fcnlite.summary`."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fcnlite import caffe, models, summary
from tests.cli.conftest import Command


def table(out: str) -> dict[str, list[str]]:
    """The cells of a summary's table by layer."""
    return {line.split()[0]: line.split()[1:] for line in out.split("\n\n")[0].splitlines()}


def test_batch_and_size_are_chosen(command: Command) -> None:
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


def test_it_lists_which_weights_fit(tmp_path: Path, command: Command) -> None:
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


def test_weights_are_checked_where_the_label_has_no_shape(tmp_path: Path, command: Command) -> None:
    file = tmp_path / "train_val.prototxt"
    file.write_text("""
        layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
        layer { name: "label" type: "Input" top: "label" }
        layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
          convolution_param { num_output: 4 kernel_size: 3 } }
        layer { name: "loss" type: "SoftmaxWithLoss" bottom: "conv" bottom: "label" top: "loss" }""")
    weights = tmp_path / "net.caffemodel"
    caffe.write_weights(weights, {"conv": [np.zeros((4, 3, 3, 3), "f4"), np.zeros(4, "f4")]})
    ended = command(summary.main, file, weights)
    assert (ended.status, ended.err) == (0, "")
    assert table(ended.out)["conv"][:2] == ["Convolution", "1×4×6×6"]
    assert ended.out.endswith(f"\nweights      2 parameters of {weights} fit the net\n")
    caffe.write_weights(weights, {"conv": [np.zeros((4, 3, 5, 5), "f4"), np.zeros(4, "f4")]})
    ended = command(summary.main, file, weights)
    assert (ended.status, ended.out) == (1, "")
    assert "1 parameters do not fit the net, the first is conv[0]" in ended.err


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
    assert f"argument --size: {size!r} is not a height and width" in ended.err


def test_runs_as_a_module_without_making_the_weights() -> None:
    """FCN-8s has 538 MB of weights; the process is limited to less than half of that."""
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

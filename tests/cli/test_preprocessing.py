"""--mean, --scale and --order, and how the commands report the preprocessing."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import fcnlite
from fcnlite import caffe, convert, predict, summary
from tests.cli.conftest import Command
from tests.formats.caffe.test_preprocessing import DATA, SCORE, files, gray


def test_commands_show_and_set_it(tmp_path: Path, command: Command) -> None:
    prototxt, weights = files(tmp_path, DATA % "" + SCORE % "data", bias=-50)
    gray(80).save(tmp_path / "in.png")
    base = (weights, "--net", prototxt, tmp_path / "in.png", "-o", tmp_path / "out", "--no-overlay")
    ended = command(predict.main, *base)
    assert "data: fed as BGR, no mean, scale 1 (layer 'data' subtracts no mean)" in ended.err
    assert "class 1 100.0 %" in ended.out
    ended = command(predict.main, *base, "--mean", "31")
    assert "mean 31, 31, 31" in ended.err and "class 0 100.0 %" in ended.out
    ended = command(predict.main, *base, "--mean", "a,b")
    assert ended.status == 1 and "--mean a,b: is neither a file nor numbers" in ended.err
    ended = command(summary.main, prototxt, weights, "--size", "8x8")
    assert "fed as BGR, no mean, scale 1 (layer 'data' subtracts no mean)" in ended.out


def test_convert_keeps_it_in_the_weight_file(tmp_path: Path, command: Command) -> None:
    text = DATA % "transform_param { mean_value: 9 scale: 2 }"
    text += 'layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 2 } }'
    (tmp_path / "net.prototxt").write_text(text)
    caffe.write_weights(tmp_path / "net.caffemodel", {"ip": [np.ones((2, 12), "f4"), np.ones(2, "f4")]})
    text = text.replace("crop", "")
    (tmp_path / "net.prototxt").write_text(text.replace("scale: 2 }", "scale: 2 crop_size: 2 }"))
    out = tmp_path / "net.h5"
    ended = command(convert.main, tmp_path / "net.caffemodel", "--net", tmp_path / "net.prototxt", "-o", out)
    assert ended.status == 0 and "pictures are fed as BGR, mean 9, 9, 9, scale 2" in ended.out
    assert fcnlite.load(out).info.preprocessing.mean == (9, 9, 9)

"""`python -m fcnlite.paper`: the list, a page, and bad input, each in one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from fcnlite import paper
from fcnlite._cli.running import run_command
from fcnlite.analysis.paper.table import EXPERIMENTS


def run(*arguments: object) -> int:
    return run_command(paper.main, [str(each) for each in arguments])


def test_the_list_has_a_line_for_each_experiment(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [each.name for each in EXPERIMENTS]
    assert len(lines) >= 25


def test_a_page_ends_with_its_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("pool5-stride", "--out", tmp_path) == 0
    target = tmp_path / "pool5-stride" / "index.html"
    assert capsys.readouterr().out.splitlines()[-1] == str(target)
    assert f"python -m fcnlite.paper pool5-stride --out {tmp_path}" in target.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "no experiment is named; `python -m fcnlite.paper --list` lists them."),
        (["uper-bounds"], "no experiment is called 'uper-bounds'; did you mean 'upper-bounds'?"),
        (["upper-bounds", "--init", "x"], "upper-bounds does not use --init; its options: --data."),
        (["metrics", "--data", "nothing"], "metrics does not use --data; its options: none."),
        (["upper-bounds", "--root", "x"], "--root has no effect without --data; name the data set with --data."),
        (["upper-bounds", "--val-split", "x"], "--val-split has no effect without --data;"),
        (["upper-bounds", "--data", "voc"], "data set 'voc' needs its root folder (--root DIR)."),
        (
            ["boundaries", "--data", "shapes", "--data-option", "count=4"],
            "data set 'shapes' has no class 'membrane', whose pixels are to be found;",
        ),
        (["receptive-fields", "--model", "lenet", "--blob", "ip1"], "the last blob with a place is 'pool2'."),
        (
            ["receptive-fields", "--model", "lenett"],
            "no model is called 'lenett'; did you mean 'lenet' or 'alexnet' or",
        ),
        (
            ["receptive-fields", "--model", "x.caffemodel"],
            "x.caffemodel: holds weights only; name its net with --model,",
        ),
        (["receptive-fields", "--model", "x.h5"], "x.h5: no such file; check the path."),
        (["results", "--model", "voc-fcn8s"], "--model is given without --data;"),
        (
            ["shift-and-stitch", "--model", "MODEL"],
            "layer 'mvn' (MVN): is none of convolution, pooling and elementwise",
        ),
        (["receptive-fields", "--model", "MODEL"], "layer 'mvn' (MVN) computes with the whole picture at once,"),
    ],
)
def test_bad_input_ends_in_one_sentence(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "net.prototxt").write_text(
        'name: "normalized" layer { name: "data" type: "Input" top: "data" '
        "input_param { shape { dim: 1 dim: 3 dim: 64 dim: 64 } } } "
        'layer { name: "mvn" type: "MVN" bottom: "data" top: "mvn" } '
        'layer { name: "pool" type: "Pooling" bottom: "mvn" top: "pool" pooling_param { kernel_size: 2 stride: 2 } }'
    )
    arguments = [str(tmp_path / "net.prototxt") if each == "MODEL" else each for each in arguments]
    assert run(*arguments, "--out", tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1
    assert words in said
    assert not (tmp_path / "out").exists()


def test_a_file_in_place_of_the_folder_is_refused_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert run("metrics", "--out", tmp_path / "file") == 1
    assert "file is a file); choose another with --out." in capsys.readouterr().err

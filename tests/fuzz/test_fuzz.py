"""2,000 damaged files of Caffe's, some hostile ones; `python -m tests.fuzz 100000` tries more."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from fcnlite.errors import FcnliteError
from fcnlite.formats.caffe import parse_net
from tests.fuzz.mutations import file_kinds, survives

COUNTS = {"net": 900, "solver": 200, "caffemodel": 400, "hdf5": 200, "state": 150, "blob": 150}


@pytest.mark.parametrize("name", COUNTS)
def test_damaged_files(name: str, tmp_path: Path) -> None:
    kind = file_kinds(tmp_path)[name]
    rng = random.Random(f"20141114 {name}")
    for example in kind.examples:
        assert survives(kind, tmp_path / "file", example)
    results = [
        survives(kind, tmp_path / "file", kind.damage(rng.choice(kind.examples), rng)) for _ in range(COUNTS[name])
    ]
    assert any(results) and not all(results)


@pytest.mark.parametrize(
    "text",
    [
        "layer { " * 100_000,
        "layer { convolution_param { weight_filler { " * 20_000,
        "[a.b/c] { " * 50_000,
        "layer { loss_weight: " + "[" * 200_000,
        "layer { top: " + '"a" ' * 200_000,
        "input: 'a' input_shape { dim: 999999999999999999999999 }",
        "odd: 1 " * 100_000 + "layer { odd_param { x: " + "<" * 50_000,
        'layer { name: "x" type: "Odd" odd_param { ' + "a { " * 100_000,
        "layer { type: 'Odd' odd_param { " + 'x: "' + "\\" * 100_001,
        "\0" * 100_000,
    ],
)
def test_hostile_text(text: str) -> None:
    with pytest.raises(FcnliteError):
        parse_net(text)


@pytest.mark.parametrize(
    "content",
    [
        b"\x0b" * 1_000_000,
        b"\xa2\x06\xff\xff\xff\xff\x07",
        b"\xa2\x06\x0a\x0a\x01a\x3a\x05\x2a\xff\xff\xff\x0f",
        b"\xff" * 100_000,
        b"\xa2\x06\x00" * 1_000_000,
        b"\x12\x00" * 1_000_000,
    ],
)
def test_hostile_caffemodel(content: bytes, tmp_path: Path) -> None:
    assert not survives(file_kinds(tmp_path)["caffemodel"], tmp_path / "file", content)

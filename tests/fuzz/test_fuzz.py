"""Every reader replays its corpus and reads some damaged files; `make fuzz` tries many more."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from fcnlite.errors import FcnliteError
from fcnlite.formats.caffe import parse_net
from tests.fuzz import FILES
from tests.fuzz.targets import TARGETS, survives, under
from tests.fuzz.totals import Totals, failures, table

CORPUS = Path(__file__).parent / "corpus"
DAMAGED = {"net": 30, "keras": 10}
"""The number of damaged files of targets that take long; 40 of the others."""


def test_names_are_those_of_the_targets() -> None:
    assert tuple(TARGETS) == tuple(FILES)
    assert {each.name for each in CORPUS.iterdir()} <= set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_the_corpus_and_damaged_files(name: str, tmp_path: Path) -> None:
    if name in ("labelme", "coco"):
        pytest.importorskip("shapely", reason="needs the extra labels (shapely)")
    target, path = TARGETS[name], under(tmp_path, TARGETS[name])
    found = target.examples()
    read = [survives(target, path, each) for each in found]
    rng = random.Random(f"20141114 {name}")
    damaged = [target.damage(rng.choice(found), rng) for _ in range(DAMAGED.get(name, 40))]
    kept = [each.read_bytes() for each in sorted((CORPUS / name).glob("*"))]
    read += [survives(target, path, each) for each in (*damaged, *kept)]
    assert any(read) and not all(read)


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
    assert not survives(TARGETS["caffemodel"], tmp_path / "file", content)


def test_the_table_of_all_runs(tmp_path: Path) -> None:
    Totals(cases=30_000, seconds=60.0, slowest=1.25, peak=80, coverage=12, versions={"numpy": "2"}).write(
        tmp_path, "mean"
    )
    Totals(cases=1, failure="ValueError: file").write(tmp_path, "names")
    failures(tmp_path, "mean").mkdir(parents=True)
    for name in ("crash-1", "slow-unit-1"):
        (failures(tmp_path, "mean") / name).touch()
    lines = table(tmp_path).splitlines()
    assert "| `mean` | a mean in `.npy` | 30,000 | 1.0 min | 2.00 ms | 12 | 1.2 s | 80 MB | 1, mended |" in lines
    assert next(each for each in lines if each.startswith("| `names`")).endswith("| ValueError: file |")
    assert lines[-1] == "Versions: numpy 2."

"""The shipped weights: their size, their checksums, and the figures of weights/README.md to the digit."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fcnlite
from fcnlite import evaluate, storage

FOLDER = Path(__file__).parents[1] / "weights"
README = (FOLDER / "README.md").read_text(encoding="utf-8")
FILES = sorted(each.name for each in FOLDER.glob("*.h5"))
CLASSIFIER = "shapes-classifier.h5"
SEGMENTERS = [each for each in FILES if each != CLASSIFIER]
LARGEST = 10_000_000
ROOTS = {"camvid": "camvid", "isbi": "isbi_em_membrane"}
"""The places in the shared folder of the data sets that the commands name."""

SUMS = dict(re.findall(r"^\| `([\w.-]+\.h5)` \|.*\| `([0-9a-f]{64})` \|$", README, re.MULTILINE))
FIGURES = re.findall(r"^\| `python -m fcnlite\.evaluate weights/(.+)` \| ([\d.]+) \| ([\d.]+) \|", README, re.MULTILINE)
"""Command, pixel accuracy and mean IU of each row."""


def test_every_file_is_small_and_has_its_checksum_in_the_table() -> None:
    assert SUMS.keys() == set(FILES)
    for name in FILES:
        content = (FOLDER / name).read_bytes()
        assert len(content) <= LARGEST
        assert hashlib.sha256(content).hexdigest() == SUMS[name], name


def test_the_nets_that_were_promised_are_there() -> None:
    assert {CLASSIFIER, "shapes-fcn8s.h5", "camvid-fcn8s.h5", "em-membrane-fcn8s.h5"} <= set(FILES)
    assert {name.split()[0] for name, *_ in FIGURES} >= {"shapes-fcn8s.h5", "camvid-fcn8s.h5"}


@pytest.mark.parametrize(
    ("command", "accuracy", "mean_iu"),
    [
        pytest.param(*each, id=each[0].split()[0], marks=pytest.mark.slow if "--scales" in each[0] else ())
        for each in FIGURES
    ],
)
def test_the_figures_come_out_again(
    command: str, accuracy: str, mean_iu: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    weights, *options = shlex.split(command)
    if "--root" in options:
        place = options.index("--root") + 1
        options[place] = str(request.getfixturevalue("shared") / "data" / ROOTS[options[place]])
    evaluate.main([str(FOLDER / weights), *options])
    printed = capsys.readouterr().out
    assert re.search(rf"^pixel accuracy +{accuracy}$", printed, re.MULTILINE), printed
    assert re.search(rf"^mean IU +{mean_iu}$", printed, re.MULTILINE), printed


@pytest.mark.parametrize("name", SEGMENTERS)
def test_any_size_goes_in_and_the_same_comes_out(name: str) -> None:
    segmenter = fcnlite.Segmenter(FOLDER / name)
    picture = np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)
    assert segmenter(picture).shape == (37, 53)


@pytest.mark.parametrize("name", FILES)
def test_no_file_tells_of_the_machine_that_trained_it(name: str) -> None:
    def texts(value: Any) -> Iterator[str]:
        if isinstance(value, str):
            yield value
        elif isinstance(value, (list, dict)):
            for each in value.values() if isinstance(value, dict) else value:
                yield from texts(each)

    record = storage.load(FOLDER / name).info.record
    assert record["options"]["model"].startswith("lite-")
    assert [text for text in texts(dict(record)) if "/" in text or "\\" in text] == []
    content = (FOLDER / name).read_bytes()
    for words in (b"/work", b"/home", b"/root", b"/tmp"):
        assert words not in content

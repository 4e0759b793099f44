"""The page's texts: both languages are complete, and the engine's sentences have Chinese forms."""

from __future__ import annotations

import re

import pytest

from fcnlite.explore.playground.cases import CASES, CAUSES
from tests.explore.chinese import PAGE, in_chinese, rows


def test_every_text_has_both_languages_and_is_used() -> None:
    table = (PAGE / "texts.js").read_text(encoding="utf-8")
    rows = re.findall(r"^  (\w+): \[(\".*?\"), (\".*?\")\],$", table, re.M)
    assert len(rows) == len(re.findall(r"^  \w+: \[", table, re.M)) > 100
    for key, english, chinese in rows:
        assert re.search("[\u4e00-\u9fff]", chinese), key
        assert sorted(re.findall(r"\{\w+\}", english)) == sorted(re.findall(r"\{\w+\}", chinese)), key
    keys = {key for key, *_ in rows}
    assert len(keys) == len(rows)
    page = "".join(file.read_text(encoding="utf-8") for file in PAGE.iterdir() if file.name != "texts.js")
    asked = set(re.findall(r"""\bt\("(\w+)\"""", page)) | set(re.findall(r"""\b(?:text|label): "(\w+)\"""", page))
    asked |= set(re.findall(r"""\bdata-t(?:-label)?="(\w+)\"""", page))
    asked |= set(re.findall(r"""\bfield\("(\w+)\"""", page))
    asked |= {f"cause_{each}" for each in CAUSES} | {f"why_{each.cause}" for each in CASES}
    assert asked - keys == set()
    composed = ("opt_", "role_", "severity_", "cause_", "why_")
    unused = {key for key in keys if not re.search(rf"\b{key}\b", page) and not key.startswith(composed)}
    assert unused == set()


def test_every_chinese_sentence_uses_the_parts_that_its_pattern_has() -> None:
    assert len(rows()) > 80
    for english, chinese in rows():
        assert max(map(int, re.findall(r"\$(\d)", chinese)), default=0) <= english.groups, english.pattern
        assert re.search("[\u4e00-\u9fff]", chinese)


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("rate is '5000'; expected a number from 0 to 1000.", "rate 为 5000；应为 0 至 1000 的数。"),
        ("net is 'vgg16'; expected lite-32s or lite-16s.", "lite-32s or lite-16s"),
        ("the computation took more than 120 seconds and was stopped; open the picture again.", "超过 120 秒"),
        ("the process that computes has ended; start the training again.", "进程已结束"),
        ("relu2_2: the output is zero for every picture, so that no layer before learns from it.", "relu2_2："),
        ("something that nobody has translated.", ""),
    ],
)
def test_sentences_in_chinese(sentence: str, words: str) -> None:
    assert words in in_chinese(sentence) and bool(words) == bool(in_chinese(sentence))

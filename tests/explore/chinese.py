"""The table of the engine's sentences in Chinese, as the page has it."""

from __future__ import annotations

import re
from pathlib import Path

from fcnlite import explore

PAGE = Path(explore.__file__).parent / "page"
_ROW = re.compile(r'^  \[/\^(.+)\$/, "(.+)"\],$', re.MULTILINE)


def rows() -> list[tuple[re.Pattern[str], str]]:
    """Pattern and Chinese form of each sentence."""
    found = _ROW.findall((PAGE / "sentences.js").read_text(encoding="utf-8"))
    return [(re.compile(english.replace(r"\/", "/")), chinese) for english, chinese in found]


def in_chinese(sentence: str) -> str:
    """The Chinese form of a sentence; empty if it has none."""
    for english, chinese in rows():
        if found := english.fullmatch(sentence):
            return re.sub(r"\$(\d)", lambda part: found[int(part[1])] or "", chinese)
    return ""

"""The pages of the book, and what is in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FLAT = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
"""README and the pages of `docs` itself."""
FOLDERS = [
    page for page in sorted(DOCS.glob("*/**/*.md")) if page.relative_to(DOCS).parts[0] not in ("_build", "_figures")
]
"""The other pages, in both languages."""
PAGES = [*FLAT, *FOLDERS, *ROOT.glob("README.*.md")]

_FENCE = re.compile(r"^ *(`{3,}|:{3,}|~{3,})")
_HEADING = re.compile(r"^(#{1,6}) +(.*?) *$")
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^()\s]+)\)")


def name_of(page: Path) -> str:
    return page.relative_to(DOCS).as_posix() if page.is_relative_to(DOCS) else page.name


def prose(text: str) -> Iterator[str]:
    """The lines of a page outside of blocks of code."""
    fence = ""
    for line in text.splitlines():
        mark = _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif mark and mark[1][0] != ":":
            fence = mark[1]
        else:
            yield line


def links(text: str) -> Iterator[tuple[bool, str, str]]:
    """Whether each link shows a picture, its words and its target."""
    without_code = re.sub(r"(`+)[^`]*?\1", lambda code: "`" * len(code[0]), "\n".join(prose(text)))
    for mark, words, target in _LINK.findall(without_code):
        yield bool(mark), words, target
        for inner_mark, inner_words, inner_target in _LINK.findall(words):
            yield bool(inner_mark), inner_words, inner_target


def anchors(text: str) -> set[str]:
    """The names of a page's headings in addresses, as GitHub and MyST make them, and its labels."""
    found: set[str] = set(re.findall(r"^\(([\w-]+)\)=$", text, re.M))
    for line in prose(text):
        if heading := _HEADING.match(line):
            words = _LINK.sub(r"\2", heading[2]).replace("`", "")
            slug = re.sub(r"[^\w\- ]", "", words.lower()).strip().replace(" ", "-")
            number = 0
            while (name := f"{slug}-{number}" if number else slug) in found:
                number += 1
            found.add(name)
    return found

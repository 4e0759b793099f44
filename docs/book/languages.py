"""The book's two languages: the link to a page in the other one, and the search in Chinese.

The Chinese book is built into the folder `zh` of the English one, so that links between them are those of the sources.
"""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.search import SearchLanguage

DOCS = Path(__file__).parents[1]


def is_chinese(srcdir: Path | str) -> bool:
    return Path(srcdir).resolve() == DOCS / "zh"


class Chinese(SearchLanguage):
    """Finds Chinese words without a dictionary: by all pairs of neighbouring characters, of pages and of queries."""

    lang = "zh_CN"
    language_name = "Chinese"
    # Sphinx escapes quotes and angle brackets in this code.
    js_splitter_code = """
var splitQuery = function (query) {
  return (query.match(/[A-Za-z0-9_]+|[\\u4e00-\\u9fff]+/g) || []).flatMap(function (run) {
    const characters = Array.from(run);
    if (/[A-Za-z0-9_]/.test(run) || characters.length === 1) return [run];
    return characters.slice(1).map(function (each, i) { return characters[i] + each; });
  });
};
"""

    def split(self, input: str) -> list[str]:
        found = []
        for run in re.findall(r"[A-Za-z0-9_]+|[\u4e00-\u9fff]+", input):
            chinese = run[0] >= "\u4e00"
            found += [*run, *map("".join, itertools.pairwise(run))] if chinese else [run]
        return found

    def stem(self, word: str) -> str:
        return word.lower()

    def word_filter(self, word: str) -> bool:
        return len(word) > 1 or word >= "\u4e00"


def add_link(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: nodes.document | None) -> None:
    if doctree is None:
        return
    chinese = is_chinese(app.srcdir)
    if not (DOCS if chinese else DOCS / "zh").joinpath(f"{page}.md").exists():
        return
    # `pathto` knows how to write addresses of this builder, but only within its own book.
    here = app.builder.get_target_uri(page)
    up = "../" * here.split("#")[0].count("/")
    link, name, code = (f"{up}../{here}", "English", "en") if chinese else (f"{up}zh/{here}", "中文", "zh-CN")
    context["body"] = (
        f'<div class="languages"><a href="{link}" hreflang="{code}" lang="{code}">{name}</a></div>' + context["body"]
    )


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", add_link)
    app.add_search_language(Chinese)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

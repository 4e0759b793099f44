"""The book's two languages: a link to the same page in the other one, at the top of each page that exists in both.

The Chinese book is built into the folder `zh` of the English one, so that links between them are those of the sources.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

DOCS = Path(__file__).parents[1]


def is_chinese(srcdir: Path | str) -> bool:
    return Path(srcdir).resolve() == DOCS / "zh"


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
    return {"parallel_read_safe": True, "parallel_write_safe": True}

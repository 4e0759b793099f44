"""Links out of the pages: into the source, and from the Chinese book into the English one.

Pages link to a file of the repository by its path, as GitHub follows it: `[relu.py](../../fcnlite/layers/relu.py)`. In
the book the link opens the file as a page of its own, with highlighted code; a folder opens as the list of its files.
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import CythonLexer, TextLexer, get_lexer_for_filename
from pygments.util import ClassNotFound
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms import SphinxTransform

from book.languages import DOCS, is_chinese

ROOT = DOCS.parent
FOLDER = "_source"
TEXT = (".py", ".pyx", ".pxi", ".toml", ".json", ".md", ".txt", ".yml", ".prototxt", "Makefile", "LICENSE")


class Sources(SphinxTransform):
    """Turns a link to a file that is not a page of this book into a link to where the reader finds it."""

    default_priority = 500

    def apply(self, **kwargs: Any) -> None:
        links = [*self.document.findall(addnodes.download_reference), *self.document.findall(addnodes.pending_xref)]
        for node in links:
            if node.get("reftype") != "myst":
                continue
            if node.get("refdomain") == "doc":
                # MyST takes every Markdown file for a page, and gives the path of one outside this book without `.md`.
                if not node["reftarget"].startswith("/"):
                    continue
                path, anchor = Path(f"{node['reftarget']}.md"), node.get("reftargetid") or ""
            else:
                target, _, anchor = node["reftarget"].partition("#")
                if not target:
                    continue
                path = Path(self.env.relfn2path(target, self.env.docname)[1]).resolve()
            anchor = re.sub(r"^L(\d+)$", r"L-\1", anchor)  # GitHub's name of a line, and Pygments's
            address = self.address(path)
            if address is not None:
                here = posixpath.dirname(self.env.docname)
                uri = posixpath.relpath(address, here or ".") + (f"#{anchor}" if anchor else "")
                node.replace_self(nodes.reference("", "", *node.children, refuri=uri, internal=False))

    def address(self, path: Path) -> str | None:
        """The HTML file that shows `path`, from the top of the book; None where Sphinx finds it or reports it."""
        if path.is_relative_to(DOCS):
            english = path.suffix == ".md" and is_chinese(self.env.srcdir) and path.is_file()
            return f"../{path.relative_to(DOCS).with_suffix('.html').as_posix()}" if english else None
        if not path.is_relative_to(ROOT) or not path.exists() or not (path.is_dir() or path.name.endswith(TEXT)):
            return None
        page = page_of(path)
        sources(self.env).setdefault(self.env.docname, set()).add(path.relative_to(ROOT).as_posix())
        return f"{page}.html"


def page_of(path: Path) -> str:
    """The name of the page that shows a file or a folder."""
    name = path.relative_to(ROOT).as_posix()
    return f"{FOLDER}/{name}/index" if path.is_dir() else f"{FOLDER}/{name}"


def sources(env: BuildEnvironment) -> dict[str, set[str]]:
    """The files that each page links to, from the root of the repository."""
    if not hasattr(env, "book_sources"):
        env.book_sources = {}  # type: ignore[attr-defined]
    return env.book_sources  # type: ignore[attr-defined,no-any-return]


def forget(app: Sphinx, env: BuildEnvironment, page: str) -> None:
    sources(env).pop(page, None)


def merge(app: Sphinx, env: BuildEnvironment, pages: set[str], other: BuildEnvironment) -> None:
    sources(env).update({page: files for page, files in sources(other).items() if page in pages})


def pages(app: Sphinx) -> Iterator[tuple[str, dict[str, Any], str]]:
    """A page for each file that is linked to, and for each file of a folder that is."""
    wanted = {ROOT / name for names in sources(app.env).values() for name in names}
    for folder in [path for path in wanted if path.is_dir()]:
        wanted.update(listed(folder))
    for path in sorted(wanted):
        name = path.relative_to(ROOT).as_posix()
        body = folder_page(path) if path.is_dir() else file_page(path)
        yield page_of(path), {"title": name, "body": f"<h1><code>{escape(name)}</code></h1>{body}"}, "page.html"


def listed(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and path.name.endswith(TEXT))


def folder_page(folder: Path) -> str:
    rows = [f'<li><a href="{path.name}.html">{escape(path.name)}</a>{summary(path)}</li>' for path in listed(folder)]
    return f"<ul>{''.join(rows)}</ul>"


def summary(path: Path) -> str:
    """The first line of a module's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) if path.suffix == ".py" else None
    return f": {escape(text.splitlines()[0])}" if text else ""


def file_page(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    try:
        lexer = CythonLexer() if path.suffix in (".pyx", ".pxi") else get_lexer_for_filename(path.name)
    except ClassNotFound:
        lexer = TextLexer()
    formatter = HtmlFormatter(linenos="inline", anchorlinenos=True, lineanchors="L", cssclass="highlight")
    return highlight(text, lexer, formatter)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_transform(Sources)
    app.connect("env-purge-doc", forget)
    app.connect("env-merge-info", merge)
    app.connect("html-collect-pages", pages)
    return {"version": "1", "env_version": 1, "parallel_read_safe": True, "parallel_write_safe": True}

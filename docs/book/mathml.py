"""Equations as MathML, converted when the book is built; browsers show it without scripts, in STIX Two Math."""

from __future__ import annotations

import importlib.util
import shutil
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from math_core import LatexError, LatexToMathML
from sphinx.application import Sphinx
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number
from sphinx.writers.html5 import HTML5Translator

FONT = "STIXTwoMath-Regular.ttf"
_converter = LatexToMathML()


def converted(latex: str, node: nodes.Node, *, block: bool) -> str:
    """MathML of an expression. What cannot be converted is a warning, and so ends `make docs`."""
    if block and r"\\" in latex and r"\begin" not in latex:
        latex = rf"\begin{{aligned}}{latex}\end{{aligned}}"
    try:
        return _converter.convert_with_local_state(latex.strip(), displaystyle=block)
    except LatexError as error:
        logging.getLogger(__name__).warning("%s: %s", latex, error, location=node)
        return f"<code>{escape(latex)}</code>"


def visit_math(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(converted(node.astext(), node, block=False))
    raise nodes.SkipNode


def visit_math_block(self: HTML5Translator, node: nodes.math_block) -> None:
    self.body.append(self.starttag(node, "div", CLASS="equation"))
    if node.get("number"):
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append(converted(node.astext(), node, block=True))
    self.body.append("</div>\n")
    raise nodes.SkipNode


def copy_font(app: Sphinx, error: Exception | None) -> None:
    """The font comes with the package ziamath."""
    package = importlib.util.find_spec("ziamath")
    if error is None and app.builder.format == "html" and package is not None and package.origin is not None:
        shutil.copy(Path(package.origin).parent / "fonts" / FONT, Path(app.outdir, "_static", FONT))


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_html_math_renderer("mathml", (visit_math, None), (visit_math_block, None))
    app.config.html_math_renderer = "mathml"
    app.connect("build-finished", copy_font)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

"""Figures drawn by code: `docs/figures/NAME.py` has a function `draw()`.

What it returns decides the file: an SVG document is `docs/_figures/NAME.svg`, bytes are `docs/_figures/NAME.png`, any
other string is `docs/_figures/NAME.txt`. A page shows it with `![description](../_figures/NAME.svg)`, and text with a
`literalinclude`. A script whose name begins with `_` has helpers and draws nothing.

An SVG becomes a part of the HTML page, so that it can take the page's colours, and its text can be found and selected.
Hence the following in an SVG: `currentColor` for lines and text, no background, and the colours of `book.css` as
`var(--figure-1, #0072b2)`; `book.drawing` makes it so for Matplotlib.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from html import escape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging
from sphinx.writers.html5 import HTML5Translator

DOCS = Path(__file__).parents[1]
SCRIPTS = DOCS / "figures"
DRAWN = DOCS / "_figures"
NARROWEST = 440
"""Pixels below which a figure does not shrink with the window, but scrolls, so that its text stays readable."""


def scripts() -> list[Path]:
    """The scripts that draw a figure."""
    return sorted(path for path in SCRIPTS.glob("*.py") if not path.name.startswith("_"))


def draw(script: Path) -> Path:
    """Draw the figure of a script and return its file."""
    spec = importlib.util.spec_from_file_location(f"figure_{script.stem}", script)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    for folder in (str(SCRIPTS), str(DOCS)):
        if folder not in sys.path:
            sys.path.insert(0, folder)
    spec.loader.exec_module(module)
    drawn = module.draw()
    suffix = ".png" if isinstance(drawn, bytes) else ".svg" if "<svg" in drawn[:200] else ".txt"
    path = DRAWN / f"{script.stem}{suffix}"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(drawn.encode("utf-8") if isinstance(drawn, str) else drawn)
    return path


def outdated(script: Path) -> bool:
    """Whether the figure is missing, or older than its script or a file that all figures may depend on."""
    files = [path for suffix in (".svg", ".png", ".txt") if (path := DRAWN / f"{script.stem}{suffix}").exists()]
    if not files:
        return True
    sources = [script, *SCRIPTS.glob("_*.py"), DOCS / "book" / "drawing.py", *(DOCS.parent / "fcnlite").rglob("*.py")]
    return max(path.stat().st_mtime for path in sources) > min(path.stat().st_mtime for path in files)


def draw_all(app: Sphinx, config: Any) -> None:
    for script in scripts():
        if outdated(script):
            logging.getLogger(__name__).info("drawing %s", script.name)
            try:
                draw(script)
            except Exception as error:
                raise ExtensionError(f"docs/figures/{script.name}: {error!r}", error) from error


def inlined(path: Path, description: str) -> str:
    """The SVG as a part of a page: with its description, as wide as the page at most, its ids apart from others'."""
    text = path.read_text(encoding="utf-8")
    text = text[text.index("<svg") :].strip()
    for name in set(re.findall(r'\bid="([^"]+)"', text)):
        text = re.sub(rf'(\bid="|url\(#|href="#){re.escape(name)}(["\)])', rf"\g<1>{path.stem}-{name}\g<2>", text)
    opening = text[: text.index(">")]
    size = re.search(r'\bviewBox="[\d.-]+ [\d.-]+ ([\d.]+) ([\d.]+)"', opening)
    if not size:
        raise ExtensionError(f"{path.name}: the <svg> needs a viewBox")
    unit = 4 / 3 if re.search(r'\bwidth="[\d.]+pt"', opening) else 1
    width, height = round(float(size[1]) * unit), round(float(size[2]) * unit)
    rest = re.sub(r' (?:width|height|role|aria-label)="[^"]*"', "", opening.removeprefix("<svg"))
    start = (
        f'<svg role="img" aria-label="{escape(description)}" width="{width}" height="{height}" '
        f'style="min-width: {min(width, NARROWEST)}px"{rest}'
    )
    return f'<span class="figure-scroll">{start}{text[len(opening) :]}</span>'


def visit_image(self: HTML5Translator, node: nodes.image) -> None:
    path = Path(self.builder.srcdir, node["uri"]).resolve()
    if path.parent == DRAWN and path.suffix == ".svg":
        self.body.append(inlined(path, node.get("alt", "")))
        raise nodes.SkipNode
    HTML5Translator.visit_image(self, node)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("config-inited", draw_all)
    app.add_node(nodes.image, override=True, html=(visit_image, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}

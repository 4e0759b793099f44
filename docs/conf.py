"""How Sphinx builds the book: `make docs`. What is our own is in book/, one concern a file."""

from __future__ import annotations

import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path[:0] = [str(DOCS), str(DOCS.parent)]

from fcnlite._version import __version__  # noqa: E402

project = "fcnlite"
author = copyright = "the authors of fcnlite"
version = release = __version__
language = "en"

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "book.figures",
    "book.languages",
    "book.mathml",
    "book.reference",
    "book.sources",
]
exclude_patterns = ["_build", "_figures", "book", "figures", "zh", "exercises/notebooks"]
nitpicky = True
# Types in signatures, most of them NumPy's, lead nowhere; links of the pages are checked.
nitpick_ignore_regex = [("py:.*", ".*")]

myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
myst_dmath_double_inline = True

autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"

html_theme = "furo"
html_title = "fcnlite"
html_static_path = [str(DOCS / "book" / "static")]
html_css_files = ["book.css"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {"source_repository": "", "navigation_with_keys": True}
pygments_style = "default"
pygments_dark_style = "github-dark"

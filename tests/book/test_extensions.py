"""The book's extensions of Sphinx."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.book.pages import DOCS

pytestmark = pytest.mark.docs
pytest.importorskip("sphinx", reason="needs fcnlite[docs]")
pytest.importorskip("math_core", reason="needs fcnlite[docs]")
if str(DOCS) not in sys.path:
    sys.path.append(str(DOCS))

from book import docstrings, figures, languages, mathml  # noqa: E402


def test_docstrings_become_restructured_text() -> None:
    doc = """Do it with `fill` and `*_param { }`, a * b_c:

    y = a · x
      + b

Lists:
- one, which
  goes on
- two

momentum = 0.9: the share"""
    assert list(docstrings.converted(doc.splitlines())) == [
        r"Do it with :py:obj:`fill` and ``*_param { }``, a \* b\_c:",
        "",
        "::",
        "",
        "    y = a · x",
        "      + b",
        "",
        "Lists:",
        "",
        "- one, which",
        "  goes on",
        "- two",
        "",
        "- ``momentum = 0.9``: the share",
    ]
    assert list(docstrings.converted(["The rule:", "", "w ← w − v"])) == ["The rule:", "", "::", "", "    w ← w − v"]


def test_code_in_backticks_that_goes_on_in_the_next_line_stays_together() -> None:
    assert list(docstrings.converted(["See `a =", "b` and `c`s."])) == [r"See ``a = b`` and :py:obj:`c`\ s."]


def test_figures_become_parts_of_the_page(tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    path.write_text('<?xml?>\n<svg width="72pt" height="36pt" viewBox="0 0 72 36"><path id="p"/><use href="#p"/></svg>')
    found = figures.inlined(path, 'a "line"')
    assert 'width="96" height="48"' in found and 'aria-label="a &quot;line&quot;"' in found
    assert 'id="a-p"' in found and 'href="#a-p"' in found and "<?xml" not in found
    path.write_text("<svg></svg>")
    with pytest.raises(Exception, match=r"a\.svg: the <svg> needs a viewBox"):
        figures.inlined(path, "")


def test_equations_become_mathml(caplog: pytest.LogCaptureFixture) -> None:
    from docutils import nodes

    node = nodes.math()
    assert mathml.converted("x_i", node, block=False) == "<math><msub><mi>x</mi><mi>i</mi></msub></math>"
    assert mathml.converted(r"a &= b \\ c &= d", node, block=True).count("<mtr>") == 2
    assert mathml.converted(r"\unknown{x}", node, block=False) == r"<code>\unknown{x}</code>"


def test_chinese_is_found_by_pairs_of_characters() -> None:
    assert languages.Chinese({}).split("转置卷积 (ReLU, 层)") == [*"转置卷积", "转置", "置卷", "卷积", "ReLU", "层"]

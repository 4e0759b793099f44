"""The links and pictures of all pages, in both languages."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.book.pages import DOCS, PAGES, anchors, links, name_of, prose


def complaint(page: Path, is_picture: bool, target: str) -> str | None:
    """What is wrong with a link of a page, or None."""
    if re.match(r"[a-z]+:", target):
        parts = urlsplit(target)
        fine = parts.scheme == "mailto" or (parts.scheme in ("http", "https") and "." in parts.netloc)
        return None if fine else "is no address of the web"
    name, _, anchor = unquote(target).partition("#")
    path = (page.parent / name).resolve() if name else page
    if path.parent == DOCS / "_figures":
        script = DOCS / "figures" / f"{path.stem}.py"
        return None if script.exists() else f"has no docs/figures/{path.stem}.py"
    if not path.exists():
        return "does not exist"
    if not anchor or is_picture:
        return None
    if path.suffix == ".md":
        return None if anchor in anchors(path.read_text(encoding="utf-8")) else f"has no heading #{anchor}"
    line = re.fullmatch(r"L(\d+)", anchor)
    fine = path.is_file() and line and 1 <= int(line[1]) <= len(path.read_text(encoding="utf-8").splitlines())
    return None if fine else f"has no line {anchor}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    found = list(links(page.read_text(encoding="utf-8")))
    wrong = [f"{target} {words}" for picture, _, target in found if (words := complaint(page, picture, target))]
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_pictures_are_described(page: Path) -> None:
    for is_picture, words, target in links(page.read_text(encoding="utf-8")):
        assert not is_picture or len(words) > 15 or not words.isascii(), f"{target}: {words!r} is no description"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_line_of_text_is_lost(page: Path) -> None:
    """MyST takes a line that begins with % for a comment."""
    assert not [line for line in prose(page.read_text(encoding="utf-8")) if line.startswith("%")]


def test_every_figure_is_shown() -> None:
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    shown = {Path(target).stem for text in texts for _, _, target in links(text)}
    shown |= {name for text in texts for name in re.findall(r"\{literalinclude\} \S*_figures/(\w+)\.txt", text)}
    drawn = {path.stem for path in (DOCS / "figures").glob("*.py") if not path.name.startswith("_")}
    assert not drawn - shown


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("nowhere.md", "does not exist"),
        ("training.md#nowhere", "has no heading"),
        ("../fcnlite/net.py#L100000", "has no line"),
        ("_figures/nowhere.svg", "has no docs/figures"),
        ("https://nowhere", "no address"),
        ("training.md#recipes", None),
        ("../fcnlite/net.py#L1", None),
        ("https://example.org/x", None),
    ],
)
def test_wrong_links_are_found(target: str, words: str | None) -> None:
    found = complaint(DOCS / "data.md", False, target)
    assert found == words if words is None else words in (found or "")


def test_links_are_found_where_they_are() -> None:
    text = "# A\n[`a`](b.md) ![c [d]](e.png) `[f](g)`\n```python\nx = [h](i)\n```\n[![j](k.png)](l.md)\n"
    assert [target for _, _, target in links(text)] == ["b.md", "e.png", "l.md", "k.png"]


def test_headings_have_the_names_that_github_gives() -> None:
    assert anchors("# What `a.b` is, in 2×2\n## Cost\n## Cost\n### 代价：是什么\n") == {
        "what-ab-is-in-22",
        "cost",
        "cost-1",
        "代价是什么",
    }

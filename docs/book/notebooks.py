"""The exercises' pages as notebooks: `python -m docs.book.notebooks [FOLDER]`, or `make notebooks`.

A page is Markdown that Jupytext reads as a notebook: its Python blocks are the cells. Each page becomes an .ipynb and
the .py that is paired with it. Figures are drawn beside them, and links lead to the pages in docs.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import jupytext

DOCS = Path(__file__).parents[1]
if str(DOCS) not in sys.path:
    sys.path.insert(0, str(DOCS))
from book import figures  # noqa: E402

PAGES = DOCS / "exercises"
NOTEBOOKS = PAGES / "notebooks"


def notebook(page: Path, folder: Path) -> Any:
    """The page as a notebook for `folder`, in which its figures are drawn."""
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"\]\(\.\./_figures/(\w+)\.\w+\)", text):
        drawn = figures.draw(DOCS / "figures" / f"{name}.py")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / drawn.name).write_text(_coloured(drawn.read_text(encoding="utf-8")), encoding="utf-8")
        text = text.replace(f"../_figures/{drawn.name}", drawn.name)

    def moved(link: re.Match[str]) -> str:
        target = (page.parent / link[1]).resolve()
        return f"]({Path(os.path.relpath(target, folder)).as_posix()}" if target.exists() else link[0]

    text = re.sub(r"\]\((?![a-z]+:)([^)#]+)", moved, text)
    made = jupytext.reads(text, fmt="md")
    made.metadata["jupytext"] = {"formats": "ipynb,py:percent"}
    made.metadata["kernelspec"] = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return made


def _coloured(svg: str) -> str:
    """A figure that is read outside a page, which would give it its colours: on white, in black."""
    svg = re.sub(r"var\(--figure-\w+, (#\w+)\)", r"\1", svg).replace("currentColor", "#000000")
    box = re.search(r'viewBox="[\d.-]+ [\d.-]+ ([\d.]+) ([\d.]+)"', svg)
    assert box is not None
    start = svg.index(">", svg.index("<svg")) + 1
    return f'{svg[:start]}<rect width="{box[1]}" height="{box[2]}" fill="#ffffff"/>{svg[start:]}'


def write(folder: Path = NOTEBOOKS) -> list[Path]:
    """Write the notebooks and their .py files; returns the notebooks. Those that exist are kept, with their answers."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for page in sorted(PAGES.glob("*.md")):
        if page.stem == "index":
            continue
        files = [folder / f"{page.stem}{suffix}" for suffix in (".ipynb", ".py")]
        if there := [each for each in files if each.exists()]:
            print(f"{there[0]}: exists already, and is kept", file=sys.stderr)
            continue
        made = notebook(page, folder)
        jupytext.write(made, files[0])
        jupytext.write(made, files[1], fmt="py:percent")
        written.append(files[0])
    return written


if __name__ == "__main__":
    for path in write(*map(Path, sys.argv[1:2])):
        print(path)

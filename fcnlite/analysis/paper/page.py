"""The page of an experiment: text, tables, pictures and comparisons, written as HTML with PNG files."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import numpy as np

from fcnlite.arrays import Array
from fcnlite.errors import FileError
from fcnlite.files import atomic_write

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 46em; margin: 0 auto; padding: 1.5em 1em 3em; }
h1 { font-size: 1.5em; margin: 0; } h2 { font-size: 1.15em; margin: 2em 0 .5em; }
.claim { font-style: italic; } .section { opacity: .7; margin: .2em 0 1em; }
table { border-collapse: collapse; margin: .8em 0; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .25em .9em .25em 0;
         border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); }
.wide { overflow-x: auto; } figure { margin: 1em 0; } img { max-width: 100%; image-rendering: pixelated; }
figcaption { opacity: .75; font-size: .9em; }
"""


@dataclass(frozen=True)
class Comparison:
    """One figure of the paper beside ours."""

    what: str
    paper: str
    """The paper's figure; empty if the paper gives none, "reported ..." if it was not checked against the text."""
    ours: str
    note: str = ""
    """Whether they agree, or why not."""


@dataclass
class Table:
    """A table: the names of the columns, and the rows."""

    heading: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass
class Picture:
    """A picture: H×W×3 uint8 RGB, with the name of its file and a caption."""

    name: str
    pixels: Array
    caption: str


@dataclass
class Page:
    """What an experiment found, in order."""

    name: str
    section: str
    claim: str
    parts: list[str | Table | Picture] = field(default_factory=list)
    """Paragraphs, headings (text that begins with "# "), tables and pictures."""
    comparisons: list[Comparison] = field(default_factory=list)
    files: dict[str, Callable[[Path], None]] = field(default_factory=dict)
    """Further files of the folder: the name, and the function that writes the file at a path."""

    def heading(self, words: str) -> None:
        """Add a heading."""
        self.parts.append(f"# {words}")

    def text(self, words: str) -> None:
        """Add a paragraph."""
        self.parts.append(words)

    def table(self, heading: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Add a table."""
        self.parts.append(Table(heading, [[str(cell) for cell in row] for row in rows]))

    def picture(self, name: str, pixels: Array, caption: str) -> None:
        """Add a picture, H×W×3 uint8 RGB. `name` becomes NAME.png."""
        if not re.fullmatch(r"[a-z0-9-]+", name):
            raise ValueError(f"{name!r}: expected small letters, digits and hyphens.")
        self.parts.append(Picture(name, np.asarray(pixels, np.uint8), caption))

    def compare(self, what: str, paper: object, ours: object, note: str = "") -> None:
        """Add a figure of the paper (None: it gives none) beside ours."""
        self.comparisons.append(Comparison(what, "" if paper is None else str(paper), str(ours), note))

    def write(self, folder: Path) -> Path:
        """Write index.html and the pictures into `folder`; returns the path of the page. Raises `FileError`."""
        from PIL import Image

        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = error.strerror or error
            raise FileError(f"{folder}: cannot be made a folder ({reason}); choose another with --out.") from error
        for part in self.parts:
            if isinstance(part, Picture):
                with atomic_write(folder / f"{part.name}.png") as temporary:
                    Image.fromarray(part.pixels).save(temporary, format="PNG")
        for name, save in self.files.items():
            save(folder / name)
        target = folder / "index.html"
        with atomic_write(target) as temporary:
            temporary.write_text(self.html(), encoding="utf-8")
        return target

    def html(self) -> str:
        """The page as HTML, in which the pictures are files beside it."""
        title = f"{self.name}: section {self.section}"
        body = [f"<h1>{escape(self.name)}</h1>", f'<p class="section">FCN papers, section {escape(self.section)}</p>']
        body.append(f'<p class="claim">{escape(self.claim)}</p>')
        if self.comparisons:
            rows = [(each.what, each.paper or "–", each.ours, each.note) for each in self.comparisons]
            body.append(_table(Table(("", "the paper", "here", ""), rows)))
        body += [_part(part) for part in self.parts]
        return (
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
            f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>\n'
            f"<body>{''.join(body)}</body></html>\n"
        )


def _part(part: str | Table | Picture) -> str:
    if isinstance(part, Table):
        return _table(part)
    if isinstance(part, Picture):
        caption = escape(part.caption)
        return f'<figure><img src="{part.name}.png" alt="{caption}"><figcaption>{caption}</figcaption></figure>'
    if part.startswith("# "):
        return f"<h2>{escape(part[2:])}</h2>"
    return f"<p>{escape(part)}</p>"


def _table(table: Table) -> str:
    heading = "".join(f"<th>{escape(cell)}</th>" for cell in table.heading)
    rows = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>\n" for row in table.rows)
    return f'<div class="wide"><table><tr>{heading}</tr>\n{rows}</table></div>'

"""The page of an experiment: text, tables, pictures and comparisons, written as HTML with PNG files."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import groupby
from pathlib import Path
from typing import TypeAlias

import numpy as np

from fcnlite.arrays import Array
from fcnlite.errors import FileError
from fcnlite.files import atomic_write

_STYLE = """
:root { color-scheme: light dark; --line: color-mix(in srgb, CanvasText 16%, transparent);
        --soft: color-mix(in srgb, currentColor 66%, transparent); --accent: light-dark(#a33b1f, #f0916f); }
body { font: 16px/1.6 system-ui, sans-serif; max-width: 52em; margin: 0 auto; padding: 2.2em 1.2em 4em; }
h1 { font-size: 1.7em; line-height: 1.2; margin: .1em 0 .5em; } h2 { font-size: 1.15em; margin: 2.2em 0 .5em; }
.section { color: var(--accent); font-size: .85em; font-weight: 600; letter-spacing: .04em; margin: 0; }
.claim { font: italic 1.2em/1.5 Georgia, serif; margin: 0 0 1.4em; padding-left: .9em;
         border-left: 3px solid var(--accent); }
p { max-width: 42em; } code { font: .88em ui-monospace, monospace; overflow-wrap: anywhere; }
.wide { overflow-x: auto; margin: 1.2em 0; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: baseline; padding: .3em 1.1em .3em 0; border-bottom: 1px solid var(--line); }
th { vertical-align: bottom; font-size: .85em; line-height: 1.35; color: var(--soft);
     border-bottom: 2px solid var(--line); }
.number { text-align: right; } td.number { white-space: nowrap; } td:last-child, th:last-child { padding-right: 0; }
.here { font-weight: 600; white-space: nowrap; } .note { color: var(--soft); font-size: .9em; }
.figures { display: flex; flex-wrap: wrap; gap: 1.2em; margin: 1.4em 0; align-items: start; }
figure { margin: 0; max-width: 100%; } img { display: block; max-width: 100%; height: auto;
      border-radius: 3px; } img.enlarged { image-rendering: pixelated; }
figcaption { color: var(--soft); font-size: .88em; line-height: 1.45; margin-top: .5em; contain: inline-size; }
.legend { color: var(--soft); font-size: .88em; } .legend span { margin-right: 1.2em; white-space: nowrap; }
.legend i { display: inline-block; width: .9em; height: .9em; margin-right: .4em; vertical-align: -.1em;
            border: 1px solid var(--line); border-radius: 2px; }
footer { margin-top: 3em; padding-top: .8em; border-top: 1px solid var(--line); color: var(--soft); font-size: .88em; }
"""
_NUMBER = re.compile(r"[+−-]?[\d.,]+(e[+-]?\d+|/\d+| ± [\d.]+)?( ?(%|ms|s|M|G|dB|points|pixels|times))?|–|")
"""What a column of numbers holds: it is aligned to the right."""
_SMALL = 400
"""Pictures are enlarged by a whole factor up to this width in pixels."""


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
class Legend:
    """What the colours in the pictures before it mean."""

    colors: Mapping[str, tuple[int, int, int]]
    """RGB colours by name."""


Part: TypeAlias = str | Table | Picture | Legend
"""A paragraph, a heading (text that begins with "# "), a table, a picture or a legend."""


@dataclass
class Page:
    """What an experiment found, in order."""

    name: str
    section: str
    claim: str
    parts: list[Part] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    files: dict[str, Callable[[Path], None]] = field(default_factory=dict)
    """Further files of the folder: the name, and the function that writes the file at a path."""
    command: str = ""
    """The command that made the page, for its last line."""

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

    def legend(self, colors: Mapping[str, tuple[int, int, int]]) -> None:
        """Add the names of the RGB colours in the pictures before it."""
        self.parts.append(Legend(colors))

    def compare(self, what: str, paper: object, ours: object, note: str = "") -> None:
        """Add a figure of the paper (None: it gives none) beside ours."""
        self.comparisons.append(Comparison(what, "" if paper is None else str(paper), str(ours), note))

    def write(self, folder: Path) -> Path:
        """Write index.html and the pictures into `folder`; returns the path of the page. Raises `FileError`."""
        from PIL import Image

        check_folder(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _no_folder(folder, error.strerror or str(error)) from error
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
        body = [f'<p class="section">FCN papers, section {escape(self.section)}</p>', f"<h1>{escape(self.name)}</h1>"]
        body.append(f'<p class="claim">{escape(self.claim)}</p>')
        if self.comparisons:
            body.append(_comparisons(self.comparisons))
        for pictures, parts in groupby(self.parts, lambda part: isinstance(part, Picture)):
            shown = "".join(map(_part, parts))
            body.append(f'<div class="figures">{shown}</div>' if pictures else shown)
        if self.command:
            body.append(f"<footer>Made by <code>{escape(self.command)}</code></footer>")
        return (
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
            f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>\n'
            f"<body>{''.join(body)}</body></html>\n"
        )


def check_folder(folder: Path) -> None:
    """Raise `FileError` if `folder` cannot be a folder, because it or one above it is a file or closed to writing."""
    existing = next(each for each in (folder.absolute(), *folder.absolute().parents) if each.exists())
    if not existing.is_dir():
        raise _no_folder(folder, f"{existing} is a file")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise _no_folder(folder, f"{existing} cannot be written to")


def _no_folder(folder: Path, reason: str) -> FileError:
    return FileError(f"{folder}: cannot be made a folder ({reason}); choose another with --out.")


def _part(part: Part) -> str:
    if isinstance(part, Table):
        return _table(part)
    if isinstance(part, Legend):
        return _legend(part)
    if isinstance(part, Picture):
        caption, width = escape(part.caption), part.pixels.shape[1]
        factor = max(1, _SMALL // width)
        kind = ' class="enlarged"' if factor > 1 else ""
        return (
            f'<figure><img{kind} src="{part.name}.png" width="{factor * width}" alt="{caption}">'
            f"<figcaption>{caption}</figcaption></figure>"
        )
    if part.startswith("# "):
        return f"<h2>{escape(part[2:])}</h2>"
    return f"<p>{escape(part)}</p>"


def _comparisons(comparisons: Sequence[Comparison]) -> str:
    rows = [
        f'<tr><td>{escape(each.what)}</td><td>{escape(each.paper or "–")}</td><td class="here">{escape(each.ours)}</td>'
        f'<td class="note">{escape(each.note)}</td></tr>\n'
        for each in comparisons
    ]
    heading = "<tr><th></th><th>the paper</th><th>here</th><th></th></tr>"
    return f'<div class="wide"><table>{heading}\n{"".join(rows)}</table></div>'


def _legend(legend: Legend) -> str:
    each = (
        f'<span><i style="background: rgb{color}"></i>{escape(name)}</span>' for name, color in legend.colors.items()
    )
    return f'<p class="legend">{" ".join(each)}</p>'


def _table(table: Table) -> str:
    columns = zip(*table.rows, strict=True)
    styles = [' class="number"' if all(map(_NUMBER.fullmatch, column)) else "" for column in columns]
    styles = styles or [""] * len(table.heading)

    def row(kind: str, cells: Sequence[str]) -> str:
        each = (f"<{kind}{style}>{escape(cell)}</{kind}>" for cell, style in zip(cells, styles, strict=True))
        return f"<tr>{''.join(each)}</tr>\n"

    rows = "".join(row("td", cells) for cells in table.rows)
    return f'<div class="wide"><table>{row("th", table.heading)}{rows}</table></div>'

"""Tables and lists in text and HTML, for commands and `repr`."""

from __future__ import annotations

import html
from collections.abc import Sequence

_LONGEST_CELL = 60
_MOST_CLASSES = 12


def columns(lines: Sequence[Sequence[str]], sides: str) -> str:
    """Lines of aligned cells. `sides`: the alignment of each column, left (<) or right (>)."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    made = (
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(line, sides, widths, strict=True))
        for line in lines
    )
    return "\n".join(line.rstrip() for line in made)


def html_table(title: str, lines: Sequence[Sequence[str]], sides: str) -> str:
    """The lines as an HTML table, the first as its heading. Escapes the title and the cells, which are plain text."""

    def row(tag: str, line: Sequence[str]) -> str:
        cells = (
            f'<{tag} style="text-align: {"right" if side == ">" else "left"}">{html.escape(cell)}</{tag}>'
            for cell, side in zip(line, sides, strict=True)
        )
        return f"<tr>{''.join(cells)}</tr>"

    heading, *rest = lines
    body = "".join(row("td", line) for line in rest)
    return f"<p>{html.escape(title)}</p><table><thead>{row('th', heading)}</thead><tbody>{body}</tbody></table>"


def classes_in_words(names: Sequence[str]) -> str:
    """The number of classes and the names of the first: "11 classes (sky, building, ...)"."""
    more = ", ..." if len(names) > _MOST_CLASSES else ""
    return f"{len(names)} classes ({', '.join(map(short, names[:_MOST_CLASSES]))}{more})"


def short(name: str) -> str:
    """A name on one line, cut if it is long."""
    name = name if name.isprintable() else repr(name)[1:-1]
    return name if len(name) <= _LONGEST_CELL else name[: _LONGEST_CELL - 3] + "..."

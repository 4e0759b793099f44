"""Our docstrings as Sphinx reads them.

Docstrings are plain text: names and code in single backticks, indented lines for formulas and code, lists with `-`, and
options as lines of `name = default: meaning`. Sphinx reads reStructuredText, in which indented lines are a quotation
that is wrapped, and `*` and `_` have a meaning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sphinx.application import Sphinx

from fcnlite.solver import Solver, SolverOptions
from fcnlite.solver.options import describe_options

_CODE = re.compile(r"`([^`]+)`")
_NAME = re.compile(r"[A-Za-z_][\w.]*(?:\(\))?$")
_OPTION = re.compile(r"(\w+ = [^:]+): ")
_UPDATE = re.compile(r"^([\w']+ ← )")
_SPECIAL = re.compile(r"([*_|\\])")


def converted(lines: list[str]) -> Iterator[str]:
    """The lines as reStructuredText."""
    block = False
    after_blank = True
    in_list = False
    for line in _joined([_UPDATE.sub(r"    \1", _OPTION.sub(r"- `\1`: ", line)) for line in lines]):
        if not line.strip():
            after_blank = True
            yield ""
            continue
        indented = line.startswith("    ") and not in_list
        if indented and not block and after_blank:
            yield "::"
            yield ""
            block = True
        elif not line.startswith(" "):
            block = False
        if block:
            yield line
        else:
            is_item = bool(re.match(r" *- ", line))
            if is_item and not after_blank and not in_list:
                yield ""
            in_list = is_item or (in_list and line.startswith(" "))
            yield _inline(line)
        after_blank = False


def _joined(lines: list[str]) -> list[str]:
    """Code in backticks that goes on in the next line, on one line."""
    joined: list[str] = []
    for line in lines:
        if joined and joined[-1].count("`") % 2 and line.strip():
            joined[-1] = f"{joined[-1]} {line.strip()}"
        else:
            joined.append(line)
    return joined


def _inline(line: str) -> str:
    """A line of text: names become links where the name is known, other code is set as it is."""
    parts = _CODE.split(line)
    for i, part in enumerate(parts):
        if i % 2 == 0:
            parts[i] = _SPECIAL.sub(r"\\\1", part)
        elif _NAME.match(part):
            parts[i] = f":py:obj:`{part}`"
        else:
            parts[i] = f"``{part}``"
    # A role needs a space or punctuation around it; an escaped space is not shown.
    text = ""
    for i, part in enumerate(parts):
        touches = text[-1:].isalnum() or text[-1:] == "`" if i % 2 else i > 0 and part[:1].isalnum()
        text += "\\ " if touches else ""
        text += part
    return text


_MARGINS = {"module": 0, "class": 4, "exception": 4, "function": 4, "method": 8, "property": 8}
"""The spaces before the lines of a docstring in the source."""


def _with_indent(what: str, obj: Any, lines: list[str]) -> list[str]:
    """The lines, where all but the first are indented, which Sphinx has taken away."""
    further = [line for line in (getattr(obj, "__doc__", None) or "").expandtabs().splitlines()[1:] if line.strip()]
    extra = min((len(line) - len(line.lstrip()) for line in further), default=0) - _MARGINS.get(what, 100)
    return [lines[0], *(" " * extra + line if line else "" for line in lines[1:])] if extra > 0 and lines else lines


def process(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    if what == "data" and lines and lines[0].strip() in (type(obj).__doc__ or ""):
        lines.clear()  # it is what Python says about the type
    if isinstance(obj, type) and issubclass(obj, Solver) and "Options:" in lines:
        # The class repeats the options of all solvers, for `help`.
        del lines[lines.index("Options:") :]
        changed = ", ".join(f"`{key} = {value!r}`" for key, value in obj.defaults.items())
        lines += ["The options are those of `SolverOptions`" + (f", with {changed}." if changed else ".")]
    if obj is SolverOptions:
        lines += ["", *describe_options(SolverOptions, {}).splitlines()]
    lines[:] = converted(_with_indent(what, obj, lines))


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-process-docstring", process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

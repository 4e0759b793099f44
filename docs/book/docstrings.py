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
_STATEMENT = re.compile(r"^([\w']+ ← .*|[\w, ]+ = \w[\w.]*\(.*|(?:for|with|if) .*:|print\(.*\)|@\w.*)$")
"""A line of code or a formula. Docstrings that end with such lines have them without an indent, because the indent that
all lines have in common is the docstring's own."""
_SPECIAL = re.compile(r"([*_|\\])")


def converted(lines: list[str]) -> Iterator[str]:
    """The lines as reStructuredText."""
    block = False
    after_blank = True
    in_list = False
    for line in _joined([_STATEMENT.sub(r"    \1", _OPTION.sub(r"- `\1`: ", line)) for line in lines]):
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
    lines[:] = converted(lines)


_ARRAY = re.compile(r"~?(?:numpy\.)?ndarray\[~?(?:typing\.)?Any, ~?(?:numpy\.)?dtype\[~?(?:typing\.)?Any\]\]")


def short_types(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """The signature with `Array`, the name of the type in the source.

    Sphinx does not read a signature with a default such as <factory>, and would show its types with their modules.
    """
    first, second = (each and _ARRAY.sub("Array", each) for each in (signature, returns))
    if first and "<" in first:
        first = re.sub(r"~(?:\w+\.)+", "", first)
    return first, second


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("autodoc-process-docstring", process)
    app.connect("autodoc-process-signature", short_types)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

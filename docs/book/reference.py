"""What the pages of the reference are generated from: public names, commands and layers.

A page names the generator and its argument in a code block of the language `generated`:

    ```{generated} module fcnlite.data
    ```
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

from sphinx.application import Sphinx

from book import commands, doors, layer_table

HOMES = {
    name: module
    for module in doors.modules()
    if module != "fcnlite"
    for name in doors.exported(module)
    if module != "fcnlite.errors"
}
"""The public names of `fcnlite` that a public module has too, which describes them."""


def module(path: str) -> str:
    """The names of a public module, each with its docstring."""
    lines = [f".. automodule:: {path}", "   :no-members:", ""]
    for name in doors.exported(path):
        if path != "fcnlite" or (name not in HOMES and name != "FcnliteError"):
            lines += entry(f"{path}.{name}")
    return rst(lines)


def names(paths: str) -> str:
    """Single names, such as the types of what public functions return."""
    return rst([line for path in paths.split() for line in entry(path)])


def entry(path: str) -> list[str]:
    value = doors.public(path)
    if inspect.isclass(value):
        return [f".. autoclass:: {path}", "   :members:", "   :show-inheritance:", ""]
    if inspect.isroutine(value):
        return [f".. autofunction:: {path}", ""]
    return [f".. autodata:: {path}", "   :no-value:", ""]


def rst(lines: list[str]) -> str:
    return "\n".join(["```{eval-rst}", *lines, "```"])


GENERATORS: dict[str, Callable[[str], str]] = {
    "module": module,
    "names": names,
    "command": commands.help_of,
    "layers": layer_table.table,
    "layer-docstrings": layer_table.docstrings,
    "outside-layers": layer_table.outside_types,
}


def generate(app: Sphinx, page: str, content: list[str]) -> None:
    content[0] = re.sub(
        r"^```\{generated\} ([\w-]+) ?(.*)\n```$", lambda found: GENERATORS[found[1]](found[2]), content[0], flags=re.M
    )


def setup(app: Sphinx) -> dict[str, Any]:
    app.setup_extension("book.docstrings")
    app.connect("source-read", generate)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

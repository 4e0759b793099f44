"""The sections of part 3 that describe the layer types, and the beginning of a new one.

    python docs/book/layer_pages.py MyType --import mine.py

prints the section of a type: its formula from the docstring, the table of its options, an example to be completed. With
`--outputs PAGE`, it runs the blocks of a page and writes what they print below them.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import re
import sys
from pathlib import Path
from typing import Any

LAYERS = Path(__file__).parents[1] / "layers"
if __name__ == "__main__":
    sys.path.insert(0, str(LAYERS.parents[1]))

from fcnlite.fillers import Filler  # noqa: E402

from fcnlite import layers  # noqa: E402

_ROW = re.compile(r"^\| \[`(\w+)`\]\(([\w-]+\.md)(?:#([\w-]+))?\) \|", re.M)
_HEADING = re.compile(r"^(#+) (.+)$", re.M)
_FENCED = re.compile(r"^(```+).*?^\1$", re.M | re.S)
BLOCK = re.compile(r"^```python\n(.*?)^```$(?:\n\n^```text\n(.*?)^```$)?", re.M | re.S)
"""A block, and the block of text directly below it, which is what it prints."""


def places() -> dict[str, tuple[str, str]]:
    """The page and the anchor (or "") of each type, by the table of `index.md`."""
    table = _ROW.findall((LAYERS / "index.md").read_text(encoding="utf-8"))
    return {kind: (page, anchor) for kind, page, anchor in table}


def section(page: str, anchor: str) -> str:
    """The text below a heading of a page, up to the next heading of its level; without an anchor, the whole page.

    Raises `LookupError` if there is no such heading.
    """
    text = (LAYERS / page).read_text(encoding="utf-8")
    if not anchor:
        return text
    prose = _FENCED.sub(lambda block: re.sub(r"[^\n]", " ", block[0]), text)
    headings = list(_HEADING.finditer(prose))
    for place, heading in enumerate(headings):
        if re.sub(r"[^\w\- ]", "", heading[2].lower()).strip().replace(" ", "-") == anchor:
            rest = (each.start() for each in headings[place + 1 :] if len(each[1]) <= len(heading[1]))
            return text[heading.start() : next(rest, len(text))]
    raise LookupError(f"{page} has no heading #{anchor}")


def options(text: str) -> dict[str, str]:
    """The options that the tables of a section name, with what is written as their default."""
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| (.*?) \| .*\|$", text, re.M)
    return {name: default for names, default in rows for name in re.findall(r"\w+", names)}


def default_of(field: Any) -> str | None:
    """An option's default as pages write it; None if the field's value does not say it."""
    value = field.default
    if isinstance(value, Filler):
        return f"{value.type} {value.value:g}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:g}".replace("-", "−")
    return value if isinstance(value, str) and value else None


def complaints(kind: str) -> list[str]:
    """What is missing or wrong in the section of a type."""
    if kind not in places():
        return [
            f"{kind}: docs/layers/index.md has no row for it; `python docs/book/layer_pages.py {kind}` begins a section"
        ]
    page, anchor = places()[kind]
    try:
        written = options(section(page, anchor))
    except LookupError as error:
        return [f"{kind}: {error.args[0]}"]
    found = []
    for field in dataclasses.fields(layers.registered()[kind].Options):
        usual = default_of(field)
        if field.name not in written:
            found.append(f"{kind}: its section in {page} has no row for the option `{field.name}`, default {usual}")
        elif usual is not None and not _same(written[field.name], usual):
            found.append(f"{kind}: {page} says {written[field.name]} for `{field.name}`; the default is {usual}")
    return found


def _same(written: str, usual: str) -> bool:
    if written == usual or (written == "required" and usual == "0"):
        return True
    try:
        return float(written.replace("−", "-")) == float(usual.replace("−", "-"))
    except ValueError:
        return False


def skeleton(kind: str) -> str:
    """The beginning of a section."""
    cls = layers.registered()[kind]
    module = sys.modules[cls.__module__]
    rows = [f"| `{field.name}` | {default_of(field) or 'none'} | … |" for field in dataclasses.fields(cls.Options)]
    table = "\n".join(["| option | default | meaning |", "|---|---|---|", *rows]) if rows else "No options."
    formula = (cls.__doc__ if "__doc__" in vars(cls) and cls.__doc__ else module.__doc__) or ""
    file = Path(module.__file__ or "").name
    return f"""## {kind}

What it is for, in one sentence.

$$
y = \\dots
\\qquad
dx = \\dots
$$

<!-- The docstring says:
{formula.strip()}
-->

{table}

**Caffe's ways.** …

```python
layer = layers.apply("{kind}", [[1.0, -2.0, 3.0]])
print(layer.top, layer.backward()[0])
layers.check_gradients(LayerSpec("layer", "{kind}", ("x",), ("y",)), rng.normal(size=(2, 3, 4, 5)))
```

```text
```

Source: [`{file}`](../../fcnlite/layers/{file}).
"""


def outputs(page: Path) -> str:
    """The text of a page, with what its blocks print below them."""
    names: dict[str, Any] = {}

    def run(block: re.Match[str]) -> str:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(block[1], f"{page.name}: {block[1].splitlines()[0]}", "exec"), names)
        lines = "".join(f"{line.rstrip()}\n" for line in printed.getvalue().splitlines())
        return f"```python\n{block[1]}```" + (f"\n\n```text\n{lines}```" if lines else "")

    return BLOCK.sub(run, page.read_text(encoding="utf-8"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("type", nargs="?", help="a registered type")
    parser.add_argument("--import", dest="module", type=Path, help="a file that registers types")
    parser.add_argument("--outputs", type=Path, metavar="PAGE", help="a page of docs/layers to write the outputs into")
    given = parser.parse_args()
    if given.module:
        sys.path.insert(0, str(given.module.resolve().parent))
        __import__(given.module.stem)
    if given.outputs:
        text = outputs(given.outputs)
        given.outputs.write_text(text, encoding="utf-8")
    if given.type:
        if given.type not in layers.registered():
            parser.error(f"no layer type {given.type!r} is registered")
        print(skeleton(given.type))


if __name__ == "__main__":
    main()

"""Which file imports which: packages in at most twelve levels, and no cycle between files."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in (ROOT / "fcnlite").rglob("*.py")
}


def _imported(module: str) -> set[str]:
    """The modules of fcnlite that a file imports anywhere: at its top, in functions, under TYPE_CHECKING."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            found.update(name if name in MODULES else str(node.module) for name in names)
    return {name for name in found if name in MODULES} - {module}


def _cycles(graph: dict[str, set[str]]) -> Iterator[set[str]]:
    """Sets of modules each of which reaches all others of its set."""
    reachable = {module: set(targets) for module, targets in graph.items()}
    for middle in graph:
        for targets in reachable.values():
            if middle in targets:
                targets |= reachable[middle]
    for module, targets in reachable.items():
        if module in targets:
            yield {other for other in targets if module in reachable[other]}


def test_no_file_imports_itself_through_others() -> None:
    graph = {module: _imported(module) for module in MODULES}
    # The public names of the package come from everywhere; nothing below imports them from there.
    assert not [module for module, targets in graph.items() if "fcnlite" in targets]
    del graph["fcnlite"]
    assert list(_cycles(graph)) == []


def test_a_cycle_is_found() -> None:
    assert list(_cycles({"a": {"b"}, "b": {"c"}, "c": {"b"}})) == [{"b", "c"}, {"b", "c"}]


def test_the_contract_has_at_most_twelve_levels() -> None:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 cannot read pyproject.toml")
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert len(contracts[0]["layers"]) <= 12

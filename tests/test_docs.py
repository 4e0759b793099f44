"""The code of README.md and docs/ runs: every Python block, every command of fcnlite, in the order of the page.

README runs in `make test`, the pages of docs/ in `make test-docs`.

Trainings are cut short: their commands get --iterations 1 and narrow nets at the end, and --overwrite. Left out are
`make` and the benchmarks, which take half an hour and need other engines, and `pip`. Commands of several processes run
in one; tests/ranks has several.
"""

from __future__ import annotations

import importlib
import re
import shlex
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from fcnlite import data, solver
from fcnlite.__main__ import _COMMANDS
from fcnlite._cli import imports
from fcnlite._cli.running import run_command
from fcnlite.compiler.passes import table
from fcnlite.layers import registry
from tests import documents
from tests.book.pages import FLAT, FOLDERS, ROOT, name_of

BLOCK = re.compile(r"^( *)```(python|sh)\n(.*?)^ *```$", re.M | re.S)
SHORT = ("--iterations", "1", "--warmup", "0", "--width", str(documents.WIDTH), "--batch-size", "1")
DRAWS_OBJECTS = ("data.md", "running.md")
"""Pages that need the extra `labels`, which the extra `test` holds."""
MAKES_ITS_FILES = ("walks.md", "extending.md")
"""Pages whose blocks write all that they need."""


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and text of each block."""
    text = page.read_text(encoding="utf-8")
    found = [(match[2], re.sub(f"^{match[1]}", "", match[3], flags=re.M)) for match in BLOCK.finditer(text)]
    assert len(found) == len(re.findall(r"^ *```(?:python|sh)$", text, re.M)), "a block that does not end"
    return found


def commands(block: str) -> list[list[str]]:
    """The words of each command of fcnlite, from `fcnlite.NAME` on. Any other command is an error."""
    found = []
    for line in block.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if not words or words[0] in ("make", "pip") or any(word.startswith("benchmarks") for word in words):
            continue
        if words[:2] == ["mpiexec", "-n"]:
            del words[:3]  # one process computes the same
        assert words[0].endswith("python") and words[1] == "-m" and words[2].startswith("fcnlite."), line
        found.append(
            [
                words[2],
                *[
                    name
                    for word in words[3:]
                    for name in (sorted(map(str, Path().glob(word))) if "*" in word else [word])
                ],
            ]
        )
    return found


def run(words: list[str]) -> int:
    """Run a command in this process."""
    name = words[0].removeprefix("fcnlite.")
    arguments = words[1:]
    if name == "train":
        arguments += () if "--resume" in arguments else (*SHORT, "--overwrite")
    try:
        return run_command(importlib.import_module(_COMMANDS[name][0]).main, arguments)
    except SystemExit as end:
        return int(end.code or 0)


def needs_material(block: tuple[str, str]) -> bool:
    """Whether a block reads files that it may not have made itself."""
    language, text = block
    return language == "sh" or any(name in text for name in (".h5", ".jpg", ".prototxt", ".caffemodel", "photos"))


@pytest.fixture(autouse=True)
def registers(tmp_path: Path) -> Iterator[None]:
    """Remove after each page what it registers or imports."""
    kept = [(register, dict(register)) for register in (registry._registry, data._DATASETS, solver.TYPES)]
    modules = set(sys.modules)
    passes = list(table._own)
    yield
    table._own[:] = passes
    for register, before in kept:
        register.clear()  # type: ignore[attr-defined]
        register.update(before)  # type: ignore[attr-defined]
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]
    imports._loaded.clear()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "page",
    [page if page.name == "README.md" else pytest.param(page, marks=pytest.mark.docs) for page in (*FLAT, *FOLDERS)],
    ids=name_of,
)
def test_the_code_of_a_page_runs(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if page.name in DRAWS_OBJECTS:
        for name in ("pycocotools", "shapely"):
            pytest.importorskip(name, reason=f"needs the extra labels ({name})")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    found = blocks(page)
    if any(map(needs_material, found)) and page.name not in MAKES_ITS_FILES:
        documents.material(tmp_path)
        documents.published(tmp_path, page.read_text(encoding="utf-8"))
    names: dict[str, object] = {}
    for language, block in found:
        if "photos" in block:
            documents.photos(tmp_path / "photos", block)
        if language == "python":
            exec(compile(block, f"{page.name}: {block.splitlines()[0]}", "exec"), names)
            continue
        for words in commands(block):
            with warnings.catch_warnings():
                status = run(words)
            captured = capsys.readouterr()
            # The doctor's status is 1 where it finds an error in the net, as it may in one that has learned nothing.
            fine = status == 0 or (words[0] == "fcnlite.doctor" and "error: " not in captured.err)
            assert fine, f"{' '.join(words)}\n{captured.err}"


ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")


def levels() -> list[list[str]]:
    """The packages of each level of the import contract, highest first."""
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 cannot read pyproject.toml")
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    return [re.findall(r"\w+", line) for line in contracts[0]["layers"]]


def test_the_table_of_packages_is_the_import_contract() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+?) \| .*\|$", ARCHITECTURE, re.M)
    assert [re.findall(r"`(\w+)`", names) for _, names in rows] == levels()
    assert [int(level) for level, _ in rows] == list(range(len(rows), 0, -1))


def test_the_walks_name_functions_and_no_call_goes_up_a_level() -> None:
    level = {name: -i for i, names in enumerate(levels()) for name in names}
    walks = re.findall(r"^```\n(.*?)^```", ARCHITECTURE, re.M | re.S)
    steps = re.findall(r"^( *)([\w/]+\.pyx?) +(\w+)(?: .*)?$", "".join(walks), re.M)
    assert len(steps) > 40
    callers: list[tuple[int, str]] = []
    wrong = []
    for indent, path, name in steps:
        file = ROOT / "fcnlite" / path
        if not file.exists() or not re.search(rf"^ *(?:def|class) {name}\b", file.read_text(encoding="utf-8"), re.M):
            wrong.append(f"{path} has no {name}")
        package = path.split("/")[0].removesuffix(".py")
        while callers and callers[-1][0] >= len(indent):
            callers.pop()
        if callers and level[package] > level[callers[-1][1]]:
            wrong.append(f"{path} {name} is above its caller")
        callers.append((len(indent), package))
    assert not wrong

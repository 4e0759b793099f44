"""`--import MODULE`: modules that register layers, data sets and solver rules."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from fcnlite.errors import FcnliteError, FileError, SpecError

_loaded: dict[Path, ModuleType] = {}
"""Files that were imported; importing one again would register everything twice."""


def requested(arguments: Sequence[str]) -> list[str]:
    """The values of --import on a command line that is not parsed yet."""
    found: list[str] = []
    for i, each in enumerate(arguments):
        option, equals, value = each.partition("=")
        if each == "--":
            break
        if option == "--import":
            found += [value] if equals else arguments[i + 1 : i + 2]
    return found


def import_all(modules: Sequence[str]) -> None:
    """Import modules, each given by its dotted name or as the path of a .py file.

    A dotted name is also searched for in the working directory; a file can import the modules beside it. Raises
    `FileError` for a module that does not exist, `SpecError` for one that fails.
    """
    for name in modules:
        if name.endswith(".py") or "/" in name or "\\" in name:
            _import_file(name)
        else:
            _import_module(name)


def _import_file(name: str) -> None:
    path = Path(name).resolve()
    if path in _loaded:
        return
    if not path.is_file():
        raise FileError(f"--import {name}: no such file; check the path.")
    _search_in(path.parent)
    try:
        _loaded[path] = _run_file(path)
    except (Exception, SystemExit) as error:
        raise _failure(name, error) from error


def _run_file(path: Path) -> ModuleType:
    """Run the file and return its module, under the name that other modules import it by, if that name is free."""
    stem = path.stem if path.stem.isidentifier() else "imported"
    found = importlib.util.find_spec(stem)
    if found is not None and found.origin is not None and Path(found.origin).resolve() == path:
        return importlib.import_module(stem)
    names = (stem, *(f"{stem}_{number}" for number in range(2, 1000)))
    free = next(each for each in names if each not in sys.modules and importlib.util.find_spec(each) is None)
    spec = importlib.util.spec_from_file_location(free, path)
    if spec is None or spec.loader is None:
        raise ImportError("it is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[free] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[free]
        raise
    return module


def _import_module(name: str) -> None:
    parts = name.split(".")
    missing = FileError(
        f"--import {name}: there is no module of this name in {Path.cwd()} or among the installed ones; "
        "give the dotted name of a module or the path of a .py file."
    )
    if not all(part.isidentifier() for part in parts):
        raise missing
    _search_in(Path.cwd())
    try:
        importlib.import_module(name)
    except (Exception, SystemExit) as error:
        above = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]
        if isinstance(error, ModuleNotFoundError) and error.name in above:
            raise missing from error
        raise _failure(name, error) from error


def _search_in(folder: Path) -> None:
    """Append a folder to the import path."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))


def _failure(name: str, error: BaseException) -> FcnliteError:
    """The error of a module that fails, in one sentence with file and line."""
    if isinstance(error, SyntaxError):
        where, what = f"{error.filename}, line {error.lineno}", error.msg
    else:
        frames = [each for each in traceback.extract_tb(error.__traceback__) if _is_users(each.filename)]
        where = f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else "its import"
        what = str(error).rstrip(".").replace("\n", " ")
    kind = "" if isinstance(error, FcnliteError) else f"{type(error).__name__}: "
    return SpecError(f"--import {name}: fails at {where} ({kind}{what}).")


def _is_users(file: str) -> bool:
    """Whether a frame is neither in Python's import machinery nor in fcnlite."""
    ours = Path(file).is_relative_to(Path(__file__).parents[1])
    return not (file.startswith("<") or ours or file == importlib.__file__)

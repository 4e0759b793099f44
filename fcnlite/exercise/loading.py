"""Runs a student's file and takes its functions."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable
from pathlib import Path

from fcnlite.errors import FileError
from fcnlite.exercise import notebook
from fcnlite.exercise.student import Student, WrongError
from fcnlite.files import read_text


def load(path: Path, tell: Callable[[str], None] = lambda text: None) -> Student:
    """The functions of a file. Raises `FileError` if it cannot be read, and `WrongError` if it does not run."""
    if path.suffix != ".py":
        raise FileError(f"{path}: expected a Python file, such as im2col.py; `start` writes one.")
    text = read_text(path)
    try:
        code = compile(text, str(path), "exec")
    except SyntaxError as error:
        source = (error.text or "").strip()
        raise WrongError(f"line {error.lineno}: {error.msg}{f': {source}' if source else ''}.") from None
    except ValueError as error:  # such as NUL bytes
        raise WrongError(f"The file is not Python: {error}.") from None
    module = types.ModuleType(path.stem)
    module.__file__ = str(path)
    sys.path.insert(0, str(path.resolve().parent))  # modules beside the file
    student = Student(vars(module), str(path), tell)
    tell("the file itself")
    try:
        with notebook.silenced():
            exec(code, vars(module))
    except (Exception, SystemExit) as error:
        raise WrongError(f"The file raises {student.described(error)}.") from None
    finally:
        sys.path.pop(0)
    return student

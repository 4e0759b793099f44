"""The options of the commands, as `--help` prints them."""

from __future__ import annotations

import importlib
import io
import os
from contextlib import redirect_stdout, suppress
from unittest import mock

from fcnlite.__main__ import _COMMANDS


def help_of(name: str) -> str:
    """The command's `--help` as a block of text."""
    main = importlib.import_module(_COMMANDS[name][0]).main
    printed = io.StringIO()
    with mock.patch.dict(os.environ, {"COLUMNS": "100"}), redirect_stdout(printed), suppress(SystemExit):
        main(["--help"])
    text = printed.getvalue().rstrip()
    assert text, name
    return f"```text\n{text}\n```"

"""`fcnlite COMMAND ...`, the same as `python -m fcnlite.COMMAND ...`."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from fcnlite._cli.parser import CommandParser
from fcnlite._cli.running import run_command
from fcnlite._cli.streams import open_closed_streams
from fcnlite._version import __version__
from fcnlite.errors import nearest

_COMMANDS = {
    "train": ("fcnlite.train.__main__", "train a net on labelled pictures"),
    "predict": ("fcnlite.predict", "segment pictures and draw overlays"),
    "evaluate": ("fcnlite.evaluate", "measure a net on a data set"),
    "convert": ("fcnlite.convert", "make FCNs from classifiers, finer FCNs from coarser ones"),
    "summary": ("fcnlite.summary", "show a net layer by layer: shapes, parameters, operations, receptive fields"),
    "paper": ("fcnlite.paper", "run the claims, tables and figures of the FCN papers"),
    "data": ("fcnlite.inspection.command", "say what a folder of labelled pictures holds, and what is wrong with it"),
    "explore": ("fcnlite.explore.__main__", "see a net at work in the browser"),
    "exercise": ("fcnlite.exercise.__main__", "build parts of the engine yourself, and have them graded"),
    "doctor": ("fcnlite.doctor.__main__", "find out why a net fails, and how to repair it"),
}
_SHARING = ("train", "predict", "evaluate")
"""The commands that share their work among processes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command that the first argument names, with the other arguments; return its exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and arguments[0] in _COMMANDS:
        module, _ = _COMMANDS[arguments[0]]
        shares_work = arguments[0] in _SHARING
        return run_command(importlib.import_module(module).main, arguments[1:], shares_work=shares_work)
    open_closed_streams()
    parser = _parser()
    if arguments and not arguments[0].startswith("-"):
        parser.error(f"there is no command {arguments[0]!r}; {nearest(arguments[0], _COMMANDS)}")
    parser.parse_args(arguments)
    return 0


def _parser() -> argparse.ArgumentParser:
    """The parser for --help, --version and errors, where no command is named."""
    listing = "\n".join(f"  {name:10} {words}" for name, (_, words) in _COMMANDS.items())
    parser = CommandParser(
        "fcnlite",
        "Fully convolutional networks for semantic segmentation on CPUs.",
        f"commands:\n{listing}\n\n`fcnlite COMMAND --help` shows a command's options and examples.",
    )
    parser.add_argument("command", metavar="COMMAND", choices=tuple(_COMMANDS))
    parser.add_argument("--version", action="version", version=f"fcnlite {__version__}")
    return parser


if __name__ == "__main__":
    sys.exit(main())

"""The parser of all commands, and the argument types that several of them use."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from fcnlite import config
from fcnlite.errors import near


class CommandParser(argparse.ArgumentParser):
    """A parser that takes no abbreviated options and reports a bad command line in one line, with similar options."""

    def __init__(self, prog: str, description: str, epilog: str) -> None:
        how = argparse.RawDescriptionHelpFormatter
        super().__init__(prog, description=description, epilog=epilog, formatter_class=how, allow_abbrev=False)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        self._check_options(args)
        return super().parse_args(args, namespace)

    def parse_intermixed_args(self, args: Any = None, namespace: Any = None) -> Any:
        self._check_options(args)
        return super().parse_intermixed_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        end = "" if message.endswith(("?", ".")) else f"; `{self.prog} --help` shows what is expected."
        self.exit(2, f"error: {message}{end}\n")

    def _check_options(self, args: Sequence[str] | None) -> None:
        """Refuse unknown options before argparse reports missing arguments."""
        given = list(sys.argv[1:] if args is None else args)
        given = given[: given.index("--")] if "--" in given else given
        known = [option for action in self._actions for option in action.option_strings]
        if {"-h", "--help"} & set(given):
            return
        for each in given:
            option = each.partition("=")[0]
            if option.startswith("--") and option not in known:
                found = near(option, [name for name in known if name.startswith("--")])
                alike = f"; did you mean {' or '.join(found)}?" if found else ""
                self.error(f"there is no option {option}{alike}")


def command_parser(command: str, description: str, examples: str) -> CommandParser:
    """A parser whose help shows examples and which takes --import; `command` is the name after `fcnlite.`."""
    made = CommandParser(f"python -m fcnlite.{command}", description, "examples:\n" + examples)
    words = "the most memory that the net or a file may ask for, such as 2G or 500M (default: the machine's memory)"
    made.add_argument(
        "--max-memory", action=_SetMaxMemory, type=_memory, metavar="SIZE", default=argparse.SUPPRESS, help=words
    )
    words = (
        "import a module, given by its dotted name or as a .py file, that registers layers, data sets or solver rules; "
        "may be given several times"
    )
    made.add_argument("--import", dest="imports", metavar="MODULE", action="append", default=[], help=words)
    return made


def add_threads(to: argparse.ArgumentParser) -> None:
    """Add the option --threads; `apply_threads` puts it into force."""
    words = "number of threads to compute with (default: OMP_NUM_THREADS, else all cores)"
    to.add_argument("--threads", type=_thread_count, metavar="N", help=words)


def positive(text: str) -> int:
    """An argument type: a whole number of at least 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


class _SetMaxMemory(argparse.Action):
    """Puts the limit into force; it is not an option of the command, and runs do not record it."""

    def __call__(self, parser: object, namespace: object, values: Any, option_string: str | None = None) -> None:
        config.set_max_memory(values)


def _memory(text: str) -> int:
    found = re.fullmatch(r"(\d{1,9})([MG])", text.upper().removesuffix("B").removesuffix("I"))
    if not found or int(found[1]) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 2G or 500M")
    return int(found[1]) << {"M": 20, "G": 30}[found[2]]


def _thread_count(text: str) -> int:
    threads = positive(text)
    if threads > config.MOST_THREADS:
        raise argparse.ArgumentTypeError(f"{text!r} is more than {config.MOST_THREADS}, the largest number allowed")
    return threads

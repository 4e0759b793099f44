"""What all commands share: how they end, and their common options."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Sequence

from fcnlite import config
from fcnlite.errors import FcnliteError

Main = Callable[[Sequence[str] | None], None]


def run(main: Main, arguments: Sequence[str] | None = None) -> int:
    """Call a command's `main` and return its exit status: bad input ends in one sentence, never in a traceback."""
    warnings.showwarning = _show_warning
    try:
        main(arguments)
    except FcnliteError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output has gone, as `| head` does.
        sys.stderr.close()
        return 1
    return 0


def parser(module: str, description: str, examples: str) -> argparse.ArgumentParser:
    """A parser whose help shows examples; `module` is the command's name after `fcnlite.`."""
    return argparse.ArgumentParser(
        prog=f"python -m fcnlite.{module}",
        description=description,
        epilog="examples:\n" + examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def add_threads(to: argparse.ArgumentParser) -> None:
    """The option --threads; `apply_threads` puts it into force."""
    to.add_argument("--threads", type=positive, metavar="N", help="threads to compute with (default: all cores)")


def apply_threads(options: argparse.Namespace) -> None:
    if options.threads is not None:
        config.set_num_threads(options.threads)


def positive(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of at least 1")
    return value


def _show_warning(message: object, *_: object) -> None:
    print(f"warning: {message}", file=sys.stderr)

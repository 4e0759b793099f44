"""`python -m fcnlite.explore`: see a net at work in the browser."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from fcnlite import config
from fcnlite._cli.net_options import add_preprocessing, preprocessing_settings
from fcnlite._cli.parser import add_threads, command_parser
from fcnlite._cli.running import apply_threads, run_command
from fcnlite.errors import FcnliteError, FileError

_DESCRIPTION = """\
See a net at work in the browser: drop a picture, see its segmentation, the graph with the shapes of this
picture, the activations of each layer, receptive fields, and how each number is computed. The playground trains a small
net while you look at it.

The page is for this machine alone (127.0.0.1), and its address holds a secret. Ctrl-C ends the command."""

_EXAMPLES = """\
  python -m fcnlite.explore runs/photos/best.h5
  python -m fcnlite.explore net.prototxt weights.caffemodel
  python -m fcnlite.explore voc-fcn8s
  python -m fcnlite.explore --playground
  python -m fcnlite.explore --playground 'net=lite-8s rate=0.2 augment=flip'
  python -m fcnlite.explore"""

SECONDS = 120.0
"""The longest that the computation for one call of the page may take, by default."""


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_intermixed_args(arguments)
    apply_threads(options.threads)
    for each in (options.net, options.weights):
        if each is not None and Path(each).suffix and not Path(each).is_file():
            raise FileError(f"{each}: no such file; check the path.")
    if options.folder is not None and not Path(options.folder).is_dir():
        raise FileError(f"{options.folder}: no such folder; check the path.")
    start = _start_page(options.playground)
    try:
        from fcnlite.explore.running import run
    except ImportError as error:
        raise FcnliteError(
            f"the explorer needs Starlette and uvicorn ({error}); install them with `pip install 'fcnlite[explore]'`."
        ) from error
    run(
        {
            "net": options.net,
            "weights": options.weights,
            "preprocessing": preprocessing_settings(options),
            "threads": options.threads,
            "imports": options.imports,
        },
        {"folder": options.folder, "threads": options.threads, "imports": options.imports},
        start=start,
        port=options.port,
        open_browser=options.browser,
        seconds=options.seconds,
        memory=config.max_memory(),
    )


def _parser() -> argparse.ArgumentParser:
    parser = command_parser("explore", _DESCRIPTION, _EXAMPLES)
    words = "a weight file (.h5), a prototxt, or the name of a model (default: the shipped weights, to choose from)"
    parser.add_argument("net", metavar="NET", nargs="?", help=words)
    parser.add_argument("weights", metavar="WEIGHTS", nargs="?", help="a .caffemodel or .h5 for the prototxt")
    parser.add_argument("--port", type=_port, default=0, metavar="N", help="the port (default: any free one)")
    words = "print the address only, and open no browser"
    parser.add_argument("--no-browser", dest="browser", action="store_false", help=words)
    words = "open the playground, with these settings if given: 'net=lite-8s rate=0.1' or the text that its page copies"
    parser.add_argument("--playground", nargs="?", const="", metavar="SETTINGS", help=words)
    words = "train the playground on a folder with images/ and labels/ (default: generated shapes)"
    parser.add_argument("--folder", metavar="FOLDER", help=words)
    words = f"the longest that one computation may take (default: {SECONDS:g})"
    parser.add_argument("--seconds", type=_seconds, default=SECONDS, metavar="S", help=words)
    add_threads(parser)
    add_preprocessing(parser)
    return parser


def _start_page(playground: str | None) -> str:
    """The page to open, relative to the address. Raises `DataError` for settings that cannot be."""
    if playground is None:
        return ""
    words = playground.removeprefix("#").replace("&", " ").split()
    from fcnlite.explore.playground import check

    values = dict(parse_qsl("&".join(words), keep_blank_values=True))
    check(values)
    return "playground.html" + (f"#{urlencode(values)}" if values else "")


def _port(text: str) -> int:
    if not text.isdecimal() or not int(text) < 1 << 16:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, 0 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds above 0")
    return seconds


if __name__ == "__main__":
    sys.exit(run_command(main))

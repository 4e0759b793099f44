"""What all commands share: how they end, how they show progress, and their common options."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from fcnlite import config
from fcnlite._cli.imports import asked, import_all
from fcnlite._kernels import isa
from fcnlite.errors import FcnliteError, FileError, SpecError, near

if TYPE_CHECKING:
    from fcnlite.segmentation.segmenter import Segmenter

Main = Callable[[Sequence[str] | None], None]


def run(main: Main, arguments: Sequence[str] | None = None) -> int:
    """Call a command's `main` and return its exit status: bad input ends in one sentence, no traceback.

    What --import names is imported before: choices and help depend on what it makes known.
    """
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning  # type: ignore[assignment]
        try:
            import_all(asked(sys.argv[1:] if arguments is None else arguments))
            main(arguments)
            sys.stdout.flush()
        except FcnliteError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("interrupted.", file=sys.stderr)
            return 130
        except MemoryError as error:
            print(
                f"error: there is not enough memory ({error}); make the net, the picture or the batch smaller.",
                file=sys.stderr,
            )
            return 1
        except OSError as error:
            # Files raise FileError, so this is standard output: its reader has gone, as `| head` does, or
            # its disk is full. What Python would still write at its end goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if not isinstance(error, BrokenPipeError):
                print(f"error: standard output cannot be written ({error.strerror}).", file=sys.stderr)
            return 1
    return 0


class Parser(argparse.ArgumentParser):
    """A parser that takes no abbreviated options, and refuses a command line in one line, with the near options."""

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
        """Refuse unknown options, before anything that is missing is complained of."""
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


def parser(module: str, description: str, examples: str) -> argparse.ArgumentParser:
    """A parser whose help shows examples; `module` is the command's name after `fcnlite.`."""
    made = Parser(f"python -m fcnlite.{module}", description, "examples:\n" + examples)
    words = (
        "a module, by its dotted name or as a .py file, that registers layers, data sets or solver rules; may be given "
        "several times"
    )
    made.add_argument("--import", dest="imports", metavar="MODULE", action="append", default=[], help=words)
    return made


def add_threads(to: argparse.ArgumentParser) -> None:
    """The option --threads; `apply_threads` puts it into force."""
    words = "threads to compute with (default: OMP_NUM_THREADS, else all cores)"
    to.add_argument("--threads", type=_thread_count, metavar="N", help=words)


def check_environment(threads: int | None = None) -> None:
    """Raise `FcnliteError` for variables that nothing can be computed with: else every picture would be blamed.

    A command calls it, or `apply_threads`, as soon as it has read its arguments. `threads`: those that these ask for.
    """
    isa.name()
    if threads is None:
        config.num_threads()


def apply_threads(threads: int | None) -> None:
    """Put --threads into force, if it was given."""
    check_environment(threads)
    if threads is not None:
        config.set_num_threads(threads)


def add_weights(to: argparse.ArgumentParser) -> None:
    """The argument WEIGHTS and the option --net; `open_segmenter` reads what they name."""
    words = "a weight file (.h5), or a .caffemodel together with --net"
    to.add_argument("weights", metavar="WEIGHTS", help=words)
    to.add_argument("--net", metavar="PROTOTXT", help="the net's description, for weights that come without")
    add_preprocessing(to)


def add_preprocessing(to: argparse.ArgumentParser) -> None:
    """The options --mean, --scale and --order; `preprocessing_of` reads them."""
    group = to.add_argument_group("how pictures are fed (default: as the weight file or the description says)")
    words = "what is subtracted: one value, one for each channel in the net's order, or a .binaryproto or .npy file"
    group.add_argument("--mean", metavar="B,G,R", help=words)
    group.add_argument("--scale", metavar="X", type=float, help="what the difference is multiplied by")
    group.add_argument("--order", choices=("bgr", "rgb"), help="the order of colours in the net's input")


def preprocessing_of(options: argparse.Namespace) -> dict[str, Any]:
    """What --mean, --scale and --order give, as arguments of `load`. Raises `SpecError` for a mean of another form."""
    mean: Any = options.mean
    if mean is not None and not Path(mean).is_file():
        try:
            values = [float(each) for each in mean.split(",")]
        except ValueError:
            raise SpecError(
                f"--mean {mean}: is neither a file nor numbers; expected one, or one a channel, such as 104,117,123."
            ) from None
        mean = values[0] if len(values) == 1 else values
    return {"mean": mean, "scale": options.scale, "order": options.order}


def open_segmenter(options: argparse.Namespace) -> Segmenter:
    from fcnlite.loading import load
    from fcnlite.segmentation.segmenter import Segmenter

    settings = preprocessing_of(options)
    if options.net is not None:
        return Segmenter(load(options.net, options.weights, **settings))
    if Path(options.weights).suffix in (".caffemodel", ".prototxt"):
        raise FileError(
            f"{options.weights}: is not a self-contained weight file (.h5); "
            "for Caffe's files give the .caffemodel and --net net.prototxt."
        )
    if any(value is not None for value in settings.values()):
        return Segmenter(load(options.weights, **settings))
    return Segmenter(options.weights)


def positive(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _thread_count(text: str) -> int:
    threads = positive(text)
    if threads > config.MOST_THREADS:
        raise argparse.ArgumentTypeError(f"{text!r} is more than {config.MOST_THREADS}, the most that can be asked for")
    return threads


@contextmanager
def progress(unit: str) -> Iterator[Callable[[int, int], None]]:
    """A function of (done, total) that draws a bar on standard error, if that is a terminal."""
    from tqdm import tqdm

    with tqdm(unit=unit, disable=None, leave=False, file=sys.stderr) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield show


def _show_warning(message: object, *_: object) -> None:
    print(f"warning: {message}", file=sys.stderr)

"""The options that name a data set, the same for every command, and the data sets that they open."""

from __future__ import annotations

import argparse
import sys
import typing
from collections.abc import Callable, Sequence
from types import UnionType
from typing import Any

from fcnlite import data
from fcnlite._cli.running import progress_bar
from fcnlite.data import Dataset, Subset
from fcnlite.data.overview import counted
from fcnlite.data.problems import format_problems
from fcnlite.data.statistics import Statistics
from fcnlite.errors import DataError
from fcnlite.ranks.communicator import ALONE, Communicator


def add_data_options(to: argparse.ArgumentParser, *, root: bool = True) -> None:
    """Add the options --data, --root (unless the command has its own), --data-option and --skip-bad.

    `open_data` reads them.
    """
    group = to.add_argument_group("data")
    names = f"the data set: {', '.join(data.names())}"
    group.add_argument("--data", metavar="NAME", help=names)
    if root:
        group.add_argument("--root", metavar="DIR", help="the folder of the data set")
    words = "leave out samples that cannot be used (files missing or damaged, labels out of range) and list them"
    group.add_argument("--skip-bad", action="store_true", help=words)
    known = "; ".join(f"{name}: {', '.join(data.options(name))}" for name in data.names() if data.options(name))
    group.add_argument(
        "--data-option",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="an option of the data set, such as classes=4, classes=sky,road,car or binary_masks=true; "
        f"may be given several times ({known})",
    )


def add_split_options(to: argparse.ArgumentParser) -> None:
    """Add the options --train-split and --val-split; `training_data` and `validation_data` read them."""
    words = "the split to train on (default: the data set's training split, such as train)"
    to.add_argument("--train-split", metavar="NAME", help=words)
    words = "the split to validate on (default: the data set's validation split, such as val)"
    to.add_argument("--val-split", metavar="NAME", help=words)


def open_data(options: argparse.Namespace, split: str | None = None) -> Dataset:
    """A split of the data set that the options name, by default its training split.

    Raises `DataError` for an option that is malformed or of the wrong type, and the errors of `data.open`.
    """
    hints = data.options(options.data) if options.data in data.names() else {}
    values = {}
    for entry in options.data_option:
        key, equals, text = entry.partition("=")
        if not equals:
            raise DataError(f"--data-option {entry}: expected KEY=VALUE, such as val=0.2.")
        # data.open refuses an unknown option and names similar ones.
        values[key] = _convert(entry, hints[key], text) if key in hints else text
    if options.skip_bad and options.data in data.names() and data.takes_skip_bad(options.data):
        values["skip_bad"] = True  # it finds bad samples when it matches file names
    return data.open(options.data, options.root, split, **values)


def training_data(options: argparse.Namespace, ranks: Communicator = ALONE) -> Dataset:
    """The training split, after rank 0 has read every file once. Raises the errors of `open_data` and `Dataset.check`.

    With --skip-bad, samples that cannot be used are left out and listed on standard error.
    """
    return _checked(options, options.train_split, ranks)


def validation_data(options: argparse.Namespace, ranks: Communicator = ALONE) -> Dataset:
    """The validation split, checked as `training_data` is."""
    return _checked(options, options.val_split or data.usual_splits(options.data)[1], ranks)


def evaluation_data(options: argparse.Namespace, ranks: Communicator = ALONE) -> Dataset:
    """The split that --split names, by default the validation split. Only --skip-bad reads every file beforehand."""
    split = options.split or data.usual_splits(options.data)[1]
    return _checked(options, split, ranks) if options.skip_bad else open_data(options, split)


def _checked(options: argparse.Namespace, split: str | None, ranks: Communicator) -> Dataset:
    """A split whose samples can all be used. Raises `DataError` for a bad sample, or leaves it out with --skip-bad."""
    dataset = open_data(options, split)

    def read() -> tuple[Sequence[int], list[str], dict[tuple[int, int], str], Statistics]:
        with progress_bar("picture") as progress:
            if not options.skip_bad:
                dataset.check(progress)
            good, problems = dataset.usable(progress) if options.skip_bad else (range(len(dataset)), [])
            return good, problems, dataset.sizes, dataset.statistics

    good, problems, dataset.sizes, dataset.statistics = ranks.from_first(read)
    if not problems:
        return dataset
    where = f"data set {dataset.name!r} ({dataset.split})"
    if not good:
        raise DataError(f"{where}: no sample can be used; the first: {problems[0]}")
    heading = f"{where}: {counted(len(problems), 'problem')} skipped, {counted(len(good), 'picture')} used"
    print(format_problems(heading, problems, len(problems)), file=sys.stderr)
    return Subset(dataset, good, problems)


def _convert(entry: str, hint: Any, text: str) -> Any:
    """`text` as the first type in `hint` that accepts it."""
    # Python 3.10 gives an option whose default is None the type Optional, which is a Union.
    types = typing.get_args(hint) if typing.get_origin(hint) in (UnionType, typing.Union) else (hint,)
    fitting = [(words, convert) for each, words, convert in _CONVERTERS if each in types]
    for _, convert in fitting:
        try:
            return convert(text)
        except ValueError:
            continue
    if not fitting:
        raise DataError(f"--data-option {entry}: an option of type {hint} cannot be given on the command line.")
    raise DataError(f"--data-option {entry}: expected {' or '.join(words for words, _ in fitting)}.")


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError
    return text.lower() == "true"


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise ValueError
    return names


def _whole_numbers(text: str) -> list[int]:
    return [int(each) for each in text.split(",")]


_CONVERTERS: tuple[tuple[Any, str, Callable[[str], Any]], ...] = (
    (bool, "true or false", _boolean),
    (int, "a whole number", int),
    (float, "a number", float),
    (str, "text", str),
    (Sequence[int], "whole numbers with commas between them", _whole_numbers),
    (Sequence[str], "names with commas between them", _names),
)

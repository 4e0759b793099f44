"""The command-line options that name a data set, the same ones for every command."""

from __future__ import annotations

import argparse
import sys
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Any

from fcnlite import data
from fcnlite._cli import parser as _cli
from fcnlite.data import Dataset, Subset
from fcnlite.data.problems import format_problems
from fcnlite.errors import DataError
from fcnlite.formats import storage


def add_data_options(to: argparse.ArgumentParser) -> None:
    """The options --data, --root, --data-option and --skip-bad; `open_data` opens what they name."""
    group = to.add_argument_group("data")
    names = f"the data set: {', '.join(data.names())}"
    group.add_argument("--data", metavar="NAME", help=names)
    group.add_argument("--root", metavar="DIR", help="the folder that it lies in")
    words = "leave out samples that cannot be used (files missing or damaged, labels out of range) and tell which"
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
    """The options --train-split and --val-split; `training_data` and `validation_data` use them."""
    words = "the split to train on (default: the set's own for that, such as train)"
    to.add_argument("--train-split", metavar="NAME", help=words)
    words = "the split to validate on (default: the set's own for that, such as val)"
    to.add_argument("--val-split", metavar="NAME", help=words)


def open_data(options: argparse.Namespace, split: str | None = None) -> Dataset:
    """A split of the data set that the options name; unless given, the one that is usually trained on.

    Raises `DataError` for an option that is malformed or of the wrong kind, and what `data.open` raises.
    """
    hints = data.options(options.data) if options.data in data.names() else {}
    values = {}
    for entry in options.data_option:
        key, equals, text = entry.partition("=")
        if not equals:
            raise DataError(f"--data-option {entry}: expected KEY=VALUE, such as val=0.2.")
        # An unknown option is left for data.open to refuse, which knows the near ones.
        values[key] = _convert(entry, hints[key], text) if key in hints else text
    if options.skip_bad and options.data == "folder":
        values["skip_bad"] = True  # it finds what is bad already where it matches names
    return data.open(options.data, options.root, split, **values)


def training_data(options: argparse.Namespace) -> Dataset:
    """What is trained on, every file of which has been read once. Raises as `open_data` and `Dataset.check` do.

    With --skip-bad, samples that cannot be used are left out, and told of on standard error.
    """
    return _checked(options, options.train_split)


def validation_data(options: argparse.Namespace) -> Dataset:
    """What is measured during training; see `training_data`."""
    return _checked(options, options.val_split or data.usual_splits(options.data)[1])


def repeat_data_options(options: argparse.Namespace, weights: str) -> None:
    """Fill in the data options that a weight file was trained with, where --data is not given; says so.

    The root is that of the run whose folder the file is in. Raises `DataError` where no training is recorded.
    """
    if options.data is not None:
        return
    recorded, at_home = _recorded(weights)
    if recorded is None:
        raise DataError(f"{weights}: does not record what it was trained on; say by --data what to measure it on.")
    options.data = recorded["data"]
    given = {entry.partition("=")[0] for entry in options.data_option}
    kept = [entry for entry in recorded["data_option"] if entry.partition("=")[0] not in given]
    options.data_option = [*kept, *options.data_option]
    options.skip_bad = options.skip_bad or recorded["skip_bad"]
    options.split = options.split or recorded["val_split"]
    if options.root is None and at_home:
        options.root = recorded["root"]
    elif options.root is None and recorded["root"] is not None:
        raise DataError(
            f"{weights}: was trained on data set {options.data!r} in a folder called {recorded['root']}, and is not in "
            "the folder of its run, which knows where that is; say it by --root DIR."
        )
    root = "" if options.root is None else f" --root {options.root}"
    told = "".join(f" --data-option {entry}" for entry in options.data_option)
    split = f" --split {options.split}" if options.split else ""
    skip = " --skip-bad" if options.skip_bad else ""
    print(f"{weights}: measured on --data {options.data}{root}{told}{split}{skip}, as it was trained", file=sys.stderr)


def _recorded(weights: str) -> tuple[dict[str, Any] | None, bool]:
    """What a weight file says of the data that it was trained on, and whether it is in the folder of its run.

    There the checkpoint has the options in full.
    """
    if not storage.is_weight_file(weights):
        return None, False
    own = _data_options(storage.load(weights).info.record)
    for path in (Path(weights), Path(weights).parent / "last.h5"):
        found = _data_options(storage.load(path).progress) if storage.is_weight_file(path) else None
        # A file that was put beside another run's checkpoint is not of that run.
        if found is not None and (own is None or _named_alike(own, found)):
            return found, True
    return own, False


def _data_options(record: Mapping[str, Any]) -> dict[str, Any] | None:
    """The data options in a record of a training; None where there are none."""
    match record:
        case {
            "options": {
                "data": str(data),
                "data_option": list(entries),
                "root": str() | None as root,
                "skip_bad": bool(skip_bad),
                "val_split": str() | None as val_split,
            }
        } if all(isinstance(entry, str) for entry in entries):
            found = {"data": data, "data_option": entries, "root": root, "skip_bad": skip_bad}
            return {**found, "val_split": val_split}
    return None


def _named_alike(own: Mapping[str, Any], run: Mapping[str, Any]) -> bool:
    """Whether a weight file, which has names of folders only, may be of this run."""
    name = None if run["root"] is None else Path(run["root"]).name
    same_root = own["root"] in (name, run["root"])
    return same_root and own["data"] == run["data"] and len(own["data_option"]) == len(run["data_option"])


def evaluation_data(options: argparse.Namespace) -> Dataset:
    """What `--split` names, or is usually measured on; without --skip-bad, files are read only as they are needed."""
    split = options.split or data.usual_splits(options.data)[1]
    return _checked(options, split) if options.skip_bad else open_data(options, split)


def _checked(options: argparse.Namespace, split: str | None) -> Dataset:
    """A split without what cannot be used; without --skip-bad there must be none."""
    dataset = open_data(options, split)
    with _cli.progress("picture") as progress:
        if not options.skip_bad:
            dataset.check(progress)
            return dataset
        good, problems = dataset.usable(progress)
    if not problems:
        return dataset
    where = f"data set {dataset.name!r} ({dataset.split})"
    if not good:
        raise DataError(f"{where}: no sample can be used; the first: {problems[0]}")
    heading = f"{where}: {len(problems)} skipped, which cannot be used, {len(good)} used"
    print(format_problems(heading, problems, len(problems)), file=sys.stderr)
    return Subset(dataset, good, problems)


def _convert(entry: str, hint: Any, text: str) -> Any:
    """`text` as the first of the kinds in `hint` that it can be."""
    kinds = typing.get_args(hint) if isinstance(hint, UnionType) else (hint,)
    fitting = [(words, convert) for kind, words, convert in _CONVERTERS if kind in kinds]
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

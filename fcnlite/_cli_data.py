"""The command-line options that name a data set, the same ones for every command."""

from __future__ import annotations

import argparse
import inspect
import typing
from collections.abc import Callable, Sequence
from typing import Any

from fcnlite import data
from fcnlite.data import Dataset
from fcnlite.errors import DataError


def add_data_options(to: argparse.ArgumentParser, *, required: bool) -> None:
    """The options --data, --root and --data-option; `open_data` opens what they name."""
    group = to.add_argument_group("data")
    names = f"the data set: {', '.join(data.names())}"
    group.add_argument("--data", metavar="NAME", required=required, help=names)
    group.add_argument("--root", metavar="DIR", help="the folder that it lies in")
    known = "; ".join(f"{name}: {', '.join(_hints(name))}" for name in data.names() if _hints(name))
    group.add_argument(
        "--data-option",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="an option of the data set, such as classes=4, classes=sky,road,car or binary_masks=true; "
        f"may be given several times ({known})",
    )


def open_data(options: argparse.Namespace, split: str) -> Dataset:
    """The split of the data set that the options name.

    Raises `DataError` for an option that is malformed or of the wrong kind, and what `data.open` raises.
    """
    hints = _hints(options.data) if options.data in data.names() else {}
    values = {}
    for entry in options.data_option:
        key, equals, text = entry.partition("=")
        if not equals:
            raise DataError(f"--data-option {entry}: expected KEY=VALUE, such as val=0.2.")
        # An unknown option is left for data.open to refuse, which knows the near ones.
        values[key] = _convert(entry, hints[key], text) if key in hints else text
    return data.open(options.data, options.root, split, **values)


def _hints(name: str) -> dict[str, Any]:
    """The options of a data set and their kinds."""
    kind = data._DATASETS[name]
    hints = typing.get_type_hints(kind.__init__)
    return {key: hints[key] for key in inspect.signature(kind).parameters if key not in ("split", "root")}


def _convert(entry: str, hint: Any, text: str) -> Any:
    """`text` as the first of the kinds in `hint` that it can be."""
    kinds = typing.get_args(hint) or (hint,)
    fitting = [(words, convert) for kind, words, convert in _CONVERTERS if kind in kinds]
    for _, convert in fitting:
        try:
            return convert(text)
        except ValueError:
            continue
    raise DataError(f"--data-option {entry}: expected {' or '.join(words for words, _ in fitting)}.")


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError
    return text == "true"


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise ValueError
    return names


_CONVERTERS: tuple[tuple[Any, str, Callable[[str], Any]], ...] = (
    (bool, "true or false", _boolean),
    (int, "a whole number", int),
    (float, "a number", float),
    (str, "text", str),
    (Sequence[str], "names with commas between them", _names),
)

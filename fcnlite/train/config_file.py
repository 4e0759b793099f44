"""The options of a run as a TOML file: run.toml in the folder of each run, which --config reads again.

The keys are the options of the command line, without dashes in front; underscores may be hyphens. The table `made` says
what the run was made with and is not read.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fcnlite import environment
from fcnlite.data.augmentation import edited
from fcnlite.errors import FcnliteError, FileError, TrainingError, nearest
from fcnlite.files import atomic_write, read_text
from fcnlite.train.options import TrainOptions, fits

_MADE = "made"
_PATHS = ("root", "init", "model")
_MOST_CHARACTERS = 1 << 20


def read(path: Path, imported: Sequence[str]) -> dict[str, Any]:
    """The fields of `TrainOptions` in a TOML file; `augment` edits no list, but is the list.

    `imported`: the modules that the command line imports. Raises `TrainingError` for unknown keys, values of other
    types and modules that are not imported (a file alone never makes code run), `FileError` for other files.
    """
    hints = typing.get_type_hints(TrainOptions)
    found: dict[str, Any] = {}
    for key, value in _parsed(path).items():
        name = key.replace("-", "_")
        if key == _MADE:
            continue
        if name not in hints or name in found:
            known = [each.replace("_", "-") for each in hints]
            raise TrainingError(f"{path}: {key} is not an option of train, or is given twice; {nearest(key, known)}")
        value = tuple(value) if isinstance(value, list) else value
        if not fits(value, hints[name]):
            raise TrainingError(
                f"{path}: {key} is {json.dumps(value, default=str)[:60]}; expected {_words(hints[name])}."
            )
        found[name] = value
    modules = found.pop("imports", ())
    if missing := [each for each in modules if each not in imported]:
        raise TrainingError(f"{path}: the run needs --import {missing[0]}; give that on the command line.")
    return found


def merged(config: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a file, overridden by those `given` on the command line, whose `augment` edits the file's list."""
    options = {**config, **given}
    if "iterations" in given:
        options.pop("epochs", None)
    if "augment" in config:
        options["augment"] = ("none", *edited(config["augment"], given.get("augment", ())))
    return options


def write(path: Path, options: TrainOptions, fingerprint: str, processes: int) -> None:
    """Write the options of a run, with absolute paths, so that --config repeats it. Raises `FileError`."""
    values = {name: value for name, value in options.to_json().items() if value is not None}
    recipe = values.pop("recipe", None)
    for name in _PATHS:
        if name in values and (name != "model" or Path(values[name]).is_file()):
            values[name] = str(Path(values[name]).absolute())
    made = {
        **environment.versions(),
        "data_fingerprint": fingerprint,
        "processes": processes,
        **({} if recipe is None else {"recipe": recipe}),
    }
    lines = ["# Repeat this run: python -m fcnlite.train --config run.toml --out NEW", ""]
    lines += [f"{name} = {_toml(value)}" for name, value in values.items()]
    lines += ["", "# Not read: what the run was made with.", f"[{_MADE}]"]
    lines += [f"{name} = {_toml(value)}" for name, value in made.items()]
    with atomic_write(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _parsed(path: Path) -> dict[str, Any]:
    try:
        import tomllib
    except ImportError:  # Python 3.10
        try:
            import tomli as tomllib  # type: ignore[no-redef]
        except ImportError as error:
            raise FcnliteError(
                "--config needs the package tomli in Python 3.10: pip install 'fcnlite[toml]'."
            ) from error
    text = read_text(path)
    if len(text) > _MOST_CHARACTERS:
        raise FileError(f"{path}: has {len(text)} characters; expected options, at most {_MOST_CHARACTERS}.")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileError(f"{path}: is not a TOML file ({str(error)[:120]}).") from error


def _toml(value: Any) -> str:
    """A TOML value; JSON's strings, numbers, booleans and lists are TOML's."""
    if isinstance(value, float) and "e" in (text := repr(value)):
        return text if "." in text else text.replace("e", ".0e")
    return json.dumps(value)


def _words(hint: Any) -> str:
    """The type of an option in words."""
    if hint is bool:
        return "true or false"
    parts = [each for each in (typing.get_args(hint) or (hint,)) if each is not type(None)]
    if typing.get_origin(hint) is tuple:
        return f"a list of {'texts' if parts[0] is str else 'whole numbers'}"
    return {str: "a text", int: "a whole number", float: "a number"}[parts[0]]

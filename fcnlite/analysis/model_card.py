"""A model card: what a weight file is, how it was trained and measured, as a page of Markdown.

Mitchell et al., Model Cards for Model Reporting, FAT* 2019. What no file knows is left to its author, who is told so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fcnlite.analysis.layer_table import LayerRow, scaled
from fcnlite.description.model_info import ModelInfo
from fcnlite.errors import DataError

_SCHEMA = "fcnlite.evaluate/1"
_FIGURES = {
    "pixel_accuracy": "pixel accuracy",
    "mean_accuracy": "mean accuracy",
    "mean_iu": "mean IU",
    "frequency_weighted_iu": "frequency weighted IU",
    "mean_dice": "mean Dice",
    "calibration_error": "calibration error",
}
_BY_CLASS = {"iu": "IU", "dice": "Dice", "precision": "precision", "accuracy": "recall"}
_AUTHOR = "*To be written by the author:*"


def card(
    path: Path, info: ModelInfo, inputs: Iterable[str], rows: Sequence[LayerRow], judged: Mapping[str, Any]
) -> str:
    """The card of the weight file `path`, with the layers in `rows` and the results of `evaluate --json`, by file.

    Raises `DataError`, which names the file, for results of another form.
    """
    parts = [
        f"# {path.name}",
        *_what(info, inputs, rows),
        *_training(info.record),
        *(line for file, each in judged.items() for line in _results(file, each)),
        "## Use",
        f"```sh\npython -m fcnlite.predict {path.name} PICTURES -o segmented\n```",
        "Every pixel gets one of the classes, also where a picture shows something else.",
        f"{_AUTHOR} what it is meant for, which pictures it was not tried on, the licence of weights and data.",
    ]
    return "\n\n".join(parts) + "\n"


def _what(info: ModelInfo, inputs: Iterable[str], rows: Sequence[LayerRow]) -> list[str]:
    parameters, macs = sum(row.parameters for row in rows), sum(row.macs for row in rows)
    shape = next((row.shape for row in rows if len(row.shape) == 4), ())
    size = (
        f", {scaled(macs, 'MACs')} (multiply-accumulates) for {shape[3]}×{shape[2]} pixels" if len(shape) == 4 else ""
    )
    lines = [f"- {name}: fed as {info.preprocessing.of(name)}" for name in inputs]
    classes = ", ".join(info.classes) if info.classes else "without names"
    return [
        "## Net",
        "\n".join(
            [
                f"- segments pictures of any size; {parameters:,} parameters{size}",
                *lines,
                f"- {len(info.classes)} classes: {classes}" if info.classes else f"- classes {classes}",
            ]
        ),
    ]


def _training(record: Mapping[str, Any]) -> list[str]:
    """What the weight file records of its training."""
    if not record:
        return ["## Training", f"The file records no training. {_AUTHOR} data and method."]
    options = record.get("options")
    lines = [
        f"- {name}: {_text(value)}"
        for name, value in record.items()
        if name != "options" and not isinstance(value, Mapping)
    ]
    for name, value in record.items():
        if name != "options" and isinstance(value, Mapping):
            lines.append(f"- {name}: " + ", ".join(f"{key} {each}" for key, each in value.items()))
    parts = ["## Training", "\n".join(lines)] if lines else ["## Training"]
    if isinstance(options, Mapping):
        rows = [
            f"| {_cell(name)} | {_cell(_text(value))} |" for name, value in options.items() if value not in (None, [])
        ]
        parts.append("\n".join(["| option of `train` | value |", "|---|---|", *rows]))
    return parts


def _results(file: str, judged: Any) -> list[str]:
    """The tables of one file of `evaluate --json`."""
    if not isinstance(judged, Mapping) or judged.get("schema") != _SCHEMA:
        raise DataError(
            f"{file}: is not a result of evaluate --json (schema {_SCHEMA}); make one with python -m fcnlite.evaluate."
        )
    parts = []
    for net in judged.get("nets", [judged]):
        try:
            where = f"{net['data']}, split {net['split']}, {net['pictures']} pictures ({Path(net['weights']).name})"
            spans = net.get("intervals", {})
            lines = [
                "| figure | value |" + (" 95 % interval |" if spans else ""),
                "|---|---:|" + ("---:|" if spans else ""),
            ]
            for key, name in _FIGURES.items():
                if key in net:
                    lines.append(f"| {name} | {_number(net[key])} |" + (f" {_span(spans.get(key))} |" if spans else ""))
            table = ["| class | " + " | ".join(_BY_CLASS.values()) + " |", "|---|" + "---:|" * len(_BY_CLASS)]
            for i, name in enumerate(net["classes"]):
                table.append(f"| {_cell(name)} | " + " | ".join(_number(net[key][i]) for key in _BY_CLASS) + " |")
        except (KeyError, IndexError, TypeError) as error:
            raise DataError(f"{file}: is a damaged result of evaluate --json ({error!r}); make it again.") from error
        parts += [f"## Results: {where}", "\n".join(lines), "\n".join(table)]
    return parts


def _number(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, (int, float)) else "–"


def _span(value: Any) -> str:
    return " to ".join(map(_number, value)) if isinstance(value, list) else ""


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _cell(text: str) -> str:
    """Text for a cell of a table of Markdown."""
    return " ".join(str(text).split()).replace("|", "\\|")

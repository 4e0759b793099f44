"""report.html: a run at a glance, in one file that opens from disk without a network.

Pictures and curves lie in it as data; nothing is fetched and nothing is computed by the reader. While the run goes on
the page reloads itself once a minute.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from fcnlite.files import atomic_write
from fcnlite.metrics import text
from fcnlite.plots import VOID_COLOR, label_image, smoothed
from fcnlite.train import charts
from fcnlite.train.options import TrainOptions
from fcnlite.train.watching import Check

if TYPE_CHECKING:
    from PIL import Image

    from fcnlite.train.loop import Training

MOST_CURVES = 16
"""Classes: the curves of more cannot be told apart; the table shows theirs one by one."""
MOST_CELLS = 40
"""Classes: the cells of larger confusion matrices cannot be seen."""
_LONGEST_SIDE = 480
"""Pixels of a sample picture."""

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 1120px; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.5em; margin: 0; } h2 { font-size: 1.15em; margin: 2em 0 .5em; }
.about { color: #666; margin: .2em 0 1.2em; }
.tiles { display: flex; flex-wrap: wrap; gap: .8em; }
.tiles div { background: #f3f5f8; border-radius: 6px; padding: .6em 1em; min-width: 7em; }
.tiles b { display: block; font-size: 1.3em; } .tiles span { color: #666; font-size: .85em; }
img { max-width: 100%; } table { border-collapse: collapse; } td, th { padding: .15em .8em .15em 0; text-align: left; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.samples { width: 100%; table-layout: fixed; } .samples td { padding: 0 .5em .5em 0; vertical-align: top; }
.samples img { width: 100%; image-rendering: pixelated; display: block; }
.swatch { display: inline-block; width: .9em; height: .9em; border: 1px solid #555; vertical-align: -.1em;
          margin-right: .4em; }
.legend span { margin-right: 1.2em; white-space: nowrap; }
.bar { background: #e8ebf0; width: 12em; height: .7em; } .bar i { display: block; background: #1f5fa8; height: 100%; }
.confusion td { width: 2.4em; text-align: center; padding: .1em; font-size: .8em; }
.confusion th { font-weight: normal; font-size: .85em; }
.confusion th.c { writing-mode: vertical-rl; padding: .3em 0; vertical-align: bottom; }
pre { background: #f3f5f8; padding: .8em; overflow-x: auto; font-size: .85em; } summary { cursor: pointer; }
.set { font-weight: bold; }
"""


def write(run: Training, check: Check) -> None:
    """Write the report of a run that stands at `check`. Raises `FileError` where that cannot be done."""
    log, checks, speed = run.folder.read_log(), run.folder.read_checks(), run.folder.read_speed()
    shown = run.train_set if run.val_set is None else run.val_set
    ended = check.iteration >= run.options.iterations
    name = run.folder.path.resolve().name
    title = f"{name}: iteration {check.iteration:,} of {run.options.iterations:,}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="about">{escape(_about(run))}</p>',
        _tiles(run, check, log, speed),
        "<h2>Curves by iteration</h2>",
        _image(charts.overview(log, checks), "loss, validation, learning rate and norms by iteration"),
    ]
    if check.metrics is not None:
        parts += ["<h2>IU of each class</h2>", _classes(check, checks, shown.classes, shown.colors)]
    parts += [
        f"<h2>Predictions on {escape(shown.name)} ({escape(shown.split)})</h2>",
        _samples(check, shown.classes, shown.colors),
    ]
    if check.matrix is not None and len(check.matrix) <= MOST_CELLS:
        parts += ["<h2>Confusion</h2>", _confusion(check.matrix, shown.classes)]
    parts += ["<h2>Norms by layer</h2>", _norms(check)]
    if run.profile is not None:
        parts += ["<h2>Time by layer</h2>", f"<pre>{escape(run.profile.table())}</pre>"]
    skipped = [*run.train_set.skipped, *(run.val_set.skipped if run.val_set is not None else ())]
    if skipped:
        parts += ["<h2>Skipped, which cannot be used</h2>", f"<pre>{escape(chr(10).join(skipped))}</pre>"]
    parts += ["<h2>Options</h2>", _options(run.options)]
    refresh = "" if ended else '<meta http-equiv="refresh" content="60">'
    page = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">{refresh}'
        f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title><style>{_STYLE}</style>'
        f"</head>\n<body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )
    with atomic_write(run.folder.report) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _about(run: Training) -> str:
    options = run.options
    recipe = f"recipe {options.recipe}, " if options.recipe else ""
    skipped = f" ({len(run.train_set.skipped):,} skipped, which cannot be used)" if run.train_set.skipped else ""
    validation = "" if run.val_set is None else f", {len(run.val_set):,} for validation"
    return (
        f"{recipe}{options.model} at width {options.width:g} on {run.train_set.name}: {len(run.train_set):,} pictures "
        f"to train on{skipped}{validation}"
    )


def _tiles(run: Training, check: Check, log: Mapping[str, Sequence[float]], speed: Sequence[Mapping[str, Any]]) -> str:
    """The most asked-for figures."""
    loss = smoothed(np.array(log["loss"]))
    seconds, checking, waited, done = (
        sum(each[name] for each in speed) for name in ("seconds", "checking", "waited", "iterations")
    )
    training = max(seconds - checking, 1e-9)
    left = (run.options.iterations - check.iteration) * seconds / max(done, 1)
    best = run.standing.best
    tiles = [(f"{loss[-1]:.4g}" if len(loss) else "–", "training loss, smoothed")]
    if check.metrics is not None:
        tiles += [
            (text(check.mean_iu), "mean IU"),
            (text(best.mean_iu), f"best mean IU, iteration {best.iteration:,}"),
            (text(check.metrics.pixel_accuracy), "pixel accuracy"),
        ]
    tiles += [
        (f"{done / training:.3g} it/s", "speed, checks apart"),
        (f"{waited / training:.1%}", "waiting for data"),
        (_duration(seconds), "so far"),
    ]
    if left > 0:
        tiles.append((_duration(left), "to go"))
    return '<div class="tiles">' + "".join(f"<div><b>{a}</b><span>{b}</span></div>" for a, b in tiles) + "</div>"


def _classes(
    check: Check,
    checks: Sequence[Mapping[str, Any]],
    classes: Sequence[str],
    colors: Sequence[tuple[int, int, int]],
) -> str:
    """Curves, where there are few enough, and a line for each class: IU now, its best, its course, share of pixels."""
    assert check.metrics is not None and check.matrix is not None
    truth = check.matrix.sum(axis=1)
    validated = [each for each in checks if len(each.get("iu", ())) == len(classes)]
    head = '<tr><th>class</th><th class="n">IU</th><th></th><th class="n">best</th><th>over time</th>'
    rows = [head + '<th class="n">accuracy</th><th class="n">pixels</th></tr>']
    for label, name in enumerate(classes):
        course = [math.nan if each["iu"][label] is None else each["iu"][label] for each in validated]
        iu, accuracy = check.metrics.iu[label], check.metrics.accuracy[label]
        best = max((each for each in course if not math.isnan(each)), default=math.nan)
        width = 0 if math.isnan(iu) else 100 * iu
        rows.append(
            f"<tr><td>{_swatch(colors[label])}{escape(name)}</td><td class='n'>{text(iu)}</td>"
            f"<td><div class='bar'><i style='width:{width:.1f}%'></i></div></td><td class='n'>{text(best)}</td>"
            f"<td>{_spark(course)}</td><td class='n'>{text(accuracy)}</td>"
            f"<td class='n'>{truth[label] / max(1, truth.sum()):.1%}</td></tr>"
        )
    table = "<table>" + "".join(rows) + "</table>"
    if len(classes) > MOST_CURVES:
        return table
    return _image(charts.by_class(validated, classes, colors), "IU of each class by iteration") + table


def _spark(values: Sequence[float]) -> str:
    """A small curve from 0 to 1."""
    step = 110 / max(1, len(values) - 1)
    points = " ".join(f"{i * step + 1:.1f},{21 - 20 * each:.1f}" for i, each in enumerate(values) if each == each)
    return (
        '<svg width="112" height="22" role="img"><path d="M0 21.5H112" stroke="#ddd"/>'
        f'<polyline points="{points}" fill="none" stroke="#1f5fa8" stroke-width="1.5"/></svg>'
    )


def _samples(check: Check, classes: Sequence[str], colors: Sequence[tuple[int, int, int]]) -> str:
    """Pictures, truths and predictions side by side, and the legend."""
    from PIL import Image

    rows = ["<tr><th>picture</th><th>truth</th><th>prediction</th></tr>"]
    for picture, *labels in check.samples:
        cells = [_picture(Image.fromarray(picture), "JPEG", Image.Resampling.BICUBIC)]
        cells += [_picture(label_image(each, colors), "PNG", Image.Resampling.NEAREST) for each in labels]
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    entries = [*zip(classes, colors, strict=True), ("void", VOID_COLOR)]
    legend = "".join(f"<span>{_swatch(color)}{escape(name)}</span>" for name, color in entries)
    return f'<table class="samples">{"".join(rows)}</table><p class="legend">{legend}</p>'


def _picture(picture: Image.Image, kind: str, method: Image.Resampling) -> str:
    scale = min(1.0, _LONGEST_SIDE / max(picture.size))
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    stream = io.BytesIO()
    picture.resize(size, method).save(stream, kind, quality=88)
    return f'<img src="data:image/{kind.lower()};base64,{base64.b64encode(stream.getvalue()).decode()}" alt="">'


def _confusion(matrix: np.ndarray, classes: Sequence[str]) -> str:
    """True classes in rows, percentages of their pixels by predicted class."""
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(100.0 * matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)
    head = "".join(f'<th class="c">{escape(name)}</th>' for name in classes)
    rows = [f"<tr><th>true \\ predicted</th>{head}</tr>"]
    for name, row in zip(classes, shares, strict=True):
        cells = "".join(
            f'<td style="background:rgba(31,95,168,{share / 100:.3f});color:{"#fff" if share > 55 else "#222"}">'
            f"{f'{share:.0f}' if share >= 0.5 else ''}</td>"
            for share in row
        )
        rows.append(f"<tr><th>{escape(name)}</th>{cells}</tr>")
    return f'<table class="confusion">{"".join(rows)}</table>'


def _norms(check: Check) -> str:
    head = '<tr><th>layer</th><th class="n">weights</th><th class="n">gradients</th><th class="n">ratio</th></tr>'
    rows = [head]
    for layer, weight in check.norms.weights.items():
        gradient = check.norms.gradients[layer]
        ratio = f"{gradient / weight:.2e}" if weight else "–"
        rows.append(
            f"<tr><td>{escape(layer)}</td><td class='n'>{weight:.4g}</td><td class='n'>{gradient:.4g}</td>"
            f"<td class='n'>{ratio}</td></tr>"
        )
    return f"<details><summary>after iteration {check.iteration:,}</summary><table>{''.join(rows)}</table></details>"


def _options(options: TrainOptions) -> str:
    """All options; those that are not the defaults stand out."""
    rows = []
    for each in fields(options):
        value = getattr(options, each.name)
        text = " ".join(map(str, value)) if isinstance(value, tuple) else "" if value is None else str(value)
        mark = ' class="set"' if value != each.default else ""
        rows.append(f"<tr{mark}><td>{escape(each.name)}</td><td>{escape(text)}</td></tr>")
    return f"<details><summary>all options</summary><table>{''.join(rows)}</table></details>"


def _image(svg: str, alt: str) -> str:
    return f'<img src="data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}" alt="{escape(alt)}">'


def _swatch(color: tuple[int, int, int]) -> str:
    return '<i class="swatch" style="background:#{:02x}{:02x}{:02x}"></i>'.format(*color)


def _duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min" if minutes else f"{seconds:.0f} s"

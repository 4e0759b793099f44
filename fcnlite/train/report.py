"""report.html: the state of a run in one file, which opens from disk without a network.

The file contains all pictures and curves; it fetches nothing and runs no scripts. The page follows the reader's choice
of a light or dark display and fits a phone. During the run it reloads itself once a minute.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fcnlite.data import Dataset, overview
from fcnlite.files import atomic_write
from fcnlite.segmentation.metrics import text
from fcnlite.segmentation.plots.charts import smoothed
from fcnlite.segmentation.plots.colors import UNSCORED_COLOR, WRONG_COLOR
from fcnlite.segmentation.plots.label_maps import errors, overlay
from fcnlite.train import charts
from fcnlite.train.charts import Chart
from fcnlite.train.checkpoint import Best
from fcnlite.train.options import TrainOptions
from fcnlite.train.profile import Profile
from fcnlite.train.validation import Check, Prediction, Score

if TYPE_CHECKING:
    from PIL import Image

Color = tuple[int, int, int]

MOST_CURVES = 16
"""The largest number of classes with a common chart; with more, only the table shows their curves."""
MOST_CELLS = 40
"""The largest number of classes with a confusion matrix; the cells of larger ones are too small."""
MOST_LISTED = 100
"""The number of pictures in the list of scores."""
_LONGEST_SIDE = 480
"""The largest side of a sample picture, in pixels."""
_SMALL = 200
"""Pictures with a longer side below this many pixels are shown with visible pixels."""
_BINS = 20
"""The number of bins in the histogram of scores."""

_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2026; --soft: #5b6470; --line: #dfe3e8; --card: #f4f6f8;
        --edge: #8a919b; --accent: #1f5fa8; --pale: #9dbde2; --red: #b3541e; --green: #2f7a3c; --gray: #858c96; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14171b; --ink: #e3e6ea; --soft: #9aa3ae; --line: #313840; --card: #1d2228;
          --edge: #7d858f; --accent: #6fa9ea; --pale: #3a5f8a; --red: #e5946a; --green: #74bd80; --gray: #98a0aa; }
}
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; color: var(--ink); background: var(--paper);
       max-width: 1160px; margin: 0 auto; padding: 1.6em 1em 3em; overflow-wrap: anywhere; }
h1 { font-size: 1.5em; line-height: 1.25; margin: 0; }
h2 { font-size: 1.15em; margin: 2.4em 0 .6em; padding-top: .8em; border-top: 1px solid var(--line); }
.about, .note { color: var(--soft); margin: .3em 0 1.2em; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(8.4em, 1fr)); gap: .7em; }
.tiles div { background: var(--card); border-radius: 8px; padding: .6em .9em; }
.tiles b { display: block; font-size: 1.35em; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tiles span { color: var(--soft); font-size: .85em; line-height: 1.3; display: block; }
.progress { height: 4px; border-radius: 2px; background: var(--line); margin: 0 0 1.2em; }
.progress i { display: block; height: 100%; border-radius: 2px; background: var(--accent); }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 25em), 1fr)); gap: 1em 1.6em; }
figure { margin: 0; min-width: 0; }
.legend { display: inline-flex; flex-wrap: wrap; gap: 0 1em; font-size: .87em;
          color: var(--soft); }
figcaption b + .legend { margin-left: .8em; }
.chart svg { display: block; width: 100%; height: auto; } .chart text { font-family: inherit !important; }
.swatch { display: inline-block; width: .85em; height: .85em; border: 1px solid var(--edge); border-radius: 2px;
          vertical-align: -.08em; margin-right: .4em; }
.scroll { overflow-x: auto; max-width: 100%; } .tall { max-height: 26em; overflow-y: auto; }
table { border-collapse: collapse; } td, th { padding: .2em 1em .2em 0; text-align: left; vertical-align: baseline; }
td:last-child, th:last-child { padding-right: 0; }
th { font-weight: 600; font-size: .87em; color: var(--soft); } tr + tr td { border-top: 1px solid var(--line); }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.classes td, .list td { white-space: nowrap; }
.classes td, .classes th { padding-right: .8em; } .classes .bar { width: 4.5em; }
.list td.name, .classes td.name { white-space: normal; min-width: 8.8em; max-width: 22em; }
.tall th { position: sticky; top: 0; background: var(--paper); }
.bar { background: var(--line); width: 7em; height: .6em; border-radius: 3px; overflow: hidden; }
.bar i { display: block; background: var(--accent); height: 100%; }
.histogram { display: flex; align-items: flex-end; gap: 2px; height: 72px; max-width: 540px;
             border-bottom: 1px solid var(--edge); }
.histogram i { flex: 1; background: var(--accent); border-radius: 2px 2px 0 0; }
.scale { display: flex; justify-content: space-between; max-width: 540px; color: var(--soft); font-size: .85em; }
.sample { margin: 0 0 1.4em; } .sample h3 { font-size: 1em; margin: 0 0 .3em; font-weight: 600; }
.sample h3 span { color: var(--soft); font-weight: normal; margin-left: .6em; }
.views { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: .5em; }
.views img { width: 100%; display: block; border-radius: 4px; } .views .small { image-rendering: pixelated; }
.views figcaption { font-size: .82em; color: var(--soft); }
.confusion td { width: 2.5em; min-width: 2.5em; text-align: center; padding: .15em; font-size: .8em; border: 0;
                font-variant-numeric: tabular-nums; }
.confusion th { font-weight: normal; color: inherit; padding-right: .7em; white-space: nowrap; }
.confusion th.c { writing-mode: vertical-rl; transform: rotate(180deg); padding: .3em 0; line-height: 2.5em;
                  max-height: 14em; overflow: hidden; text-overflow: ellipsis; }
.confusion td.hi { color: #fff; } .confusion .axis { color: var(--soft); }
pre { background: var(--card); border-radius: 8px; padding: .8em 1em; overflow-x: auto; font-size: .85em; }
summary { cursor: pointer; color: var(--soft); } .set { font-weight: 600; }
@media (max-width: 640px) {
  .views { grid-template-columns: repeat(2, minmax(0, 1fr)); } .bar { width: 5em; }
  h1 { font-size: 1.25em; } body { padding-top: 1em; } figcaption b + .legend { margin-left: 0; display: flex; }
}
"""


@dataclass(frozen=True)
class Contents:
    """The data that a report shows."""

    name: str
    written: datetime
    options: TrainOptions
    train_set: Dataset
    val_set: Dataset | None
    check: Check
    """The latest check."""
    best: Best
    log: Mapping[str, Sequence[float]]
    """The columns of log.csv."""
    checks: Sequence[Mapping[str, Any]]
    """The lines of log.jsonl."""
    speed: Sequence[Mapping[str, Any]]
    """The lines of speed.jsonl."""
    profile: Profile | None = None

    @property
    def shown(self) -> Dataset:
        """The data set of the sample predictions."""
        return self.train_set if self.val_set is None else self.val_set


def write(path: Path, contents: Contents) -> None:
    """Write the report. Raises `FileError` where the file cannot be written."""
    page = _page(contents)
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8")


def _page(contents: Contents) -> str:
    check, shown, total = contents.check, contents.shown, contents.options.iterations
    title = f"{contents.name}: iteration {check.iteration:,} of {total:,}"
    written = contents.written.strftime("%Y-%m-%d %H:%M:%S %Z").strip()
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="about">{escape(_about(contents))}<br>written on <time datetime="{contents.written.isoformat()}">'
        f"{escape(written)}</time></p>",
        f'<div class="progress"><i style="width:{min(100.0, 100 * check.iteration / total):.1f}%"></i></div>',
        _tiles(contents),
        "<h2>Curves by iteration</h2>",
        f'<div class="charts">{"".join(map(_chart, charts.curves(contents.log, contents.checks)))}</div>',
    ]
    if check.metrics is not None:
        parts += ["<h2>IU of each class</h2>", _classes(check, contents.checks, shown.classes, shown.colors)]
    where = escape(f"{shown.name} ({shown.split})")
    parts += [f"<h2>Predictions on {where}</h2>", _samples(check, shown.classes, shown.colors)]
    if check.ranked:
        parts += [f"<h2>IU of each picture of {where}</h2>", _pictures(check.ranked, shown.classes)]
    if check.matrix is not None and len(check.matrix) <= MOST_CELLS:
        parts += ["<h2>Confusion</h2>", _confusion(check.matrix, shown.classes)]
    parts += ["<h2>Norms by layer</h2>", _norms(check)]
    if contents.profile is not None:
        parts += ["<h2>Time by layer</h2>", f"<pre>{escape(contents.profile.table())}</pre>"]
    skipped = [*contents.train_set.skipped, *(contents.val_set.skipped if contents.val_set is not None else ())]
    if skipped:
        text = "\n".join(dict.fromkeys(skipped))  # both splits report a file that belongs to neither
        parts += ["<h2>Problems that were skipped</h2>", f"<pre>{escape(text)}</pre>"]
    parts += ["<h2>Options</h2>", _options(contents.options)]
    refresh = "" if check.iteration >= total else '<meta http-equiv="refresh" content="60">'
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">{refresh}'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="color-scheme" content="light dark"><title>{escape(title)}</title><style>{_STYLE}</style>'
        f"</head>\n<body>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def _about(contents: Contents) -> str:
    options = contents.options
    recipe = f"recipe {options.recipe}, " if options.recipe else ""
    validation = "" if contents.val_set is None else f", {len(contents.val_set):,} for validation"
    return (
        f"{recipe}{options.model} at width {options.width:g} on {contents.train_set.name}: "
        f"{overview.count(contents.train_set)} to train on{validation}"
    )


def _tiles(contents: Contents) -> str:
    """The main figures: loss, metrics, speed, time."""
    check, best, loss = contents.check, contents.best, smoothed(np.array(contents.log["loss"]))
    seconds, checking, waited, done = (
        sum(each[name] for each in contents.speed) for name in ("seconds", "checking", "waited", "iterations")
    )
    training = max(seconds - checking, 1e-9)
    left = (contents.options.iterations - check.iteration) * seconds / max(done, 1)
    tiles = [(f"{loss[-1]:.4g}" if len(loss) else "–", "training loss, smoothed")]
    if check.metrics is not None:
        tiles += [
            (text(check.mean_iu), "mean IU"),
            (text(best.mean_iu), f"best mean IU, iteration {best.iteration:,}"),
            (text(check.metrics.pixel_accuracy), "pixel accuracy"),
        ]
    tiles += [
        (f"{done / training:.3g} it/s", "speed without checks"),
        (f"{waited / training:.1%}", "waiting for data"),
        (_duration(seconds), "so far"),
    ]
    if left > 0:
        tiles.append((_duration(left), "to go"))
    return '<div class="tiles">' + "".join(f"<div><b>{a}</b><span>{b}</span></div>" for a, b in tiles) + "</div>"


def _chart(chart: Chart) -> str:
    legend = _legend(chart.legend)
    title = f"<b>{escape(chart.title)}</b>" if chart.title else ""
    return f'<figure class="chart"><figcaption>{title}{legend}</figcaption>{chart.svg}</figure>'


def _legend(entries: Sequence[tuple[str, str]]) -> str:
    """A legend of CSS colours and names."""
    words = "".join(f"<span>{_swatch(color)}{escape(name)}</span>" for color, name in entries)
    return f'<span class="legend">{words}</span>' if entries else ""


def _classes(check: Check, checks: Sequence[Mapping[str, Any]], classes: Sequence[str], colors: Sequence[Color]) -> str:
    """A table with a line for each class: IU, best IU, its curve, share of pixels; for few classes also a chart."""
    assert check.metrics is not None and check.matrix is not None
    truth = check.matrix.sum(axis=1)
    validated = [each for each in checks if len(each.get("iu", ())) == len(classes)]
    head = '<tr><th>class</th><th class="n">IU</th><th></th><th class="n">best</th><th>over time</th>'
    rows = [head + '<th class="n">accuracy</th><th class="n">pixels</th></tr>']
    for label, name in enumerate(classes):
        course = [math.nan if each["iu"][label] is None else each["iu"][label] for each in validated]
        iu, accuracy = check.metrics.iu[label], check.metrics.accuracy[label]
        best = max((each for each in course if not math.isnan(each)), default=math.nan)
        rows.append(
            f"<tr><td class='name'>{_swatch(_hex(colors[label]))}{escape(name)}</td><td class='n'>{text(iu)}</td>"
            f"<td>{_bar(iu)}</td><td class='n'>{text(best)}</td>"
            f"<td>{_spark(course)}</td><td class='n'>{text(accuracy)}</td>"
            f"<td class='n'>{truth[label] / max(1, truth.sum()):.1%}</td></tr>"
        )
    table = f'<div class="scroll"><table class="classes">{"".join(rows)}</table></div>'
    if len(classes) > MOST_CURVES:
        return table
    return f'<div class="charts">{_chart(charts.by_class(validated, classes, colors))}{table}</div>'


def _bar(value: float) -> str:
    return f"<div class='bar'><i style='width:{0 if math.isnan(value) else 100 * value:.1f}%'></i></div>"


def _spark(values: Sequence[float]) -> str:
    """A small curve of values from 0 to 1."""
    step = 90 / max(1, len(values) - 1)
    points = " ".join(f"{i * step + 1:.1f},{21 - 20 * each:.1f}" for i, each in enumerate(values) if each == each)
    return (
        '<svg width="92" height="22" role="img"><path d="M0 21.5H92" style="stroke:var(--line)"/>'
        f'<polyline points="{points}" fill="none" style="stroke:var(--accent)" stroke-width="1.5"/></svg>'
    )


def _samples(check: Check, classes: Sequence[str], colors: Sequence[Color]) -> str:
    """The sample pictures beside their truths, predictions and errors, with the legend."""
    places = {score.index: place for place, score in enumerate(check.ranked, start=1)}
    entries = [*zip(map(_hex, colors), classes, strict=True), (_hex(WRONG_COLOR), "wrong")]
    chosen = f"The worst pictures of {len(places):,}, the middle one and the best.<br>" if places else ""
    parts = [f'<p class="note">{chosen}{_legend([*entries, (_hex(UNSCORED_COLOR), "void, not scored")])}</p>']
    for each in check.samples:
        place = f" · {places[each.score.index]:,} of {len(places):,}" if places else ""
        figures = f"mean IU {text(each.score.mean_iu)}{place}"
        parts.append(
            f'<section class="sample"><h3>{escape(each.score.name)}<span>{figures}</span></h3>'
            f'<div class="views">{_views(each, classes, colors)}</div></section>'
        )
    return "".join(parts)


def _views(sample: Prediction, classes: Sequence[str], colors: Sequence[Color]) -> str:
    from PIL import Image

    views = {
        "picture": Image.fromarray(sample.image),
        "truth": overlay(sample.image, sample.truth, classes, colors),
        "prediction": overlay(sample.image, sample.predicted, classes, colors),
        "errors": errors(sample.image, sample.truth, sample.predicted),
    }
    return "".join(
        f"<figure>{_picture(view, f'{name} of {sample.score.name}', flat=name == 'errors')}"
        f"<figcaption>{name}</figcaption></figure>"
        for name, view in views.items()
    )


def _picture(picture: Image.Image, alt: str, flat: bool) -> str:
    """An image element. Scaling and compression do not blend the colours of a `flat` picture, which encode classes."""
    from PIL import Image

    scale = min(1.0, _LONGEST_SIDE / max(picture.size))
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    stream = io.BytesIO()
    if flat:
        kind = "png"
        picture.resize(size, Image.Resampling.NEAREST).quantize(256).save(stream, "PNG")
    else:
        kind = "jpeg"
        picture.resize(size, Image.Resampling.BICUBIC).save(stream, "JPEG", quality=88, subsampling=0)
    small = ' class="small"' if max(picture.size) < _SMALL else ""
    content = base64.b64encode(stream.getvalue()).decode()
    return f'<img{small} src="data:image/{kind};base64,{content}" alt="{escape(alt)}">'


def _pictures(ranked: Sequence[Score], classes: Sequence[str]) -> str:
    """The histogram of scores and the list of the pictures with the lowest."""
    values = np.array([each.mean_iu for each in ranked])
    known = values[np.isfinite(values)]
    counts = np.histogram(known, _BINS, (0, 1))[0]
    bars = "".join(
        f'<i style="height:{100 * count / max(1, counts.max()):.1f}%{";min-height:2px" if count else ""}" '
        f'title="{count:,} from {place / _BINS:.2f} to {(place + 1) / _BINS:.2f}"></i>'
        for place, count in enumerate(counts.tolist())
    )
    middle = f"median {text(float(np.median(known)))}" if known.size else ""
    histogram = (
        f'<div class="histogram" role="img" aria-label="pictures by mean IU">{bars}</div>'
        f'<div class="scale"><span>0</span><span>{middle}</span><span>1</span></div>'
    )
    head = '<tr><th class="n">#</th><th>picture</th><th class="n">mean IU</th><th></th>'
    rows = [head + '<th class="n">pixel accuracy</th><th>most frequent error, share of the picture\'s pixels</th></tr>']
    for place, each in enumerate(ranked[:MOST_LISTED], start=1):
        error = ""
        if each.mistake is not None:
            truth, predicted, share = each.mistake
            error = f"{escape(classes[truth])} taken for {escape(classes[predicted])}, {share:.1%}"
        rows.append(
            f"<tr><td class='n'>{place}</td><td class='name'>{escape(each.name)}</td>"
            f"<td class='n'>{text(each.mean_iu)}</td><td>{_bar(each.mean_iu)}</td>"
            f"<td class='n'>{text(each.pixel_accuracy)}</td><td>{error}</td></tr>"
        )
    count = f"The {MOST_LISTED} worst of {len(ranked):,} pictures" if len(ranked) > MOST_LISTED else "All pictures"
    note = f"{count}, worst first. The mean is over the classes that are in a picture or predicted there."
    table = f'<div class="scroll tall"><table class="list">{"".join(rows)}</table></div>'
    return f'{histogram}<p class="note">{note}</p>{table}'


def _confusion(matrix: np.ndarray, classes: Sequence[str]) -> str:
    """The confusion matrix: true classes in rows, with percentages of their pixels by predicted class."""
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(100.0 * matrix, totals, out=np.zeros(matrix.shape), where=totals > 0)
    head = "".join(f'<th class="c">{escape(name)}</th>' for name in classes)
    rows = [f'<tr><th class="axis">true ↓ &nbsp; predicted →</th>{head}</tr>']
    for name, row in zip(classes, shares, strict=True):
        cells = "".join(
            f'<td{" class=hi" if share > 55 else ""} style="background:rgba(40,104,178,{share / 100:.3f})" '
            f'title="{escape(name)} as {escape(other)}: {share:.2f} %">{f"{share:.0f}" if share >= 0.5 else ""}</td>'
            for other, share in zip(classes, row, strict=True)
        )
        rows.append(f"<tr><th>{escape(name)}</th>{cells}</tr>")
    note = "% of the pixels of each true class; rows sum to 100 %. Cells below 0.5 % are blank."
    return f'<p class="note">{note}</p><div class="scroll"><table class="confusion">{"".join(rows)}</table></div>'


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
    return _folded(f"after iteration {check.iteration:,}", rows)


def _options(options: TrainOptions) -> str:
    """The table of all options; those that differ from the defaults are marked."""
    rows = []
    for each in fields(options):
        value = getattr(options, each.name)
        text = " ".join(map(str, value)) if isinstance(value, tuple) else "" if value is None else str(value)
        mark = ' class="set"' if value != each.default else ""
        rows.append(f"<tr{mark}><td>{escape(each.name)}</td><td>{escape(text)}</td></tr>")
    return _folded("all options", rows)


def _folded(summary: str, rows: Sequence[str]) -> str:
    table = f'<div class="scroll"><table>{"".join(rows)}</table></div>'
    return f"<details><summary>{summary}</summary>{table}</details>"


def _swatch(color: str) -> str:
    return f'<i class="swatch" style="background:{color}"></i>'


def _hex(color: Color) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)


def _duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min" if minutes else f"{seconds:.0f} s"

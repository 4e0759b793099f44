"""`python -m fcnlite.predict`: label maps and overlays of pictures."""

from __future__ import annotations

import argparse
import glob
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fcnlite import _cli, plots
from fcnlite.data.pictures import SUFFIXES, read_image
from fcnlite.data.problems import complain
from fcnlite.errors import DataError, FcnliteError, FileError
from fcnlite.files import cannot_read
from fcnlite.segmenter import Segmenter

_DESCRIPTION = """\
Segment pictures. For each one OUT/NAME.png is written, a palette PNG whose pixels are the class
numbers, and OUT/NAME_overlay.png, the picture tinted by class with a legend. Sub-folders of a
folder are mirrored in OUT."""

_EXAMPLES = """\
  python -m fcnlite.predict camvid.h5 street.png
  python -m fcnlite.predict camvid.h5 photos/ 'more/*.jpg' -o labels --no-overlay
  python -m fcnlite.predict fcn8s.caffemodel --net fcn8s.prototxt photo.jpg"""


@dataclass(frozen=True)
class _Job:
    """One picture, and where its results go."""

    source: Path
    labels: Path
    overlay: Path | None

    @property
    def targets(self) -> list[Path]:
        return [self.labels] if self.overlay is None else [self.labels, self.overlay]


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_intermixed_args(arguments)
    _cli.apply_threads(options)
    out = Path(options.out)
    jobs = _plan(options.inputs, out, overlays=not options.no_overlay)
    segmenter = _cli.open_segmenter(options)
    _make_folder(out)
    _segment(segmenter, jobs)


def _parser() -> argparse.ArgumentParser:
    parser = _cli.parser("predict", _DESCRIPTION, _EXAMPLES)
    _cli.add_weights(parser)
    parser.add_argument("inputs", metavar="INPUT", nargs="+", help="picture files, folders or glob patterns")
    words = "the folder to write to (default: predictions)"
    parser.add_argument("-o", "--out", metavar="OUT", default="predictions", help=words)
    parser.add_argument("--no-overlay", action="store_true", help="write label maps only")
    _cli.add_threads(parser)
    return parser


def _plan(inputs: Iterable[str], out: Path, overlays: bool) -> list[_Job]:
    """The work, without two pictures that share a target and without a target that is an input."""
    jobs: list[_Job] = []
    sources: dict[Path, Path] = {}
    owners: dict[Path, Path] = {}
    for source, name in _found(inputs, out):
        real = source.resolve()
        if real in sources:
            continue
        sources[real] = source
        job = _Job(source, out / f"{name}.png", out / f"{name}_overlay.png" if overlays else None)
        for target in job.targets:
            if target in owners:
                raise DataError(
                    f"{source}: would be written to {target}, as {owners[target]} is; rename one of them, "
                    "use two --out folders, or give the folder above both, whose sub-folders are mirrored."
                )
            owners[target] = source
        jobs.append(job)
    for target in owners:
        if target.resolve() in sources:
            raise DataError(f"{target}: is an input and would be overwritten; choose another --out folder.")
    return jobs


def _found(inputs: Iterable[str], out: Path) -> Iterator[tuple[Path, str]]:
    """Every picture that the inputs name, and what its results are called below `out`, without suffix."""
    for text in inputs:
        path = Path(text)
        try:
            # Not Path.glob, which refuses absolute patterns.
            matches = [path] if path.exists() else sorted(map(Path, glob.glob(text, recursive=True)))  # noqa: PTH207
            if not matches:
                raise FileError(f"{text}: no such file or folder, and as a pattern it matches nothing.")
            for match in matches:
                if match.is_dir():
                    yield from _pictures_below(match, out)
                else:
                    yield match, match.stem
        except OSError as error:
            raise cannot_read(text, error) from error


def _pictures_below(folder: Path, out: Path) -> Iterator[tuple[Path, str]]:
    """The picture files in `folder` and its sub-folders; not hidden ones, nor what lies in `out`."""
    earlier = out.resolve()
    count = 0
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.suffix.lower() not in SUFFIXES or any(part.startswith(".") for part in inside.parts):
            continue
        if path.is_file() and (earlier == folder.resolve() or earlier not in path.resolve().parents):
            count += 1
            yield path, inside.with_suffix("").as_posix()
    if not count:
        raise DataError(f"{folder}: holds no pictures ({', '.join(SUFFIXES)}).")


def _segment(segmenter: Segmenter, jobs: Sequence[_Job]) -> None:
    """Do the work and print what was written. Pictures that fail are told at the end; the others stay."""
    from tqdm import tqdm

    problems: list[str] = []
    for job in tqdm(jobs, unit="picture", disable=None, leave=False, file=sys.stderr):
        try:
            image = read_image(job.source)
            labels = segmenter(image)
        except FcnliteError as error:
            message = str(error)
            problems.append(message if message.startswith(str(job.source)) else f"{job.source}: {message}")
            continue
        _write(job, image, labels, segmenter)
        written = ", ".join(map(str, job.targets))
        tqdm.write(f"{job.source} -> {written}\n  {_shares(labels, segmenter.classes)}", file=sys.stdout)
    if len(problems) == 1:
        raise DataError(problems[0])
    complain(f"{len(jobs) - len(problems)} of {len(jobs)} pictures segmented", problems)


def _write(job: _Job, image: np.ndarray, labels: np.ndarray, segmenter: Segmenter) -> None:
    classes, colors = segmenter.classes, segmenter.colors
    _make_folder(job.labels.parent)
    plots.save_png(job.labels, plots.label_image(labels, colors))
    if job.overlay is not None:
        tinted = plots.overlay(image, labels, classes, colors)
        plots.save_png(job.overlay, plots.with_legend(tinted, labels, classes, colors))


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(
            f"{folder}: cannot be made a folder ({error.strerror or error}); choose another one with --out."
        ) from error


def _shares(labels: np.ndarray, classes: Sequence[str]) -> str:
    """The classes in a label map with their shares of its pixels, the largest first."""
    counts = np.bincount(labels.ravel(), minlength=len(classes))
    percents = 100 * counts / labels.size
    order = [i for i in np.argsort(-counts, kind="stable") if counts[i]]
    return ", ".join(
        f"{classes[i]} " + (f"{percents[i]:.1f} %" if percents[i] >= 0.05 else "< 0.1 %") for i in order
    )


if __name__ == "__main__":
    sys.exit(_cli.run(main))

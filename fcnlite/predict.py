"""`python -m fcnlite.predict`: label maps and overlays of pictures."""

from __future__ import annotations

import argparse
import glob
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fcnlite._cli import parser as _cli
from fcnlite.data.pictures import SUFFIXES, read_image, show
from fcnlite.data.problems import raise_if_any
from fcnlite.errors import DataError, FcnliteError, FileError, nearest
from fcnlite.files import cannot_read
from fcnlite.segmentation import plots
from fcnlite.segmentation.segmenter import Segmenter

_DESCRIPTION = """\
Segment pictures. For each one OUT/NAME.png is written, a palette PNG whose pixels are the class
numbers, and OUT/NAME_overlay.png, the picture tinted by class with a legend. Sub-folders of a
folder are mirrored in OUT. Nets that score several label maps (SIFT Flow's) write the others to
OUT/NAME_LABEL.png. Nets that take several pictures of a scene find the others by --also."""

_EXAMPLES = """\
  python -m fcnlite.predict camvid.h5 street.png
  python -m fcnlite.predict camvid.h5 photos/ 'more/*.jpg' -o labels --no-overlay
  python -m fcnlite.predict fcn8s.caffemodel --net fcn8s.prototxt photo.jpg
  python -m fcnlite.predict nyud.h5 nyud/data/images --also hha=nyud/data/hha"""


@dataclass(frozen=True)
class _Job:
    """One scene, and where its results go."""

    source: Path
    others: Mapping[str, Path]
    """Further pictures of the scene, by the net's input."""
    labels: Mapping[str, Path]
    """By the blob of the label, as are the overlays."""
    overlays: Mapping[str, Path]

    @property
    def targets(self) -> list[Path]:
        return [*self.labels.values(), *self.overlays.values()]


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_intermixed_args(arguments)
    _cli.apply_threads(options.threads)
    out = Path(options.out)
    also = _folders(options.also)
    found = list(_found(options.inputs, out))
    segmenter = _cli.open_segmenter(options)
    picture = _main_input(segmenter, also)
    jobs = _plan(found, out, also, [*segmenter.heads], overlays=not options.no_overlay)
    _make_folder(out)
    for name in segmenter.inputs:
        print(f"{name}: fed as {segmenter.net.info.preprocessing.of(name)}", file=sys.stderr)
    _segment(segmenter, picture, jobs)


def _parser() -> argparse.ArgumentParser:
    parser = _cli.parser("predict", _DESCRIPTION, _EXAMPLES)
    _cli.add_weights(parser)
    parser.add_argument("inputs", metavar="INPUT", nargs="+", help="picture files, folders or glob patterns")
    words = "the folder to write to (default: predictions)"
    parser.add_argument("-o", "--out", metavar="OUT", default="predictions", help=words)
    words = "for nets that take several pictures of a scene: DIR holds those for the input NAME, under the same names"
    parser.add_argument("--also", metavar="NAME=DIR", action="append", default=[], help=words)
    parser.add_argument("--no-overlay", action="store_true", help="write label maps only")
    _cli.add_threads(parser)
    return parser


def _folders(entries: Iterable[str]) -> dict[str, Path]:
    """What --also says: the folder of the pictures for an input."""
    folders: dict[str, Path] = {}
    for entry in entries:
        name, equals, folder = entry.partition("=")
        if not equals or not name:
            raise DataError(f"--also {entry}: expected NAME=DIR, such as hha=nyud/data/hha.")
        if not Path(folder).is_dir():
            raise FileError(f"--also {entry}: {folder} is no folder.")
        folders[name] = Path(folder)
    return folders


def _main_input(segmenter: Segmenter, also: Mapping[str, Path]) -> str:
    """The input that the pictures on the command line are for: the one that --also does not name."""
    for name in also:
        if name not in segmenter.inputs:
            raise DataError(f"--also {name}=...: the net has no such input; {nearest(name, segmenter.inputs)}")
    left = [name for name in segmenter.inputs if name not in also]
    if len(left) != 1:
        raise DataError(
            f"the net takes {len(segmenter.inputs)} pictures of a scene ({', '.join(segmenter.inputs)}); say by --also "
            f"NAME=DIR where all but one are, such as --also {segmenter.inputs[-1]}=DIR."
        )
    return left[0]


def _plan(
    found: Iterable[tuple[Path, str]], out: Path, also: Mapping[str, Path], labels: Sequence[str], overlays: bool
) -> list[_Job]:
    """The work, without two pictures that share a target and without a target that is an input."""
    jobs: list[_Job] = []
    sources: dict[Path, Path] = {}
    owners: dict[Path, Path] = {}
    endings = {label: f"_{label}" if i else "" for i, label in enumerate(labels)}
    for source, name in found:
        real = source.resolve()
        if real in sources:
            continue
        sources[real] = source
        job = _Job(
            source,
            {each: _of_name(folder, name) for each, folder in also.items()},
            {label: out / f"{name}{ending}.png" for label, ending in endings.items()},
            {label: out / f"{name}{ending}_overlay.png" for label, ending in endings.items() if overlays},
        )
        sources.update({path.resolve(): path for path in job.others.values()})
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


def _of_name(folder: Path, name: str) -> Path:
    """The picture file in `folder` that is called so, whatever its suffix; a .png where there is none."""
    candidates = [folder / f"{name}{suffix}" for suffix in SUFFIXES]
    return next((path for path in candidates if path.is_file()), candidates[0])


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


def _segment(segmenter: Segmenter, picture: str, jobs: Sequence[_Job]) -> None:
    """Do the work and print what was written. Pictures that fail are told at the end; the others stay.

    `picture`: the net's input that the sources are for.
    """
    from tqdm import tqdm

    problems: list[str] = []
    preprocessing = segmenter.net.info.preprocessing
    for job in tqdm(jobs, unit="picture", disable=None, leave=False, file=sys.stderr):
        try:
            paths = {picture: job.source, **job.others}
            images = {name: read_image(path, preprocessing=preprocessing.of(name)) for name, path in paths.items()}
            maps = segmenter.label_maps(images)
        except FcnliteError as error:
            message = str(error)
            named = message.startswith(tuple(map(str, paths.values())))
            problems.append(message if named else f"{job.source}: {message}")
            continue
        _write(job, show(images[picture]), maps, segmenter)
        written = ", ".join(map(str, job.targets))
        shares = [_shares(labels, segmenter.heads[name].labels.classes) for name, labels in maps.items()]
        tqdm.write("\n  ".join([f"{job.source} -> {written}", *shares]), file=sys.stdout)
    if len(problems) == 1:
        raise DataError(problems[0])
    raise_if_any(f"{len(jobs) - len(problems)} of {len(jobs)} pictures segmented", problems)


def _write(job: _Job, image: np.ndarray, maps: Mapping[str, np.ndarray], segmenter: Segmenter) -> None:
    """Label maps, and overlays on the H×W×3 `image`."""
    _make_folder(next(iter(job.labels.values())).parent)
    for name, labels in maps.items():
        classes, colors = segmenter.heads[name].labels.classes, segmenter.heads[name].labels.colors
        plots.save_png(job.labels[name], plots.label_image(labels, colors))
        if name in job.overlays:
            tinted = plots.overlay(image, labels, classes, colors)
            plots.save_png(job.overlays[name], plots.with_legend(tinted, labels, classes, colors))


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
    return ", ".join(f"{classes[i]} " + (f"{percents[i]:.1f} %" if percents[i] >= 0.05 else "< 0.1 %") for i in order)


if __name__ == "__main__":
    sys.exit(_cli.run(main))

"""Segmenting many pictures: which files to read, and which to write for each."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from fcnlite.arrays import Array
from fcnlite.data import video
from fcnlite.data.pictures import SUFFIXES
from fcnlite.errors import DataError, FileError
from fcnlite.files import cannot_read


@dataclass(frozen=True)
class Job:
    """One scene and the files for its results."""

    source: Path
    name: str
    """The name of the picture below the folder of results, with the suffix of the source."""
    others: Mapping[str, Path]
    """Further pictures of the scene, by the net's input."""
    labels: Mapping[str, Path]
    """The files for the label maps, by the label's blob."""
    overlays: Mapping[str, Path]
    """The files for the overlays, by the label's blob."""
    more: Mapping[str, Path] = field(default_factory=dict)
    """The files for further results of the first label map, by their kind."""
    number: int | None = None
    """The number of the frame, if `source` is a video."""
    pixels: Array | None = None
    """The frame, H×W×3 uint8."""

    @property
    def title(self) -> str:
        """The picture in messages and tables: its path, or `clip.mp4#25`."""
        return str(self.source) if self.number is None else f"{self.source}#{self.number}"

    @property
    def done(self) -> bool:
        """Whether all its files exist."""
        return all(path.exists() for path in self.targets)

    @property
    def targets(self) -> list[Path]:
        return [*self.labels.values(), *self.overlays.values(), *self.more.values()]


def find_pictures(inputs: Iterable[str], out: Path) -> Iterator[tuple[Path, str]]:
    """Every picture or video that the inputs name, with the name of its results below `out`, without suffix.

    An input is a file, a folder, of which the pictures are taken, or a glob pattern. Raises `FileError` for one that
    names nothing, `DataError` for a folder without pictures.
    """
    for text in inputs:
        path = Path(text)
        try:
            # Path.glob refuses absolute patterns.
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
    """The picture files in `folder` and its sub-folders, except hidden ones and those in `out`."""
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


@dataclass(frozen=True)
class Plan:
    """Which files are written for each picture, and where.

    `also`: the folders of a scene's further pictures, by the net's input. `labels`: the blobs of the label maps; the
    files of the first have the picture's name. `more`: the endings of the files of further results, by kind.
    """

    out: Path
    also: Mapping[str, Path]
    labels: Sequence[str]
    overlays: bool
    more: Mapping[str, str]

    def job(self, source: Path, name: str, suffix: str) -> Job:
        """The job of a picture with a name of `find_pictures`."""
        out, endings = self.out, {label: f"_{label}" if i else "" for i, label in enumerate(self.labels)}
        return Job(
            source,
            name + suffix,
            {each: _named(folder, name) for each, folder in self.also.items()},
            {label: out / f"{name}{ending}.png" for label, ending in endings.items()},
            {label: out / f"{name}{ending}_overlay.png" for label, ending in endings.items() if self.overlays},
            {kind: out / f"{name}{ending}" for kind, ending in self.more.items()},
        )

    def frame(self, source: Path, name: str, number: int) -> Job:
        """The job of a frame of a video, without its pixels. Its results have the number in their names."""
        return replace(self.job(source, f"{name}_{number:06}", ".png"), number=number)

    def divide(self, found: Iterable[tuple[Path, str]]) -> tuple[list[Job], list[tuple[Path, str]]]:
        """The jobs of the pictures among `found`, and the videos; what is found twice counts once.

        Raises `DataError` if two jobs would write the same file, or one an input.
        """
        jobs: list[Job] = []
        videos: list[tuple[Path, str]] = []
        sources: dict[Path, Path] = {}
        owners: dict[Path, Path] = {}
        for source, name in found:
            real = source.resolve()
            if real in sources:
                continue
            sources[real] = source
            if source.suffix.lower() in video.SUFFIXES:
                videos.append((source, name))
                job = self.frame(source, name, 0)  # for the names of its files, which differ in the number
            else:
                job = self.job(source, name, source.suffix)
                jobs.append(job)
                sources.update({path.resolve(): path for path in job.others.values()})
            for target in job.targets:
                if target in owners:
                    raise _clash(source, target, owners[target])
                owners[target] = source
        for source, name in videos:
            of_frames = re.compile(rf"{re.escape(name)}_\d{{6,}}")
            for job in jobs:
                if of_frames.fullmatch(Path(job.name).with_suffix("").as_posix()):
                    raise _clash(source, job.targets[0], job.source)
        for target in owners:
            if target.resolve() in sources:
                raise DataError(f"{target}: is an input and would be overwritten; choose another --out folder.")
        return jobs, videos


def _clash(source: Path, target: Path, other: Path) -> DataError:
    return DataError(
        f"{source}: would be written to {target}, as {other} is; rename one of them, use two --out folders, or give "
        "the folder above both, whose sub-folders are mirrored."
    )


def _named(folder: Path, name: str) -> Path:
    """The picture file `name` in `folder` with any suffix; the .png if there is none."""
    candidates = [folder / f"{name}{suffix}" for suffix in SUFFIXES]
    return next((path for path in candidates if path.is_file()), candidates[0])


def make_folder(folder: Path) -> None:
    """Make the folder unless it exists. Raises `FileError` if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(
            f"{folder}: cannot be made a folder ({error.strerror or error}); choose another one with --out."
        ) from error

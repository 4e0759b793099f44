"""The base of data sets whose labels are objects in JSON files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fcnlite.arrays import Array
from fcnlite.data.annotations.painting import AnnotatedPicture, Painter
from fcnlite.data.file_dataset import SampleFiles
from fcnlite.data.orientation import choose_orientation
from fcnlite.data.own_pictures import OwnPictures
from fcnlite.data.problems import Progress
from fcnlite.errors import DataError


class AnnotatedPictures(OwnPictures):
    """Pictures and their objects. `pictures` has the objects of each label in `files`, by its path.

    With `skip_bad`, objects that cannot be used become void; otherwise their pictures cannot be used. Either way
    `usable` and `check` list each of them.
    """

    def __init__(
        self,
        name: str,
        split: str,
        files: Sequence[SampleFiles],
        pictures: Mapping[Path, Callable[[], AnnotatedPicture]],
        painter: Painter,
        *,
        training: Callable[[], Sequence[Path]],
        skipped: Sequence[str],
        skip_bad: bool,
        exif: str | None,
        bands: Sequence[int],
        white: int | None,
        doubts: list[str],
    ) -> None:
        self._pictures = pictures
        self._painter = painter
        self._skip_bad = skip_bad
        self._faults: dict[Path, list[str]] = {}

        def label_size(each: SampleFiles) -> tuple[int, int]:
            found = pictures[each.labels["label"]]()
            return found.width, found.height

        orientation = choose_orientation(files, exif, doubts.append, label_size)
        super().__init__(
            name,
            split,
            painter.classes.labels,
            files,
            self._label,
            training=training,
            skipped=skipped,
            orientation=orientation,
            bands=bands,
            white=white,
            doubts=doubts,
        )

    def _label(self, path: Path) -> Array:
        """The label map at `path`. Raises `DataError`, which counts the objects that cannot be used."""
        labels, self._faults[path] = self._painter.paint(self._pictures[path]())
        faults = self._faults[path]
        if faults and not self._skip_bad:
            more = f" {len(faults) - 1} more of its objects cannot be used." if faults[1:] else ""
            raise DataError(faults[0] + more)
        return labels

    def usable(self, progress: Progress | None = None) -> tuple[Sequence[int], list[str]]:
        """As in every data set; lists each object that cannot be used."""
        indices, problems = super().usable(progress)
        paths = [each.labels["label"] for each in self.files]
        faults = [each for path in paths for each in self._faults.get(path, ())]
        # Without skip_bad, the problem of a picture is that of its first faulty object, and a count of the others.
        files = [each for each in problems if not each.startswith(tuple(faults))]
        return indices, [*files, *faults]

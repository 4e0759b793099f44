"""The frames of videos as jobs, decoded while the net computes the ones before."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from fcnlite.data import video
from fcnlite.errors import DataError, FileError
from fcnlite.segmentation.jobs import Job, Plan
from fcnlite.segmentation.outputs.polygons import FORMATS


class Clips:
    """Every `every`-th frame of some videos, in order. With `skip_done`, frames whose files exist are left out.

    `share`: the number of this process and of all; each has every so many-th of these frames.

    Raises `FcnliteError` if there are videos but no library that reads them, `DataError` for results that need picture
    files.
    """

    def __init__(
        self,
        videos: Sequence[tuple[Path, str]],
        plan: Plan,
        every: int,
        skip_done: bool,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        self._videos, self._plan, self._every, self._skip_done = videos, plan, every, skip_done
        self._rank, self._size = share
        self.problems: list[str] = []
        """What is wrong with the videos that were read so far, such as one that ends early."""
        self.kept: list[Job] = []
        """The frames that were left out so far, without pixels."""
        if videos:
            video.library()
            _refuse(videos[0][0], "--also" if plan.also else "")
            _refuse(videos[0][0], "--polygons labelme" if plan.more.get("polygons") == FORMATS["labelme"] else "")

    def __iter__(self) -> Iterator[Job]:
        for source, name in self._videos:
            try:
                for number, pixels in video.frames(source, self._every):
                    if number // self._every % self._size != self._rank:
                        continue
                    job = self._plan.frame(source, name, number)
                    if self._skip_done and job.done:
                        self.kept.append(job)
                    else:
                        yield replace(job, pixels=pixels)
            except (DataError, FileError) as error:
                self.problems.append(str(error))

    def count(self) -> int | None:
        """The number of these frames by what the files declare; None if one does not say."""
        counts = [video.declared_frames(source) for source, _ in self._videos]
        if 0 in counts:
            return None
        return sum(len(range(each)[:: self._every][self._rank :: self._size]) for each in counts)

    @property
    def sources(self) -> list[Path]:
        """The videos."""
        return [source for source, _ in self._videos]


def _refuse(path: Path, option: str) -> None:
    """Raise `DataError` for an option that goes with picture files."""
    if option:
        raise DataError(
            f"{path}: is a video, and {option} goes with picture files; write its frames as pictures first "
            f"(python -m fcnlite.data {path} --to frames OUT)."
        )

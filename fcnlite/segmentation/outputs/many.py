"""Segments many pictures: files are read and written while the net computes other pictures."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

from fcnlite import config
from fcnlite.arrays import Array
from fcnlite.data.pictures import read_image
from fcnlite.data.problems import Progress, try_all
from fcnlite.errors import DataError, FcnliteError, FileError
from fcnlite.segmentation.jobs import Job
from fcnlite.segmentation.outputs.results import Wanted, Written, read_results, write_results
from fcnlite.segmentation.segmenter import Segmented, Segmenter

_FILE_THREADS = 2
"""The threads that read and write: one picture can be read while another one is written."""


class Outcome(NamedTuple):
    """What became of a job."""

    job: Job
    written: Written | None
    problem: str = ""
    last: bool = False
    """Whether the results of other pictures could not be written either."""


def segment_all(
    segmenter: Segmenter, picture: str, jobs: Iterable[Job], wanted: Wanted, workers: int = 1
) -> Generator[Outcome, None, None]:
    """Segment the pictures and write their results; yields the outcomes in the order of the jobs.

    `picture`: the net's input for the sources of the jobs. So many pictures as there are `workers` are in the net at
    the same time; they share its parameters and divide the threads among them. Others are read and written meanwhile,
    unless the segmenter computes in tiles, whose pictures are large. Ends after an outcome that is the `last`.
    """
    threads, own = config.num_threads(), threading.local()
    files = ThreadPoolExecutor(_FILE_THREADS, "fcnlite-files")
    # Each of these threads keeps its segmenter, and its team of OpenMP.
    nets = ThreadPoolExecutor(workers, "fcnlite-predict")

    def read(job: Job) -> dict[str, Array]:
        if job.pixels is not None:
            return {picture: job.pixels}
        paths = {picture: job.source, **job.others}
        preprocessing = segmenter.net.info.preprocessing
        return {name: read_image(path, preprocessing=preprocessing.of(name)) for name, path in paths.items()}

    def compute(job: Job, reading: Future[dict[str, Array]]) -> Future[Outcome]:
        if not hasattr(own, "segmenter"):
            own.segmenter = segmenter if workers == 1 else segmenter.share()
        try:
            images = reading.result()
            found = own.segmenter.segmented(images, probabilities=wanted.need_probabilities)
        except (FcnliteError, MemoryError) as error:
            failed: Future[Outcome] = Future()
            failed.set_result(_failure(job, error))
            return failed
        return files.submit(_write, job, images[picture], found, segmenter, wanted)

    def started() -> Iterator[Future[Future[Outcome]]]:
        """Start the jobs in order; yields each before more are in progress than fit into memory."""
        most = workers if segmenter.tiled else workers + _FILE_THREADS
        in_progress: deque[Future[Future[Outcome]]] = deque()
        for job in jobs:
            in_progress.append(nets.submit(compute, job, files.submit(read, job)))
            if len(in_progress) == most:
                yield in_progress.popleft()
        yield from in_progress

    config.set_num_threads(max(1, threads // workers))
    try:
        for each in started():
            outcome = each.result().result()
            yield outcome
            if outcome.last:
                return
    finally:
        nets.shutdown(cancel_futures=True)
        files.shutdown()
        config.set_num_threads(threads)


def recall_all(
    jobs: Sequence[Job], classes: Sequence[str], wanted: Wanted, progress: Progress | None = None
) -> list[Outcome]:
    """What an earlier run has written for the jobs, in their order; all their files exist."""

    def recalled(job: Job) -> Outcome:
        try:
            return Outcome(job, read_results(job, classes, wanted))
        except (FcnliteError, MemoryError) as error:
            return _failure(job, error)

    outcomes, _ = try_all(recalled, jobs, progress)
    return outcomes


def _write(job: Job, image: Array, found: Mapping[str, Segmented], segmenter: Segmenter, wanted: Wanted) -> Outcome:
    try:
        return Outcome(job, write_results(job, image, found, segmenter, wanted))
    except FileError as error:
        return Outcome(job, None, str(error), last=True)
    except (DataError, MemoryError) as error:  # such as a picture without a georeference
        return _failure(job, error)


def _failure(job: Job, error: FcnliteError | MemoryError) -> Outcome:
    """The outcome of a picture that cannot be segmented, with a sentence that names it."""
    if isinstance(error, MemoryError):
        problem = f"{job.title}: there is not enough memory to segment it ({error}); make it smaller."
    elif str(error).startswith(tuple(map(str, (job.source, *job.others.values())))):
        problem = str(error)
    else:
        problem = f"{job.title}: {error}"
    return Outcome(job, None, problem)

"""Segments many pictures: each on its own, in one thread or in several."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from fcnlite import config
from fcnlite.data.pictures import read_image, show
from fcnlite.errors import DataError, FcnliteError, FileError
from fcnlite.segmentation.jobs import Job
from fcnlite.segmentation.outputs.results import Wanted, Written, write_results
from fcnlite.segmentation.segmenter import Segmented, Segmenter


class Outcome(NamedTuple):
    """What became of a job."""

    job: Job
    written: Written | None
    problem: str = ""
    last: bool = False
    """Whether the results of other pictures could not be written either."""


def segment_all(
    segmenter: Segmenter, picture: str, jobs: Sequence[Job], wanted: Wanted, workers: int = 1
) -> Iterator[Outcome]:
    """Segment the pictures and write their results; yields the outcomes in the order of the jobs.

    `picture`: the net's input for the sources of the jobs. Several `workers` read, compute and write at the same time;
    they share the net's parameters and divide the threads among them. Ends after an outcome that is the `last`.
    """
    if workers == 1:
        for job in jobs:
            found = _segment(segmenter, picture, job, wanted)
            yield found
            if found.last:
                return
        return
    threads, own = config.num_threads(), threading.local()

    def work(job: Job) -> Outcome:
        if not hasattr(own, "segmenter"):
            own.segmenter = segmenter.share()
        return _segment(own.segmenter, picture, job, wanted)

    config.set_num_threads(max(1, threads // workers))
    pool = ThreadPoolExecutor(workers, "fcnlite-predict")
    try:
        for found in pool.map(work, jobs):
            yield found
            if found.last:
                return
    finally:
        pool.shutdown(cancel_futures=True)
        config.set_num_threads(threads)


def _segment(segmenter: Segmenter, picture: str, job: Job, wanted: Wanted) -> Outcome:
    paths = {picture: job.source, **job.others}
    preprocessing = segmenter.net.info.preprocessing
    try:
        images = {name: read_image(path, preprocessing=preprocessing.of(name)) for name, path in paths.items()}
        if wanted.need_probabilities:
            found = segmenter.segmented(images)
        else:
            found = {name: Segmented(labels, None) for name, labels in segmenter.label_maps(images).items()}
    except MemoryError as error:
        return Outcome(job, None, f"{job.source}: there is not enough memory to segment it ({error}); make it smaller.")
    except FcnliteError as error:
        message = str(error)
        named = message.startswith(tuple(map(str, paths.values())))
        return Outcome(job, None, message if named else f"{job.source}: {message}")
    try:
        return Outcome(job, write_results(job, show(images[picture]), found, segmenter, wanted))
    except FileError as error:
        return Outcome(job, None, str(error), last=True)
    except DataError as error:  # the picture has no georeference
        return Outcome(job, None, str(error))

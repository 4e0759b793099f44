"""The pictures and frames of predict: shared among the ranks, segmented, told to the user, and gathered in order."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from itertools import chain

from fcnlite.ranks.communicator import Communicator
from fcnlite.segmentation.clips import Clips
from fcnlite.segmentation.jobs import Job
from fcnlite.segmentation.outputs.many import segment_all
from fcnlite.segmentation.outputs.results import Wanted, Written
from fcnlite.segmentation.segmenter import Segmenter


def left_to_do(jobs: Sequence[Job], skip_done: bool, ranks: Communicator) -> list[Job]:
    """The jobs without those that are done, if `skip_done`; the same on every rank."""
    if not skip_done:
        return [*jobs]
    # Only one rank looks, because another may have begun to write.
    left = ranks.from_first(lambda: [number for number, job in enumerate(jobs) if not job.done])
    if len(left) < len(jobs):
        print(f"{len(jobs) - len(left)} of {len(jobs)} pictures have their results already", file=sys.stderr)
    return [jobs[number] for number in left]


def segment_and_tell(
    options: argparse.Namespace,
    segmenter: Segmenter,
    picture: str,
    jobs: Sequence[Job],
    clips: Clips,
    wanted: Wanted,
    ranks: Communicator,
) -> tuple[list[Written], list[str]]:
    """Segment each picture and frame, and print the files written.

    Returns what was written, and the problems of the other pictures and of videos, in the order of the inputs and on
    every rank. `picture`: the net's input for the sources of the jobs. The `ranks` share out the jobs and the frames.
    """
    from tqdm import tqdm

    # The other ranks show only their results.
    results = sys.stdout if ranks.first else sys.__stdout__
    places = {source: place for place, source in enumerate([*(job.source for job in jobs), *clips.sources])}
    found: list[tuple[tuple[int, int], Written | None, str]] = []
    mine, frames = jobs[ranks.rank :: ranks.size], clips.count()
    total = None if frames is None else len(mine) + frames
    with (
        closing(segment_all(segmenter, picture, chain(mine, clips), wanted, options.workers)) as outcomes,
        tqdm(total=total, unit="picture", disable=None, leave=False, file=sys.stderr) as bar,
    ):
        for outcome in outcomes:
            bar.update()
            job, written = outcome.job, outcome.written
            place = places[job.source], 0 if job.frame is None else job.frame[0]
            found.append((place, written, outcome.problem))
            if written is not None and options.json != "-":
                files = ", ".join(map(str, job.targets))
                more = [] if written.difference is None else [str(written.difference)]
                tqdm.write("\n  ".join([f"{job.title} -> {files}", *written.shares, *more]), file=results)
    if clips.skipped:
        print(f"{clips.skipped} frames have their results already", file=sys.stderr)
    parts = ranks.gather((found, clips.problems))
    ordered = sorted((each for part, _ in parts for each in part), key=lambda each: each[0])
    # Every rank decodes the videos, and finds the same problems.
    of_videos = dict.fromkeys(each for _, part in parts for each in part)
    problems = [problem for _, written, problem in ordered if written is None]
    return [written for _, written, _ in ordered if written is not None], [*problems, *of_videos]

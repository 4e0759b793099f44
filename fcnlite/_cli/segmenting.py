"""The pictures and frames of predict: shared among the ranks, segmented, told to the user, and gathered in order."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from itertools import chain

from fcnlite._cli.running import progress_bar, terminal_bar
from fcnlite._cli.stopping import Stopped
from fcnlite.ranks.communicator import Communicator
from fcnlite.segmentation.clips import Clips
from fcnlite.segmentation.jobs import Job
from fcnlite.segmentation.outputs.many import Outcome, recall_all, segment_all
from fcnlite.segmentation.outputs.results import Wanted, Written
from fcnlite.segmentation.segmenter import Segmenter


def segment_and_tell(
    options: argparse.Namespace,
    segmenter: Segmenter,
    picture: str,
    jobs: Sequence[Job],
    clips: Clips,
    wanted: Wanted,
    ranks: Communicator,
) -> tuple[list[Written], list[str]]:
    """Segment each picture and frame, and print the files written. With --skip-done, those that are done are read.

    Returns what was written, and the problems of the other pictures and of videos, in the order of the inputs and on
    every rank. `picture`: the net's input for the sources of the jobs. The `ranks` share out the jobs and the frames.

    Raises `Stopped`, with the way to continue, when the process is asked to stop.
    """
    left, kept = _divided(jobs, options.skip_done, ranks)
    try:
        found = _segmented(options, segmenter, picture, left[ranks.rank :: ranks.size], clips, wanted, ranks)
        if clips.kept:
            print(f"{len(clips.kept)} frames have their results already", file=sys.stderr)
        if wanted.table:
            with progress_bar("picture") as progress:
                found += recall_all([*kept[ranks.rank :: ranks.size], *clips.kept], segmenter.classes, wanted, progress)
    except KeyboardInterrupt as interrupt:
        stop = Stopped.of(interrupt)
        way_on = "" if options.polygons == "coco" else " The same command with --skip-done computes the others."
        raise Stopped(stop.number, f"{stop}{way_on}") from None
    places = {source: place for place, source in enumerate([*(job.source for job in jobs), *clips.sources])}
    mine = [((places[each.job.source], each.job.number or 0), each.written, each.problem) for each in found]
    parts = ranks.gather((mine, clips.problems))
    ordered = sorted((each for part, _ in parts for each in part), key=lambda each: each[0])
    # Every rank decodes the videos, and finds the same problems.
    of_videos = dict.fromkeys(each for _, part in parts for each in part)
    problems = [problem for _, written, problem in ordered if written is None]
    return [written for _, written, _ in ordered if written is not None], [*problems, *of_videos]


def _divided(jobs: Sequence[Job], skip_done: bool, ranks: Communicator) -> tuple[Sequence[Job], Sequence[Job]]:
    """The jobs to do, and with `skip_done` those that are done; the same on every rank."""
    if not skip_done:
        return jobs, []
    # Only one rank looks, because another may have begun to write.
    done = ranks.from_first(lambda: [job.done for job in jobs])
    if any(done):
        print(f"{sum(done)} of {len(jobs)} pictures have their results already", file=sys.stderr)
    pairs = [*zip(jobs, done, strict=True)]
    return [job for job, found in pairs if not found], [job for job, found in pairs if found]


def _segmented(
    options: argparse.Namespace,
    segmenter: Segmenter,
    picture: str,
    jobs: Sequence[Job],
    clips: Clips,
    wanted: Wanted,
    ranks: Communicator,
) -> list[Outcome]:
    """Segment the pictures and frames of this rank, with a bar, and print the files written."""
    from tqdm import tqdm

    # The other ranks show only their results.
    results = sys.stdout if ranks.first else sys.__stdout__
    found: list[Outcome] = []
    frames = clips.count()
    total = None if frames is None else len(jobs) + frames
    with (
        closing(segment_all(segmenter, picture, chain(jobs, clips), wanted, options.workers)) as outcomes,
        terminal_bar("picture", total) as bar,
    ):
        for outcome in outcomes:
            job, written = outcome.job, outcome.written
            found.append(outcome._replace(job=replace(job, pixels=None)))
            bar.update(len(found) + len(clips.kept) - bar.n)
            if written is not None and options.json != "-":
                files = ", ".join(map(str, job.targets))
                more = [] if written.difference is None else [str(written.difference)]
                tqdm.write("\n  ".join([f"{job.title} -> {files}", *written.shares, *more]), file=results)
    return found

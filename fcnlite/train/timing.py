"""Timing of a training: its speed from one check to the next, and an estimate of the remaining time."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Any

from fcnlite.data import Loader
from fcnlite.solver.teamwork import Teamwork

_FEWEST_ITERATIONS = 5
"""Iterations that an estimate needs. The first iteration does not count, because it makes the plans."""
_SECONDS = 2.0
"""Seconds of iterations that an estimate needs, where iterations are short."""
_LISTED_RANKS = 8
"""The number of ranks whose times are shown; of more, only the least and the greatest."""
_WORTH_TELLING = 30.0
"""Shorter remaining times, in seconds, are not reported."""


@dataclass(frozen=True)
class Speed:
    """The time from one check to the next."""

    iteration: int
    iterations: int
    seconds: float
    """The whole time."""
    checking: float
    """The seconds of it spent on validation, checkpoints and reports."""
    waited: float
    """The seconds of it in which training waited for data."""
    together: Sequence[float] = ()
    """The seconds of it that each of several ranks spent on the others: transfers, and waiting for slower ranks."""

    def to_json(self) -> dict[str, Any]:
        """The JSON values of a line of speed.jsonl."""
        times = {"seconds": self.seconds, "checking": self.checking, "waited": self.waited}
        rounded = {name: round(each, 3) for name, each in times.items()}
        ranks = {"together": [round(each, 3) for each in self.together]} if self.together else {}
        return {"iteration": self.iteration, "iterations": self.iterations, **rounded, **ranks}

    def __str__(self) -> str:
        training = max(self.seconds - self.checking, 1e-9)
        text = f"{self.iterations / training:.3g} iterations/s, {self.waited / training:.1%} of it waiting for data"
        if not self.together:
            return text
        shares = [each / training for each in self.together]
        if len(shares) <= _LISTED_RANKS:
            return f"{text}, for other ranks {', '.join(f'{each:.0%}' for each in shares)}"
        least, most = shares.index(min(shares)), shares.index(max(shares))
        return (
            f"{text}, for other ranks {shares[least]:.0%} (rank {least}, the slowest) to {shares[most]:.0%} "
            f"(rank {most})"
        )


class Stopwatch:
    """Measures the time of iterations, the shares of it waiting for data and other ranks, and the time of checks."""

    def __init__(self, loader: Loader, teamwork: Teamwork, iteration: int) -> None:
        self._loader = loader
        self._teamwork = teamwork
        self._iteration = iteration
        self._began = time.perf_counter()
        self._waited = loader.waited
        self._together = teamwork.waited
        self._checking = 0.0

    @contextmanager
    def checking(self) -> Iterator[None]:
        """Count the block as time of a check."""
        began, together = time.perf_counter(), self._teamwork.waited
        yield
        self._checking += time.perf_counter() - began
        self._together += self._teamwork.waited - together

    def lap(self, iteration: int) -> Speed:
        """The speed since the last lap, after `iteration`. All ranks call this."""
        now, waited, together = time.perf_counter(), self._loader.waited, self._teamwork.waited
        done = iteration - self._iteration
        ranks = self._teamwork.team.ranks
        of_ranks = ranks.gather(together - self._together) if ranks.size > 1 else ()
        speed = Speed(iteration, done, now - self._began, self._checking, waited - self._waited, of_ranks)
        self._iteration, self._began, self._waited, self._checking = iteration, now, waited, 0.0
        self._together = self._teamwork.waited
        return speed


class RemainingTime:
    """Estimates the remaining time of a training once, after its first iterations.

    Call `step` right after each iteration, and `estimate` right before the next one.
    """

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._times: list[float] = []
        self._estimated = False

    def step(self) -> None:
        """Note the end of an iteration."""
        self._times.append(time.perf_counter() - self._began)

    def estimate(self, done: int, iterations: int) -> str | None:
        """Note the beginning of the next iteration, after `done`; returns the estimate in words when it is due."""
        self._began = time.perf_counter()
        measured = self._times[1:]
        if self._estimated or len(measured) < _FEWEST_ITERATIONS or (sum(measured) < _SECONDS and done < iterations):
            return None
        self._estimated = True
        each = median(measured)
        left = each * (iterations - done)
        if left < _WORTH_TELLING:
            return None
        return f"about {duration(left)} to go: {each:.3g} s per iteration, without validation"


def duration(seconds: float) -> str:
    """A duration in words."""
    minutes = max(1, round(seconds / 60))
    if minutes < 120:
        return f"{minutes} minute" + ("" if minutes == 1 else "s")
    return f"{minutes // 60} h {minutes % 60:02} min"

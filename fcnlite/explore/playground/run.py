"""A training that goes on in a thread of the worker process, while calls of the page look at it and steer it.

The page does not hold the training up: it gets the newest frame, however many iterations have passed. A training pauses
when no page has looked at it for some time.
"""

from __future__ import annotations

import itertools
import threading
import time
import traceback
from typing import Any

from fcnlite import doctor
from fcnlite.errors import FcnliteError
from fcnlite.explore.playground.training import SHOWN, Training
from fcnlite.segmentation.metrics import number

FRAME_SECONDS = 0.1
"""The least time between two frames."""
WAIT_SECONDS = 0.12
"""The longest that a look waits for a new frame of a training that goes on."""
EVALUATION_SECONDS = 0.3
"""The least time between two evaluations; they take a fifth of the time at most."""
UNWATCHED_SECONDS = 20.0
"""The training pauses when no page has looked for so long."""
LONGEST_SECONDS = 2 * 3600.0
"""The longest time of one training, without pauses."""


_numbers = itertools.count(1)


class Run:
    """A training with its thread, until `close`."""

    def __init__(self, training: Training) -> None:
        self.training = training
        self._number = next(_numbers)
        self._changed = threading.Condition()
        self._training_turn = threading.Lock()
        self._steps: float = 0
        self._failed = False
        self._message = ""
        self._closed = False
        self._trained = 0.0
        self._version = 0
        self._watched = time.monotonic()
        self._rate = 0.0
        self._frame: dict[str, Any] = {}
        training.evaluate()
        self._make_frame()
        self._thread = threading.Thread(target=self._work, name="fcnlite-playground", daemon=True)
        self._thread.start()

    def go(self, steps: float) -> None:
        """Run so many iterations from now; infinity until `pause`. A failed training does not go on."""
        with self._changed:
            self._watched = time.monotonic()
            if not self._failed and steps:
                self._steps, self._message = steps, ""
                self._version += 1
                self._frame = {**self._frame, "status": "running", "message": "", "version": self._version}
            self._changed.notify_all()

    def pause(self) -> dict[str, Any]:
        """Pause after the iteration that is running; returns the frame of the last one."""
        with self._changed:
            self._steps = 0
        with self._training_turn:
            self._complete()
        return self._frame

    def step(self) -> dict[str, Any]:
        """Run one iteration in the calling thread; returns its frame."""
        self.pause()
        with self._training_turn:
            if not self._failed:
                self._iterate()
            self._complete()
        return self._frame

    def frame(self) -> dict[str, Any]:
        """The newest frame; waits a moment for the next."""
        with self._changed:
            self._watched = time.monotonic()
            version = self._version
            wait = WAIT_SECONDS if self._steps else 2 * WAIT_SECONDS
            self._changed.wait_for(lambda: self._version != version, wait)
            return self._frame

    def findings(self) -> list[doctor.Finding]:
        """What the doctor finds; the training waits."""
        with self._changed:
            steps, self._steps = self._steps, 0  # else the thread would take its next turn first
        with self._training_turn:
            found = self.training.findings()
        self.go(steps)
        return found

    def close(self) -> None:
        """End the thread."""
        with self._changed:
            self._closed, self._steps = True, 0
            self._changed.notify_all()
        self._thread.join()
        self.training.close()

    def _work(self) -> None:
        shown = evaluated = began = time.monotonic()
        cost, count = 0.0, 0
        while True:
            with self._changed:
                waited = not self._steps
                self._changed.wait_for(lambda: self._steps or self._closed)
                if self._closed:
                    return
            if waited:
                began, count = time.monotonic(), 0
            with self._training_turn:
                if not self._steps:
                    continue
                started = time.monotonic()
                self._iterate()
                self._steps = max(0, self._steps - 1)
                count += 1
                now = time.monotonic()
                self._trained += now - started
                self._limit(now)
                if not self._steps:
                    self._complete()
                    continue
                if now - evaluated >= max(EVALUATION_SECONDS, 4 * cost):
                    self.training.evaluate()
                    evaluated = time.monotonic()
                    cost = evaluated - now
                if now - shown >= FRAME_SECONDS:
                    if now - began >= 1:
                        self._rate, began, count = count / (now - began), now, 0
                    self._make_frame()
                    shown = now

    def _limit(self, now: float) -> None:
        if now - self._watched > UNWATCHED_SECONDS:
            self._steps, self._message = 0, "unwatched"
        if self._trained > LONGEST_SECONDS:
            self._steps, self._failed, self._message = 0, True, "longest"

    def _iterate(self) -> None:
        """One iteration; an error ends the training, and its sentence becomes the message."""
        try:
            self.training.step()
        except FcnliteError as error:
            self._steps, self._failed, self._message = 0, True, str(error)
        except MemoryError:
            self._steps, self._failed, self._message = 0, True, "memory"
        except Exception:
            traceback.print_exc()  # for the terminal; it names files, and the page shows no path
            self._steps, self._failed, self._message = 0, True, "failed"

    def _complete(self) -> None:
        """The frame of a pause, with predictions of the last iteration."""
        if not self._failed:
            self.training.evaluate()
        self._make_frame()

    def _make_frame(self) -> None:
        training = self.training
        gradients, weights = training.norms()
        metrics = training.metrics
        frame = {
            "run": self._number,
            "status": "stopped" if self._failed else "running" if self._steps else "paused",
            "message": self._message,
            "iteration": training.solver.iteration,
            "loss": training.loss,
            "rate": self._rate,
            "seconds": self._trained,
            "evaluated": training.evaluated,
            "mean_iu": None if metrics is None else number(metrics.mean_iu),
            "accuracy": None if metrics is None else number(metrics.pixel_accuracy),
            "losses": training.curve.points,
            "scores": training.scores.points,
            "gradients": gradients,
            "weights": weights,
            "predictions": training.predictions[:SHOWN],
        }
        with self._changed:
            self._version += 1
            self._frame = frame | {"version": self._version}
            self._changed.notify_all()

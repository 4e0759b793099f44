"""The signals that ask a command to stop. The exit status is 128 and the number of the signal, as in shells."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Ctrl-C, the request of `kill`, batch systems and containers, and the end of the terminal."""


class Stopped(KeyboardInterrupt):
    """A signal has asked the process to stop. The text tells the user what to do."""

    def __init__(self, number: int, message: str = "") -> None:
        what = "interrupted" if number == signal.SIGINT else f"stopped by {signal.Signals(number).name}"
        super().__init__(message or f"{what}; the files written so far are complete.")
        self.number = number

    @staticmethod
    def of(interrupt: KeyboardInterrupt) -> Stopped:
        """The same interrupt; one that Python itself has raised comes from SIGINT."""
        return interrupt if isinstance(interrupt, Stopped) else Stopped(signal.SIGINT)

    @property
    def status(self) -> int:
        """The exit status: 130 after SIGINT, 143 after SIGTERM."""
        return 128 + self.number


@contextmanager
def raising() -> Iterator[None]:
    """Raise `Stopped` where a signal arrives in the block, so that files in the writing are removed.

    Signals that the caller ignores, as `nohup` does, are still ignored.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        raise Stopped(number)

    with _handled(stop):
        yield


@contextmanager
def noted() -> Iterator[list[int]]:
    """Collect the first signal of the block in the list; a second one has its usual effect."""
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        for each, handler in before.items():
            signal.signal(each, handler)

    with _handled(note) as before:
        yield received


@contextmanager
def _handled(handler: Any) -> Iterator[dict[int, Any]]:
    """Handle the signals that are not ignored by `handler`; yields the handlers before, which the end restores."""
    before: dict[int, Any] = {}
    try:
        for number in SIGNALS:
            # None: a handler that was not installed by Python, and could not be restored.
            if (earlier := signal.getsignal(number)) not in (signal.SIG_IGN, None):
                signal.signal(number, handler)
                before[number] = earlier
    except ValueError:
        pass  # Only the main thread may set handlers.
    try:
        yield before
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)

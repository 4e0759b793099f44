"""What the ranks of a run tell each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from fcnlite.arrays import Array
from fcnlite.errors import FcnliteError

Made = TypeVar("Made")


class Communicator:
    """The ranks that compute together, seen from one of them. This class is one process alone; mpi.py has several.

    All ranks call the same methods in the same order, with arrays of the same shapes and dtypes. A sum is taken in the
    order of the ranks, ((0 + 1) + 2) + …, so every rank gets the same bytes, in every run.
    """

    rank: int = 0
    """The number of this process, from 0."""
    size: int = 1
    """The number of processes."""
    waited: float = 0.0
    """Seconds that this rank has spent in these methods: transfers, and waiting for slower ranks."""

    @property
    def first(self) -> bool:
        """Whether this is rank 0, which alone writes files and shows progress."""
        return self.rank == 0

    def gather(self, value: Any) -> list[Any]:
        """The values of all ranks, in the order of ranks, on every rank. They must be picklable."""
        return [value]

    def from_first(self, make: Callable[[], Made]) -> Made:
        """What `make` returns on rank 0, on every rank; it must be picklable.

        Raises, on every rank, the `FcnliteError` that `make` raises, so that all end with the same message.
        """
        made: Made | None = None
        problem: FcnliteError | None = None
        try:
            made = make() if self.first else None
        except FcnliteError as error:
            problem = error
        found: tuple[Made, FcnliteError | None] = self.gather((made, problem))[0]
        if found[1] is not None:
            raise found[1]
        return found[0]

    def stack(self, array: Array) -> Array:
        """The arrays of all ranks, stacked on a new first axis."""
        return array[None]

    def sum(self, array: Array) -> Array:
        """The sum over all ranks; with one rank, `array` itself."""
        return array

    def sum_in_place(self, array: Array) -> None:
        """Replace a large C-contiguous array with its sum over all ranks."""

    def copy_from_first(self, array: Array) -> None:
        """Replace a C-contiguous array with that of rank 0."""

    def split(self, group: int) -> Communicator:
        """The communicator of those ranks that give the same `group`, in the same order."""
        return self

    def another(self) -> Communicator:
        """A communicator of the same ranks that another thread may use at the same time."""
        return self


ALONE = Communicator()

"""How the ranks share out the passes and the batches of an iteration."""

from __future__ import annotations

from fcnlite.errors import TrainingError
from fcnlite.ranks.communicator import ALONE, Communicator
from fcnlite.ranks.shard import WHOLE, Shard


class Team:
    """The ranks that train one net together; by default one process alone.

    The ranks form groups of equal size. Each pass of an iteration (there are iter_size) is computed by one group, whose
    ranks share out its pictures. Groups compute different passes at the same time.
    """

    def __init__(self, ranks: Communicator = ALONE, groups: int = 1) -> None:
        self.ranks = ranks
        """All ranks."""
        self.groups = groups
        self.number = ranks.rank // (ranks.size // groups)
        """The number of this rank's group."""
        self.group = ranks if groups == 1 else ranks.split(self.number)
        """The ranks of this group."""

    @staticmethod
    def of(ranks: Communicator, batch_size: int, iter_size: int) -> Team:
        """The team whose busiest rank has the fewest pictures in each iteration.

        Raises `TrainingError` if `iter_size` passes of `batch_size` pictures leave a rank without any.
        """
        fitting = [groups for groups in range(1, iter_size + 1) if _fits(ranks.size, groups, batch_size)]
        if not fitting:
            numbers = {a * b for a in range(1, iter_size + 1) for b in range(1, batch_size + 1)}
            fewer = max(each for each in numbers if each < ranks.size)
            raise TrainingError(
                f"{ranks.size} ranks cannot share an iteration of {iter_size} × {batch_size} pictures (--iter-size × "
                f"--batch-size), because each needs at least one picture; start {fewer} or fewer ranks, or raise "
                "--batch-size or --iter-size."
            )

        def pictures(groups: int) -> tuple[int, int]:
            """The pictures of the busiest rank; in a tie more groups are better, because they talk less."""
            return -(-iter_size // groups) * -(-batch_size // (ranks.size // groups)), -groups

        return Team(ranks, min(fitting, key=pictures))

    def passes(self, iter_size: int) -> range:
        """The passes of an iteration that this rank takes part in."""
        return range(self.number, iter_size, self.groups)

    def pictures(self, batch_size: int) -> slice:
        """The pictures of a batch that this rank computes, if its group computes the batch."""
        place, size = self.group.rank, self.group.size
        return slice(batch_size * place // size, batch_size * (place + 1) // size)

    def shard(self, pictures: int) -> Shard:
        """The part of a batch that this rank computes: `pictures` pictures. All ranks of the group call this.

        Raises `TrainingError`, on all of them, if one has none.
        """
        if self.group.size == 1:
            return WHOLE
        counts = self.group.gather(pictures)
        if not all(counts):
            raise TrainingError(
                f"the ranks have {', '.join(map(str, counts))} pictures of the batch; expected at least one each."
            )
        return Shard(self.group, sum(counts[: self.group.rank]))

    def merged(self, values: dict[int, float]) -> dict[int, float]:
        """The values of all passes, by pass, from those that this rank has; in the order of passes."""
        if self.ranks.size == 1:
            return values
        found = {i: value for each in self.ranks.gather(values) for i, value in each.items()}
        return dict(sorted(found.items()))


def _fits(ranks: int, groups: int, batch_size: int) -> bool:
    """Whether the ranks form so many groups of equal size, each with at most `batch_size` ranks."""
    return ranks % groups == 0 and ranks // groups <= batch_size

"""What a solver does when several ranks train one net: the same start everywhere, and one net after each iteration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from fcnlite.arrays import Array
from fcnlite.engine.gradient_sum import GradientSum
from fcnlite.errors import SpecError
from fcnlite.layers.base import Layer
from fcnlite.layers.batch_norm import BatchNorm
from fcnlite.net import Net
from fcnlite.ranks.communicator import Communicator
from fcnlite.ranks.shard import WHOLE
from fcnlite.ranks.team import Team
from fcnlite.solver.running_sums import RunningSums


class Teamwork:
    """What the ranks of `team` do together in each iteration of the training of `net`; nothing in one process.

    `frozen`: the gradients of frozen parameters are summed too, because their norm counts for clipping.
    """

    def __init__(self, net: Net, team: Team, frozen: bool) -> None:
        self.team = team
        self.alone = team.ranks.size == 1
        self._net = net
        self._frozen = frozen
        self._sum: GradientSum | None = None
        self._checked: set[Any] = set()

    @property
    def waited(self) -> float:
        """Seconds that this rank has spent on other ranks: transfers, and waiting for slower ones."""
        groups = {id(each): each.waited for each in (self.team.ranks, self.team.group)}
        return sum(groups.values()) + (self._sum.waited if self._sum is not None else 0.0)

    @contextmanager
    def iteration(self) -> Iterator[dict[int, list[Array]]]:
        """Join the running sums of the groups at the end of the block.

        Yields a dictionary for what each pass of this rank adds to the sums (`one_pass` fills it).
        """
        added: dict[int, list[Array]] = {}
        if self.team.groups == 1:
            yield added
            return
        sums = RunningSums(self._net)
        try:
            yield added
            everywhere = {i: each for found in self.team.ranks.gather(added) for i, each in found.items()}
        except BaseException:
            sums.restore()
            raise
        sums.set([everywhere[i] for i in sorted(everywhere)])

    @contextmanager
    def one_pass(self, i: int, inputs: Mapping[str, Any], added: dict[int, list[Array]]) -> Iterator[None]:
        """Tell the layers within the block which part of the batch `inputs` is; the block is pass `i`."""
        if self.alone:
            yield
            return
        self._check(inputs)
        state = self._net.state
        state.shard = self.team.shard(len(next(iter(inputs.values()), ())))
        sums = RunningSums(self._net) if self.team.groups > 1 else None
        if sums is not None:
            sums.clear()
        try:
            yield
            if sums is not None:
                added[i] = sums.values()
        finally:
            state.shard = WHOLE

    def backward(self, accumulate: bool, last: bool) -> None:
        """Compute the gradients of a pass; in the last pass of an iteration, sum them over all ranks."""
        if self.alone or not last:
            self._net.backward(accumulate=accumulate, frozen=self._frozen)
            return
        gradients = self.gradient_sum
        gradients.begin()
        self._net.backward(accumulate=accumulate, frozen=self._frozen, final=gradients.final)
        gradients.finish()

    def origin(self) -> str | None:
        """Where NaN or infinity first appears in the last pass, and on which rank; None if nowhere."""
        found = [each for each in enumerate(self.team.ranks.gather(self._net.first_nonfinite())) if each[1]]
        if not found:
            return None
        rank, (_, words) = min(found, key=lambda each: each[1][0])
        return words if self.alone else f"{words} on rank {rank} of {self.team.ranks.size}"

    def _check(self, inputs: Mapping[str, Any]) -> None:
        """Raise `SpecError` for a layer that cannot compute on a part of the batch, once for each shape of inputs."""
        net = self._net
        fed = {name: np.shape(array) for name, array in inputs.items()}
        key = tuple(sorted(fed.items()))
        if key in self._checked:
            return
        self._checked.add(key)
        pictures = {shape[0] for shape in fed.values() if shape}
        for layer, _, tops in net.shapes(fed):
            if layer.updates_params and not isinstance(layer, BatchNorm):
                raise _cannot(layer, "changes its parameters in forward, which only BatchNorm may")
            if layer.over_batch or not layer.spec.bottom:
                continue
            if layer.is_loss or any(layer.spec.loss_weight):
                raise _cannot(layer, "is a loss over the pictures of one process")
            if any(not shape or shape[0] not in pictures for shape in tops):
                raise _cannot(layer, "mixes the pictures of a batch")

    @property
    def gradient_sum(self) -> GradientSum:
        """The sum of the gradients over all ranks; made when the parameters are known."""
        if self._sum is None:
            unique = {id(each): each for group in self._net.params.values() for each in group if not each.statistic}
            wanted = [each for each in unique.values() if self._frozen or each.lr_mult]
            self._sum = GradientSum(wanted, self.team.ranks)
        return self._sum


def _cannot(layer: Layer, why: str) -> SpecError:
    return SpecError(
        f"layer {layer.spec.name!r} ({layer.type}): {why}, so several processes cannot share a batch; train in one "
        "process, or write the layer with `run.shard` and over_batch = True."
    )


def start_alike(net: Net, histories: Mapping[str, Array], ranks: Communicator) -> None:
    """Give all ranks the parameters and the optimizer state of rank 0."""
    unique = {id(each): each for group in net.params.values() for each in group}
    for parameter in unique.values():
        ranks.copy_from_first(parameter.data)
        parameter.changed()
    for name in sorted(histories):
        ranks.copy_from_first(histories[name])

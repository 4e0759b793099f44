"""What all solvers share: passes, clipping and snapshots. The update rules are in rules.py."""

from __future__ import annotations

import inspect
import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np

from fcnlite import config
from fcnlite.arrays import Array
from fcnlite.description.spec import NetSpec
from fcnlite.engine.parameter import Parameter
from fcnlite.errors import SpecError, TrainingError
from fcnlite.layers.options import shown
from fcnlite.net import Net
from fcnlite.ranks.team import Team
from fcnlite.solver import caffe_state, rates
from fcnlite.solver.averaging import WeightAverage
from fcnlite.solver.options import NEEDS, SolverOptions, describe_options, parameters
from fcnlite.solver.teamwork import Teamwork, start_alike
from fcnlite.threads import Turns, in_turn

_AVERAGE = "ema/"
"""The beginning of the names of the averages in the optimizer state; the histories of the rules have others."""


class Update(NamedTuple):
    """The numbers for the update of one parameter w; its gradient is g = scale · grad + l2 · w + l1 · sign(w)."""

    scale: float
    """The clipping factor, divided by the number of passes."""
    l2: float
    """weight_decay · decay_mult, if the decay is L2."""
    l1: float
    """weight_decay · decay_mult, if the decay is L1."""
    rate: float
    """The learning rate of the iteration · lr_mult."""
    threads: int


class Solver:
    """An update rule applied to one net. The options are the fields of the rule's `Options`.

    Raises `SpecError` for an option that is unknown or out of range.
    """

    histories: ClassVar[tuple[str, ...]] = ()
    """The names of the arrays that hold the optimizer state of each parameter; each has the parameter's shape."""
    Options: ClassVar[type[SolverOptions]] = SolverOptions
    """The class of the options; a rule with options of its own derives a frozen dataclass from `SolverOptions`."""
    defaults: ClassVar[dict[str, Any]] = {}
    """The rule's defaults that differ from those of `SolverOptions`."""

    def __init__(self, net: Net, **options: Any) -> None:
        if net.phase != "TRAIN":
            raise SpecError(
                f"the net is in phase {net.phase}, in which BatchNorm gathers no statistics and Dropout drops nothing; "
                'train a net in phase TRAIN: load(..., phase="TRAIN"), models.build(..., phase="TRAIN") or '
                'net.share("TRAIN").'
            )
        self.net = net
        self.options = self.Options.of(**{**self.defaults, **options})
        self.iteration = 0
        self.test_specs: Callable[[], list[tuple[NetSpec, str]]] = list
        """Returns the description and phase of each of `test_nets`; called when these are first used."""
        self._histories: dict[str, Array] = {}
        self._recent: deque[float] = deque(maxlen=self.options.average_loss)
        self._average = WeightAverage(net, self.options.ema) if self.options.ema else None
        # Caffe includes the frozen parameters' gradients in the norm if the net makes it compute them.
        self._frozen = self.options.clip_gradients > 0 and net.spec.force_backward
        self.teamwork = Teamwork(net, Team(), self._frozen)

    def join(self, team: Team) -> None:
        """Train together with the other ranks of `team`, from the parameters and the optimizer state of rank 0.

        All ranks then call `step`, each with its own pictures, and get the same loss and the same parameters: those of
        one process that gets all the pictures. Of `iter_size` passes, a rank gives those of its group.
        """
        self.teamwork = Teamwork(self.net, team, self._frozen)
        if not self.teamwork.alone:
            start_alike(self.net, self._state(), team.ranks)

    @property
    def turns(self) -> Turns:
        """The net's lock, which the solver's calls hold too."""
        return self.net.turns

    @property
    def rate(self) -> float:
        """The learning rate of the next iteration. Raises `TrainingError` if it is not finite."""
        o = self.options
        try:
            rate = rates.rate(o, self.iteration)
        except (OverflowError, ZeroDivisionError):
            rate = math.inf
        if not math.isfinite(rate):
            used = ", ".join(f"{name} {getattr(o, name)}" for name in ("base_lr", *NEEDS[o.lr_policy]))
            raise TrainingError(
                f"lr_policy {o.lr_policy!r} gives no finite learning rate at iteration {self.iteration}, with {used}; "
                "correct these."
            )
        return rate

    @property
    def smoothed_loss(self) -> float:
        """The mean loss of the last `average_loss` iterations; NaN before the first."""
        return sum(self._recent) / len(self._recent) if self._recent else math.nan

    def averaged_net(self) -> Net:
        """The net in phase TEST with the averages of the weights (`ema`); without averages, with the latest weights.

        It shares its parameters with the solver, which changes them in every `step`.
        """
        return self.net.share("TEST") if self._average is None else self._average.averaged_net()

    @cached_property
    def test_nets(self) -> list[Net]:
        """The test nets of the solver file; they share parameters with the layers of `net` that have the same names."""
        net, nets = self.net, []
        for spec, phase in self.test_specs():
            shared = {layer.name: net.params[layer.name] for layer in spec if layer.name in net.params}
            nets.append(
                Net(
                    spec,
                    phase=phase,
                    path=net.path,
                    dtype=net.dtype.name,
                    seed=net.seed,
                    info=net.info,
                    shared=shared,
                )
            )
        return nets

    @in_turn
    def step(self, batch: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None, /, **blobs: Any) -> float:
        """Run one iteration; return the loss before the update, averaged over the passes.

        A pass is one forward and backward; an iteration sums the gradients of `iter_size` passes. `step(data=x,
        label=y)` uses the batch for all of them; `step([{...}, {...}])` gives each pass its own. A loss that is not
        finite raises `TrainingError` before any learned parameter changes (BatchNorm's running sums may have changed).
        Steps from several threads take turns, even on different nets that share parameters.
        """
        with self.net.state.learning:
            return self._step(batch, blobs)

    def _step(self, batch: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None, blobs: Mapping[str, Any]) -> float:
        count = self.options.iter_size
        mine = self.teamwork.team.passes(count)
        losses: dict[int, float] = {}
        with self.teamwork.iteration() as statistics:
            for i, inputs in zip(mine, self._passes(batch, blobs, len(mine)), strict=True):
                self.net.iteration = self.iteration * count + i
                with self.teamwork.one_pass(i, inputs, statistics):
                    self.net.forward(inputs, keep=True)
                    losses[i] = self.net.loss
                    last = i == mine[-1]
                    if last or not math.isfinite(losses[i]):
                        losses = self.teamwork.team.merged(losses)
                        self._check_losses(losses)
                    self.teamwork.backward(accumulate=i != mine[0], last=last)
        self._update(self._clipping() / count)
        if self._average is not None:
            self._average.update(self.iteration)
        self.iteration += 1
        loss = sum(losses.values()) / count
        self._recent.append(loss)
        return loss

    def _check_losses(self, losses: Mapping[int, float]) -> None:
        """Raise `TrainingError` for a loss that is not finite, on all ranks."""
        for loss in losses.values():
            if not math.isfinite(loss):
                where = self.teamwork.origin() or "the sum of the loss"
                raise TrainingError(
                    f"the loss is {loss} at iteration {self.iteration}; it began in {where}. "
                    "Lower base_lr, or check the data and the weights that training started from."
                )

    def update(self, arrays: tuple[Array, ...], g: Update) -> None:
        """Update one parameter.

        `arrays`: its values, its gradient and its histories, all flattened; the values and histories are changed in
        place. `g`: the numbers from which the rule computes its gradient and its step.
        """
        raise NotImplementedError

    def _passes(
        self, batch: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None, blobs: Mapping[str, Any], count: int
    ) -> list[Mapping[str, Any]]:
        """The inputs of the `count` passes of this process."""
        if batch is None or isinstance(batch, Mapping):
            return [{**(batch or {}), **blobs}] * count
        if blobs or len(batch) != count:
            why = "as iter_size says" if self.teamwork.alone else "the share of this rank in iter_size"
            raise SpecError(f"step got {len(batch)} passes; expected {count}, {why}, and no other argument.")
        return list(batch)

    def _clipping(self) -> float:
        """The factor that reduces the norm of the gradients to `clip_gradients`, at most 1.

        Like Caffe, this clips the sum over the passes, before the division by their number.
        """
        limit = self.options.clip_gradients
        if limit < 0:
            return 1.0
        counted = (
            _all_but_statistics(self.net) if self._frozen else [parameter for _, parameter in self.net.learnable()]
        )
        norm = math.sqrt(sum(float(np.vdot(each.grad, each.grad)) for each in counted))
        if not math.isfinite(norm):
            raise TrainingError(
                f"the norm of the gradients is {norm} at iteration {self.iteration}, though the loss is finite; "
                "lower base_lr, or check the data."
            )
        return min(1.0, limit / norm) if norm else 1.0

    def _update(self, scale: float) -> None:
        """Update all learned parameters; `scale` as in `Update`."""
        o, rate = self.options, self.rate
        l1, l2 = (o.weight_decay, 0.0) if o.regularization_type == "L1" else (0.0, o.weight_decay)
        for name, parameter in self.net.learnable():
            decay = parameter.decay_mult
            g = Update(scale, l2 * decay, l1 * decay, rate * parameter.lr_mult, config.num_threads())
            histories = [self._history(each, name, parameter) for each in self.histories]
            self.update(tuple(each.reshape(-1) for each in (parameter.data, parameter.grad, *histories)), g)
            parameter.changed()  # again, since another thread may have derived arrays from half-written values

    def _history(self, history: str, name: str, parameter: Parameter) -> Array:
        """One history of a parameter; zeros at first."""
        key = f"{history}/{name}"
        if key not in self._histories:
            self._histories[key] = np.zeros_like(parameter.array)
        return self._histories[key]

    @in_turn
    def snapshot(self, path: str | os.PathLike[str], progress: Mapping[str, Any] | None = None) -> None:
        """Write everything that resuming needs: net, parameters, histories, iteration and `progress` (JSON values)."""
        from fcnlite.formats import storage

        net = self.net
        net.check_complete(path)
        params = {name: [each.array for each in parameters] for name, parameters in net.params.items()}
        content = storage.WeightFile(net.spec, params, net.info)
        content.state = self._state()
        content.progress = {
            "iteration": self.iteration,
            "type": type(self).__name__,
            "solver": asdict(self.options),
            "losses": list(self._recent),
            **(progress or {}),
        }
        storage.save(path, content)

    def _state(self) -> dict[str, Array]:
        """All histories of the parameters that are learned, and the averages of the weights, by name."""
        learned = self.net.learnable()
        state = {f"{each}/{name}": self._history(each, name, p) for name, p in learned for each in self.histories}
        if self._average is not None:
            state.update({f"{_AVERAGE}{name}": each for name, each in self._average.arrays().items()})
        return state

    @in_turn
    def restore(self, path: str | os.PathLike[str]) -> dict[str, Any]:
        """Resume from a snapshot, or from Caffe's `.solverstate` with the weights beside it.

        Returns the snapshot's `progress`. Raises `TrainingError`, before anything changes, if the snapshot belongs to
        another net or another type of solver.
        """
        from fcnlite.formats import storage

        if not storage.is_weight_file(path) and caffe_state.is_state(path):
            reached, histories = caffe_state.restore(path, self.net, type(self).__name__, self.histories)
            self.resume_at(reached, histories)
            return {"iteration": reached}
        caffe_state.refuse_weights(path)
        content = storage.load(path)
        iteration, losses = content.progress.get("iteration"), content.progress.get("losses")
        if type(iteration) is not int or iteration < 0 or not _are_numbers(losses):
            raise TrainingError(
                f"{path}: holds weights but no solver state; a training can start from it but not resume."
            )
        if (kind := content.progress.get("type")) != type(self).__name__:
            raise TrainingError(f"{path}: is a snapshot of the solver {kind}; expected one of {type(self).__name__}.")
        ours = {name: [each.shape for each in parameters] for name, parameters in self.net.params.items()}
        theirs = {name: [each.shape for each in arrays] for name, arrays in content.params.items()}
        for name in ours.keys() | theirs.keys():
            if ours.get(name) != theirs.get(name):
                raise TrainingError(
                    f"{path}: is a snapshot of another net; its layer {name!r} has parameters of shapes "
                    f"{theirs.get(name, 'none')}, in this net {ours.get(name, 'none')}. "
                    "Resume with the same model options."
                )
        state = self._state()
        averaged = any(name.startswith(_AVERAGE) for name in content.state)
        if averaged != (self._average is not None):
            found = "averages of the weights" if averaged else "no averages of the weights"
            raise TrainingError(
                f"{path}: holds {found}, and ema is {self.options.ema:g}; resume with the ema of that training, or "
                "start another one from its weights."
            )
        if {k: v.shape for k, v in content.state.items()} != {k: v.shape for k, v in state.items()}:
            raise TrainingError(f"{path}: the solver state does not fit this net; resume with the same model options.")
        for name, arrays in content.params.items():
            for parameter, array in zip(self.net.params[name], arrays, strict=True):
                parameter.data = array
        self.resume_at(iteration, content.state, losses or ())
        return content.progress

    def resume_at(self, iteration: int, histories: Mapping[str, Array], losses: Iterable[float] = ()) -> None:
        """Set the iteration, the histories and averages by name and the latest losses, to continue from there.

        The arrays have the shapes of the parameters that they belong to.
        """
        averages = {}
        for name, values in histories.items():
            if name.startswith(_AVERAGE):
                averages[name.removeprefix(_AVERAGE)] = values
            else:
                self._histories[name] = np.array(values, self.net.dtype)
        if self._average is not None:
            self._average.restore(averages if iteration else {})
        self.iteration = iteration
        self._recent = deque(map(float, losses), maxlen=self.options.average_loss)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Make `help` and `inspect.signature` show the options with the defaults of the class."""
        super().__init_subclass__(**kwargs)
        kind = getattr(cls, "Options", SolverOptions)
        if not (isinstance(kind, type) and issubclass(kind, SolverOptions)):
            return
        own = list(inspect.signature(cls.__init__).parameters.values())[1:]
        named = [each for each in own if each.kind is not each.VAR_KEYWORD]
        if len(named) < len(own):
            known = {each.name for each in named}
            named += [each for each in parameters(kind, cls.defaults) if each.name not in known]
        cls.__signature__ = inspect.Signature(named)  # type: ignore[attr-defined]  # which inspect.signature reads
        if words := cls.__dict__.get("__doc__"):
            cls.__doc__ = f"{inspect.cleandoc(words)}\n\nOptions:\n\n{describe_options(kind, cls.defaults)}"

    def __repr__(self) -> str:
        """SGD at iteration 200, rate 0.001: lr_policy='step', stepsize=100, momentum=0.9"""
        try:
            try:
                rate = f"{self.rate:.6g}"
            except TrainingError:
                rate = "not finite"
            options = shown(self.options, self.defaults)
            name = type(self).__name__
            return f"{name} at iteration {self.iteration}, rate {rate}{f': {options}' if options else ''}"
        except Exception:  # a debugger may show a half-initialised solver
            return object.__repr__(self)


def _are_numbers(values: Any) -> bool:
    return isinstance(values, list) and all(type(each) in (int, float) for each in values)


def _all_but_statistics(net: Net) -> list[Parameter]:
    """Every parameter once, frozen ones too."""
    unique = {id(each): each for parameters in net.params.values() for each in parameters if not each.statistic}
    return list(unique.values())

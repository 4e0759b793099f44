"""What all solvers do: passes, clipping, snapshots. The rules themselves are in rules.py."""

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
from fcnlite.description.spec import NetSpec
from fcnlite.engine.parameter import Parameter
from fcnlite.errors import SpecError, TrainingError
from fcnlite.layers.options import shown
from fcnlite.net import Net
from fcnlite.solver.options import SolverOptions, parameters, told
from fcnlite.solver.rates import NEEDS, POLICIES
from fcnlite.threads import Turns, in_turn

Array = np.ndarray[Any, np.dtype[Any]]


class Followed(NamedTuple):
    """What makes the gradient that a rule follows, scale · grad + l2 · w + l1 · sign(w), and how far it goes."""

    scale: float
    l2: float
    l1: float
    rate: float
    threads: int


class Solver:
    """One rule at work on one net. Options: the fields of its `Options`.

    Raises `SpecError` for an option that is unknown or out of range.
    """

    histories: ClassVar[tuple[str, ...]] = ()
    """What the rule remembers for each parameter: arrays of its shape, by name."""
    Options: ClassVar[type[SolverOptions]] = SolverOptions
    """What it is told; a rule with options of its own derives a frozen dataclass from `SolverOptions`."""
    defaults: ClassVar[dict[str, Any]] = {}
    """Where the rule's usual options are not those of `SolverOptions`."""

    def __init__(self, net: Net, **options: Any) -> None:
        if net.phase != "TRAIN":
            raise SpecError(
                f"the net is in phase {net.phase}, in which BatchNorm gathers no statistics and Dropout drops nothing; "
                'train one in phase TRAIN: load(..., phase="TRAIN"), models.build(..., phase="TRAIN") or '
                'net.share("TRAIN").'
            )
        self.net = net
        self.options = self.Options.of(**{**self.defaults, **options})
        self.iteration = 0
        self.test_specs: Callable[[], list[tuple[NetSpec, str]]] = list
        """The descriptions and phases of `test_nets`; read when these are asked for."""
        self._histories: dict[str, Array] = {}
        self._recent: deque[float] = deque(maxlen=self.options.average_loss)

    @property
    def turns(self) -> Turns:
        """The net's."""
        return self.net.turns

    @property
    def rate(self) -> float:
        """The learning rate of the next iteration. Raises `TrainingError` where the policy gives no finite one."""
        o = self.options
        try:
            rate = POLICIES[o.lr_policy](o, self.iteration)
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

    @cached_property
    def test_nets(self) -> list[Net]:
        """The nets that the solver file names for testing; they share parameters with `net` by layer name."""
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
        """One iteration; returns the loss, the mean over its passes, before the update.

        `step(data=x, label=y)` uses the batch for every pass of `iter_size`; `step([{...}, {...}])` gives each its own.
        A loss that is not finite raises `TrainingError` before anything that is learned changes (the running sums of
        BatchNorm may have). Steps from several threads take turns, also of solvers on nets that share parameters.
        """
        with self.net.state.learning:
            return self._step(batch, blobs)

    def _step(self, batch: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None, blobs: Mapping[str, Any]) -> float:
        passes = self._passes(batch, blobs)
        # Caffe counts the frozen parameters' gradients in the norm if the net makes it compute them.
        frozen = self.options.clip_gradients > 0 and self.net.spec.force_backward
        total = 0.0
        for i, inputs in enumerate(passes):
            self.net.iteration = self.iteration * len(passes) + i
            self.net.forward(inputs, keep=True)
            loss = self.net.loss
            if not math.isfinite(loss):
                where = self.net.find_nonfinite() or "the sum of the loss"
                raise TrainingError(
                    f"the loss is {loss} at iteration {self.iteration}; it began in {where}. "
                    "Lower base_lr, or check the data and the weights that training started from."
                )
            total += loss
            self.net.backward(accumulate=i > 0, frozen=frozen)
        self._update(self._clipping(frozen) / len(passes))
        self.iteration += 1
        self._recent.append(total / len(passes))
        return total / len(passes)

    def update(self, arrays: tuple[Array, ...], g: Followed) -> None:
        """Change a parameter by the rule. `arrays`: its values, its gradient and its histories, all flat."""
        raise NotImplementedError

    def _passes(
        self, batch: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None, blobs: Mapping[str, Any]
    ) -> list[Mapping[str, Any]]:
        if batch is None or isinstance(batch, Mapping):
            return [{**(batch or {}), **blobs}] * self.options.iter_size
        if blobs or len(batch) != self.options.iter_size:
            raise SpecError(
                f"step got {len(batch)} passes; expected {self.options.iter_size}, as iter_size says, "
                "and nothing beside."
            )
        return list(batch)

    def _clipping(self, frozen: bool) -> float:
        """The factor that brings the gradients' norm down to `clip_gradients`.

        Caffe clips the sum over the passes, before it divides by their number.
        """
        limit = self.options.clip_gradients
        if limit < 0:
            return 1.0
        counted = _all_learned(self.net) if frozen else [parameter for _, parameter in self.net.learnable()]
        norm = math.sqrt(sum(float(np.vdot(each.grad, each.grad)) for each in counted))
        if not math.isfinite(norm):
            raise TrainingError(
                f"the gradients' norm is {norm} at iteration {self.iteration}, though the loss is finite; "
                "lower base_lr, or check the data."
            )
        return min(1.0, limit / norm) if norm else 1.0

    def _update(self, scale: float) -> None:
        o, rate = self.options, self.rate
        l1, l2 = (o.weight_decay, 0.0) if o.regularization_type == "L1" else (0.0, o.weight_decay)
        for name, parameter in self.net.learnable():
            decay = parameter.decay_mult
            g = Followed(scale, l2 * decay, l1 * decay, rate * parameter.lr_mult, config.num_threads())
            histories = [self._history(each, name, parameter) for each in self.histories]
            self.update(tuple(each.reshape(-1) for each in (parameter.data, parameter.grad, *histories)), g)
            parameter.changed()  # another thread may have prepared what was half written

    def _history(self, history: str, name: str, parameter: Parameter) -> Array:
        """What is remembered of a parameter; zero at first."""
        key = f"{history}/{name}"
        if key not in self._histories:
            self._histories[key] = np.zeros_like(parameter.array)
        return self._histories[key]

    @in_turn
    def snapshot(self, path: str | os.PathLike[str], progress: Mapping[str, Any] | None = None) -> None:
        """Write all that is needed to go on: net, parameters, histories, iteration, and `progress` (JSON values)."""
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
        """All histories of the parameters that are learned now."""
        learned = self.net.learnable()
        return {f"{each}/{name}": self._history(each, name, p) for name, p in learned for each in self.histories}

    @in_turn
    def restore(self, path: str | os.PathLike[str]) -> dict[str, Any]:
        """Go on from a snapshot of ours, or from Caffe's `.solverstate` with its weights beside it.

        Returns the snapshot's `progress`. Raises `TrainingError` where it is of another net or another type of solver;
        nothing has changed then.
        """
        from fcnlite.formats import storage
        from fcnlite.solver import caffe_state

        if not storage.is_weight_file(path) and caffe_state.is_state(path):
            return caffe_state.restore(self, path)
        caffe_state.refuse_weights(path)
        content = storage.load(path)
        iteration, losses = content.progress.get("iteration"), content.progress.get("losses")
        if type(iteration) is not int or iteration < 0 or not _are_numbers(losses):
            raise TrainingError(f"{path}: holds weights but no solver state; it can start a training, not resume one.")
        if (kind := content.progress.get("type")) != type(self).__name__:
            raise TrainingError(f"{path}: is a snapshot of the solver {kind}; expected {type(self).__name__}.")
        ours = {name: [each.shape for each in parameters] for name, parameters in self.net.params.items()}
        theirs = {name: [each.shape for each in arrays] for name, arrays in content.params.items()}
        for name in ours.keys() | theirs.keys():
            if ours.get(name) != theirs.get(name):
                raise TrainingError(
                    f"{path}: is a snapshot of another net; its layer {name!r} has parameters of shapes "
                    f"{theirs.get(name, 'none')}, this net's {ours.get(name, 'none')}. "
                    "Resume with the same model options."
                )
        state = self._state()
        if {k: v.shape for k, v in content.state.items()} != {k: v.shape for k, v in state.items()}:
            raise TrainingError(
                f"{path}: its solver state is not that of this net; resume with the same model options."
            )
        for name, arrays in content.params.items():
            for parameter, array in zip(self.net.params[name], arrays, strict=True):
                parameter.data = array
        self.go_on(iteration, content.state, losses or ())
        return content.progress

    def go_on(self, iteration: int, histories: Mapping[str, Array], losses: Iterable[float] = ()) -> None:
        """Take over where a solver stood: its iteration, histories by name, and latest losses."""
        for name, values in histories.items():
            self._histories[name] = np.array(values, self.net.dtype)
        self.iteration = iteration
        self._recent = deque(map(float, losses), maxlen=self.options.average_loss)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let `help` and `inspect.signature` tell the options, with the defaults of the class."""
        super().__init_subclass__(**kwargs)
        kind = getattr(cls, "Options", SolverOptions)
        if not (isinstance(kind, type) and issubclass(kind, SolverOptions)):
            return
        own = list(inspect.signature(cls.__init__).parameters.values())[1:]
        named = [each for each in own if each.kind is not each.VAR_KEYWORD]
        if len(named) < len(own):
            known = {each.name for each in named}
            named += [each for each in parameters(kind, cls.defaults) if each.name not in known]
        cls.__signature__ = inspect.Signature(named)  # type: ignore[attr-defined]
        if words := cls.__dict__.get("__doc__"):
            cls.__doc__ = f"{inspect.cleandoc(words)}\n\nOptions:\n\n{told(kind, cls.defaults)}"

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
        except Exception:  # a debugger may look at a solver that is half made
            return object.__repr__(self)


def _are_numbers(values: Any) -> bool:
    return isinstance(values, list) and all(type(each) in (int, float) for each in values)


def _all_learned(net: Net) -> list[Parameter]:
    """Every parameter once, frozen ones too, but no statistics."""
    unique = {id(each): each for parameters in net.params.values() for each in parameters if not each.statistic}
    return list(unique.values())

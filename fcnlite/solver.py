"""Solvers: how gradients change parameters (Caffe's SGDSolver).

One iteration, for a parameter w with gradient g (the mean over `iter_size` passes), its multipliers and the rate of
the policy:

    v ← momentum · v + rate · lr_mult · (g + weight_decay · decay_mult · w)
    w ← w − v
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from fcnlite import config, surgery
from fcnlite._kernels.update import sgd
from fcnlite.errors import FileError, SpecError, TrainingError, nearest
from fcnlite.net import Net
from fcnlite.spec import NetSpec

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class SolverOptions:
    """The fields of Caffe's SolverParameter that decide the numbers, with its names and defaults."""

    base_lr: float = 0.01
    lr_policy: str = "fixed"
    momentum: float = 0.0
    weight_decay: float = 0.0
    iter_size: int = 1
    max_iter: int = 0
    gamma: float = 0.1
    power: float = 1.0
    stepsize: int = 0

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if each.type == "int" and not isinstance(value, int):
                raise SpecError(f"{each.name} is {value!r}; expected a whole number.")
            if each.type == "float" and not (isinstance(value, (int, float)) and math.isfinite(value)):
                raise SpecError(f"{each.name} is {value!r}; expected a number.")
        if self.lr_policy not in _POLICIES:
            raise SpecError(f"lr_policy {self.lr_policy!r} is not known; {nearest(self.lr_policy, _POLICIES)}")
        needs = {"step": "stepsize", "poly": "max_iter"}.get(self.lr_policy)
        if needs and getattr(self, needs) < 1:
            raise SpecError(f"lr_policy {self.lr_policy!r} needs {needs}; expected at least 1.")
        if self.iter_size < 1:
            raise SpecError(f"iter_size is {self.iter_size}; expected at least 1.")
        for name in ("base_lr", "momentum", "weight_decay"):
            if getattr(self, name) < 0:
                raise SpecError(f"{name} is {getattr(self, name)}; expected 0 or more.")


def _fixed(o: SolverOptions, iteration: int) -> float:
    return o.base_lr


def _step(o: SolverOptions, iteration: int) -> float:
    return o.base_lr * o.gamma ** (iteration // o.stepsize)


def _poly(o: SolverOptions, iteration: int) -> float:
    return o.base_lr * max(0.0, 1 - iteration / o.max_iter) ** o.power


_POLICIES: dict[str, Callable[[SolverOptions, int], float]] = {"fixed": _fixed, "step": _step, "poly": _poly}
"""The rate at an iteration (counted from 0), by `lr_policy`."""


class SGD:
    """Stochastic gradient descent with momentum. Options: the fields of `SolverOptions`.

    Raises `SpecError` for an option that is unknown or out of range.
    """

    def __init__(self, net: Net, **options: Any) -> None:
        known = [each.name for each in fields(SolverOptions)]
        for name in options:
            if name not in known:
                raise SpecError(f"unknown solver option {name!r}; {nearest(name, known)}")
        self.net = net
        self.options = SolverOptions(**options)
        self.iteration = 0
        self._history = {name: np.zeros_like(parameter.array) for name, parameter in net.learnable()}

    @property
    def rate(self) -> float:
        """The learning rate of the next iteration."""
        return _POLICIES[self.options.lr_policy](self.options, self.iteration)

    def step(self, batch: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None, /, **blobs: Any) -> float:
        """One iteration; returns the loss, the mean over its passes, before the update.

        `step(data=x, label=y)` uses the batch for every pass of `iter_size`; `step([{...}, {...}])` gives each its own.
        A loss that is not finite raises `TrainingError` before anything that is learned changes (the running sums of
        BatchNorm may have).
        """
        passes = self._passes(batch, blobs)
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
            self.net.backward(accumulate=i > 0)
        self._update(len(passes))
        self.iteration += 1
        return total / len(passes)

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

    def _update(self, passes: int) -> None:
        rate, o = self.rate, self.options
        for name, parameter in self.net.learnable():
            sgd(
                parameter.data.reshape(-1),
                parameter.grad.reshape(-1),
                self._history.setdefault(name, np.zeros_like(parameter.array)).reshape(-1),
                1 / passes,
                rate * parameter.lr_mult,
                o.momentum,
                o.weight_decay * parameter.decay_mult,
                config.num_threads(),
            )

    def snapshot(self, path: str | os.PathLike[str], progress: Mapping[str, Any] | None = None) -> None:
        """Write all that is needed to go on: net, parameters, momentum, iteration, and `progress` (JSON values)."""
        from fcnlite import storage

        net = self.net
        params = {name: [each.array for each in parameters] for name, parameters in net.params.items()}
        content = storage.WeightFile(net.spec, params, net.info)
        content.state = dict(self._history)
        content.progress = {"iteration": self.iteration, "solver": asdict(self.options), **(progress or {})}
        storage.save(path, content)

    def restore(self, path: str | os.PathLike[str]) -> dict[str, Any]:
        """Go on from a snapshot; returns its `progress`. Raises `TrainingError` where it is of another net."""
        from fcnlite import storage

        content = storage.load(path)
        iteration = content.progress.get("iteration")
        if not isinstance(iteration, int) or iteration < 0:
            raise TrainingError(f"{path}: holds weights but no solver state; it can start a training, not resume one.")
        ours = {name: [each.shape for each in parameters] for name, parameters in self.net.params.items()}
        theirs = {name: [each.shape for each in arrays] for name, arrays in content.params.items()}
        for name in ours.keys() | theirs.keys():
            if ours.get(name) != theirs.get(name):
                raise TrainingError(
                    f"{path}: is a snapshot of another net; its layer {name!r} has parameters of shapes "
                    f"{theirs.get(name, 'none')}, this net's {ours.get(name, 'none')}. "
                    "Resume with the same model options."
                )
        if {k: v.shape for k, v in content.state.items()} != {k: v.shape for k, v in self._history.items()}:
            raise TrainingError(
                f"{path}: its solver state is not that of this net; resume with the same model options."
            )
        for name, arrays in content.params.items():
            for parameter, array in zip(self.net.params[name], arrays, strict=True):
                parameter.data = array
        for name, history in self._history.items():
            history[...] = content.state[name]
        self.iteration = iteration
        return content.progress


_IGNORED = {
    "average_loss", "debug_info", "device_id", "display", "layer_wise_reduce", "snapshot", "snapshot_after_train",
    "snapshot_diff", "snapshot_format", "snapshot_prefix", "solver_mode", "test_compute_loss", "test_initialization",
    "test_interval", "test_iter", "test_net", "test_net_param", "test_state",
}  # fmt: skip
"""Fields that do not change the numbers of an iteration."""


def load(
    path: str | os.PathLike[str], *, seed: int | None = None, dtype: str = "float32", net_path: str = "fast"
) -> SGD:
    """A solver and its net from a solver prototxt.

    `net:` is looked for beside the solver file, then in the working directory. `seed` overrides `random_seed`. Raises
    `FileError` and `SpecError`, naming the file and the field; warns of upsampling that starts at zero.
    """
    from fcnlite import caffe

    described = dict(caffe.read_solver(path))
    kind = described.pop("type", "SGD")
    if kind != "SGD":
        raise SpecError(f"{path}: solver type {kind!r} is not supported; expected SGD.")
    if described.pop("regularization_type", "L2") != "L2":
        raise SpecError(f"{path}: regularization_type is not supported but for L2.")
    named = described.pop("random_seed", -1)
    spec = _net_of(path, described)
    known = {each.name for each in fields(SolverOptions)}
    for name in described.keys() - known - _IGNORED:
        raise SpecError(f"{path}: the solver field {name!r} is not supported; {nearest(name, known)}")
    net = Net(spec, phase="TRAIN", path=net_path, dtype=dtype, seed=seed if seed is not None else max(0, named))
    surgery.warn_of_zero_upsampling(net, path)
    try:
        return SGD(net, **{name: value for name, value in described.items() if name in known})
    except SpecError as error:
        raise SpecError(f"{path}: {error}") from error


def _net_of(path: str | os.PathLike[str], described: dict[str, Any]) -> NetSpec:
    """The net that a solver names or holds; takes its fields out of `described`."""
    from fcnlite import caffe

    for field in ("net_param", "train_net_param"):
        if isinstance(described.get(field), NetSpec):
            return described.pop(field)
    names = [described.pop(field) for field in ("net", "train_net") if field in described]
    if len(names) != 1:
        raise SpecError(f"{path}: names {len(names)} nets; expected one `net:` or `train_net:`.")
    candidates = [Path(path).parent / names[0], Path(names[0])]
    for candidate in candidates:
        if candidate.is_file():
            return caffe.read_net(candidate)
    raise FileError(f"{path}: its net {names[0]!r} is not at {' nor at '.join(map(str, candidates))}.")

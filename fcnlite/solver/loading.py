"""Loads solvers from Caffe's solver prototxts."""

from __future__ import annotations

import os
from dataclasses import fields
from functools import partial
from typing import Any

from fcnlite import surgery
from fcnlite.description.spec import NetSpec
from fcnlite.errors import SpecError, nearest
from fcnlite.files import beside
from fcnlite.formats import caffe
from fcnlite.loading import read_weights, take
from fcnlite.net import Net
from fcnlite.solver.base import Solver
from fcnlite.solver.options import NEEDS, SolverOptions
from fcnlite.solver.registry import create, is_registered

_IGNORED = {
    "debug_info", "device_id", "display", "layer_wise_reduce", "snapshot", "snapshot_after_train",
    "snapshot_diff", "snapshot_format", "snapshot_prefix", "solver_mode", "test_compute_loss", "test_initialization",
    "test_interval",
}  # fmt: skip
"""Fields that do not affect the numbers of an iteration."""

_TYPES = {
    "SGD": "SGD",
    "NESTEROV": "Nesterov",
    "ADAGRAD": "AdaGrad",
    "RMSPROP": "RMSProp",
    "ADADELTA": "AdaDelta",
    "ADAM": "Adam",
}
"""Today's type names for the older enum `solver_type`."""

_UNWRITTEN = {"momentum": 0.0, "delta": 1e-8}
"""Caffe's defaults for absent fields where a rule here has another default."""

Described = dict[str, Any]


def load(
    source: str | os.PathLike[str], /, *, path: str = "fast", dtype: str = "float32", seed: int | None = None
) -> Solver:
    """Load a solver and its net from a solver prototxt.

    Files that it names (`net`, `train_net`, `test_net`, `weights`) are searched beside it, then in the working
    directory; test nets are read at the first use of `test_nets`. `seed` overrides `random_seed`; `path` and `dtype`
    are the net's. Raises `FileError` and `SpecError`, naming the file and the field; warns of upsampling that starts at
    zero.
    """
    described = caffe.read_solver(source)
    try:
        kind, train, tests = _type(described), _train_net(source, described), _test_nets(source, described)
        weights = described.pop("weights", [])
        named = described.pop("random_seed", -1)
        options = _options(kind, described)
    except SpecError as error:
        raise _naming(source, error) from error
    spec, phase = train
    net = Net(spec, phase=phase, path=path, dtype=dtype, seed=seed if seed is not None else max(0, named))
    for name in (each.strip() for names in weights for each in names.split(",")):
        file = beside(source, name)
        take(net, read_weights(file), file)
    surgery.warn_of_zero_upsampling(net, source)
    try:
        solver = create(kind, net, **options)
    except SpecError as error:
        raise _naming(source, error) from error
    solver.test_specs = partial(_read_all, source, tests)
    return solver


def _naming(source: str | os.PathLike[str], error: SpecError) -> SpecError:
    """The error with the file's name in front."""
    return error if str(error).startswith(str(source)) else SpecError(f"{source}: {error}")


def _type(described: Described) -> str:
    kind = described.pop("type", None)
    older = described.pop("solver_type", None)
    if older is None:
        return kind or "SGD"
    if kind is not None and kind != _TYPES[older]:
        raise SpecError(f"type is {kind!r}, but solver_type {older}; keep one of them.")
    return _TYPES[older]


def _options(kind: str, described: Described) -> dict[str, Any]:
    """The fields that `SolverOptions` has. Raises `SpecError` for other fields that affect the numbers.

    For absent fields, Caffe's rules take Caffe's defaults, registered rules their own.
    """
    known = {each.name for each in fields(SolverOptions)}
    for name in described.keys() - known - _IGNORED:
        raise SpecError(f"the solver field {name!r} is not supported; {nearest(name, known)}")
    policy = described.get("lr_policy", "")
    # Caffe would take 0 for each of them and learn nothing.
    for name in ("base_lr", "lr_policy", *NEEDS.get(policy, ())):
        if name not in described:
            of = f", which lr_policy {policy!r} needs," if name in NEEDS.get(policy, ()) else ""
            raise SpecError(f"the field {name!r}{of} is missing; add it.")
    unwritten = {} if is_registered(kind) else _UNWRITTEN
    return unwritten | {name: value for name, value in described.items() if name in known}


Source = tuple[str | NetSpec, Described, str]
"""A net, by file name or written in the solver; its state; the phase if the state names none."""


def _train_net(source: str | os.PathLike[str], described: Described) -> tuple[NetSpec, str]:
    """The net to train; `net` and `net_param` stay in `described` for the test nets."""
    names = ("train_net_param", "train_net", "net_param", "net")
    given = [name for name in names if name in described]
    if len(given) != 1:
        found = ", ".join(given) or "none"
        raise SpecError(f"names {len(given)} nets to train ({found}); expected one of net, train_net and the _param.")
    return _read(source, (described[given[0]], described.pop("train_state", {}), "TRAIN"))


def _test_nets(source: str | os.PathLike[str], described: Described) -> list[Source]:
    """The nets to test, in Caffe's order: those written in the solver, the files, then `net` for the rest."""
    for name in ("train_net_param", "train_net"):
        described.pop(name, None)
    nets = [*described.pop("test_net_param", []), *described.pop("test_net", [])]
    wanted = len(described.pop("test_iter", []))
    for name in ("net_param", "net"):
        if name in described:
            net = described.pop(name)
            nets += [net] * (wanted - len(nets))
    states = described.pop("test_state", []) or [{}] * len(nets)
    if len(states) != len(nets):
        raise SpecError(f"has {len(states)} test_state for {len(nets)} test nets; expected one for each, or none.")
    return [(net, state, "TEST") for net, state in zip(nets, states, strict=True)]


def _read(source: str | os.PathLike[str], wanted: Source) -> tuple[NetSpec, str]:
    """The net in its state, and its phase."""
    net, state, phase = wanted
    spec = net if isinstance(net, NetSpec) else caffe.read_net(beside(source, net))
    return spec.at(state.get("level", 0), state.get("stage", ())), state.get("phase", phase)


def _read_all(source: str | os.PathLike[str], wanted: list[Source]) -> list[tuple[NetSpec, str]]:
    return [_read(source, each) for each in wanted]

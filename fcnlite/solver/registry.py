"""The solvers by type name, built in and registered."""

from __future__ import annotations

from typing import Any, TypeVar

from fcnlite.errors import SpecError, nearest
from fcnlite.net import Net
from fcnlite.solver.base import Solver
from fcnlite.solver.options import SolverOptions
from fcnlite.solver.rules import SGD, AdaDelta, AdaGrad, Adam, AdamW, Nesterov, RMSProp

TYPES: dict[str, type[Solver]] = {
    each.__name__: each for each in (SGD, Nesterov, AdaGrad, RMSProp, AdaDelta, Adam, AdamW)
}
"""The solvers by Caffe's type names, AdamW, and those added by `register`."""

_OURS = frozenset(TYPES)
Made = TypeVar("Made", bound=Solver)


def register(kind: type[Made]) -> type[Made]:
    """Class decorator: register a solver rule under the name of its class.

    `create`, the `type` of a solver prototxt and, after an import, `--solver NAME` then find it. The class defines
    `update` and names its histories in `histories`. Raises `SpecError` for a name that is taken and for an incomplete
    class.
    """
    name = getattr(kind, "__name__", repr(kind))
    where = f"solver {name}"
    if not (isinstance(kind, type) and issubclass(kind, Solver)):
        raise SpecError(f"{where}: is not a subclass of fcnlite.solver.Solver.")
    if name in TYPES:
        raise SpecError(f"{where}: is registered already, by {TYPES[name].__module__}; choose another name.")
    if kind.update is Solver.update:
        raise SpecError(f"{where}: lacks the method update(self, arrays, g), which updates a parameter.")
    if not isinstance(kind.histories, tuple) or not all(isinstance(each, str) for each in kind.histories):
        raise SpecError(f"{where}: histories is {kind.histories!r}; expected a tuple of names, such as ('mean',).")
    if not (isinstance(kind.Options, type) and issubclass(kind.Options, SolverOptions)):
        raise SpecError(f"{where}: Options is {kind.Options!r}; expected a dataclass derived from SolverOptions.")
    try:
        kind.Options.of(**kind.defaults)
    except (SpecError, TypeError) as error:
        raise SpecError(f"{where}: its defaults are not valid: {error}") from error
    TYPES[name] = kind
    return kind


def is_registered(kind: str) -> bool:
    """Whether `register` has added this type."""
    return kind in TYPES and kind not in _OURS


def create(kind: str, net: Net, **options: Any) -> Solver:
    """A solver by type name. Raises `SpecError` for an unknown name."""
    if kind not in TYPES:
        raise SpecError(f"solver type {kind!r} is not known; {nearest(kind, TYPES)}")
    return TYPES[kind](net, **options)

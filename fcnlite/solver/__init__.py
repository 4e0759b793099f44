"""Solvers: how gradients update parameters.

solver = fcnlite.SGD(net, base_lr=0.01, momentum=0.9)
solver = fcnlite.solver.load("solver.prototxt")
loss = solver.step(data=x, label=y)
"""

from fcnlite.solver.base import Solver, Update
from fcnlite.solver.loading import load
from fcnlite.solver.options import SolverOptions
from fcnlite.solver.registry import TYPES, create, register
from fcnlite.solver.rules import SGD, AdaDelta, AdaGrad, Adam, AdamW, Nesterov, RMSProp

__all__ = [
    "SGD",
    "TYPES",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Nesterov",
    "RMSProp",
    "Solver",
    "SolverOptions",
    "Update",
    "create",
    "load",
    "register",
]

"""Solvers: how gradients change parameters.

solver = fcnlite.SGD(net, base_lr=0.01, momentum=0.9)
solver = fcnlite.solver.load("solver.prototxt")
loss = solver.step(data=x, label=y)
"""

from fcnlite.solver.base import Followed, Solver
from fcnlite.solver.loading import load
from fcnlite.solver.options import SolverOptions
from fcnlite.solver.rules import SGD, TYPES, AdaDelta, AdaGrad, Adam, AdamW, Nesterov, RMSProp, create, register

__all__ = [
    "SGD",
    "TYPES",
    "AdaDelta",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Followed",
    "Nesterov",
    "RMSProp",
    "Solver",
    "SolverOptions",
    "create",
    "load",
    "register",
]

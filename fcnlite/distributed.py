"""Training one net in several processes, from a script that mpiexec starts.

    from mpi4py import MPI

    net = fcnlite.models.build("lite-fcn8s", classes=4, phase="TRAIN")
    solver = fcnlite.distributed.Solver(fcnlite.SGD(net, base_lr=0.1, momentum=0.9), MPI.COMM_WORLD)
    loss = solver.step(data=x, label=y)  # x and y: the pictures of this rank

`python -m fcnlite.train` needs none of this: `mpiexec -n 4 python -m fcnlite.train ...` shares out its batches.
"""

from __future__ import annotations

from typing import TypeVar

from fcnlite import solver as solvers
from fcnlite.errors import FcnliteError
from fcnlite.ranks.team import Team

Rule = TypeVar("Rule", bound=solvers.Solver)


def Solver(solver: Rule, comm: object) -> Rule:  # noqa: N802 (it is written where a solver is made)
    """`solver`, which now trains its net together with the other ranks of the mpi4py communicator `comm`.

    All ranks start from the parameters and the optimizer state of rank 0. In each `step`, each rank gives its own part
    of the batch, at least one picture; the parts may differ in size. The loss, the gradients and the parameters are
    those of one process with the whole batch, in the order of ranks, and equal on all ranks. Raises `FcnliteError` for
    an MPI that several threads cannot call.

    Start the script with `mpiexec -n N python -m mpi4py script.py`, which ends all ranks if one raises an error.
    """
    try:
        from fcnlite.ranks.mpi import MpiCommunicator
    except ImportError as error:
        raise FcnliteError(f"mpi4py cannot be imported ({error}); install it: pip install 'fcnlite[mpi]'.") from error
    solver.join(Team(MpiCommunicator(comm)))
    return solver

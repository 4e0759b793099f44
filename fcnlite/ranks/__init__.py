"""The processes (*ranks*) of one run, by default one: what they tell each other, and how they share out a batch.

Nothing here imports MPI unless a launcher, such as mpiexec, started several processes.
"""

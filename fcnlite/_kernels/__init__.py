"""Hot loops in Cython. They know arrays and thread counts, nothing of layers or nets."""

import os

# OpenMP reads this when the first kernel is loaded. Its threads otherwise spin after each loop and keep BLAS's threads,
# which take turns with ours, off the cores: small nets train 30 times slower on two cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# For a few microseconds they may spin: to be put to sleep and woken between two short loops costs more than the loops.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

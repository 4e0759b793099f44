"""The passes of the compiler, a file each: one finds a pattern in the graph and replaces it by a faster equivalent.

table.py lists them in order. A file opens with the pattern *before* and *after* the pass and the *condition*.
"""

from __future__ import annotations

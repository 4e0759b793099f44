"""The passes: each looks for one thing in the graph and puts something better there, with the same result.

A pass is a function of the graph (and the machine, where it chooses); it returns what it did, a line for each place.
"""

from __future__ import annotations

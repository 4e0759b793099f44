"""Exercises: parts of the engine that readers write themselves, graded by the engine.

Each exercise is a row of `table.EXERCISES`. Its skeleton, its solution and its checks are files of the same name in
skeletons/, solutions/ and checks/; docs/exercises has its text. `python -m fcnlite.exercise` starts and checks
exercises; `check` does so in a notebook.
"""

from fcnlite.exercise.notebook import check

__all__ = ["check"]

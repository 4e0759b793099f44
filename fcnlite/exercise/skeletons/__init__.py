"""The files that students complete; `python -m fcnlite.exercise start` copies them."""

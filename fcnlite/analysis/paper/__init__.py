"""The claims, tables and figures of the FCN papers, each as an experiment that writes a page.

`EXPERIMENTS` (table.py) lists them. An experiment is a function of its `Settings` that fills a `Page`: text, tables,
pictures, and comparisons of the paper's figures with ours. `python -m fcnlite.paper` runs them.
"""

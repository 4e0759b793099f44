"""Convolution: the operation (operation.py), what it computes (problem.py), the algorithms that compute it (direct.py,
im2col.py, winograd.py), and the choice among them by predicted time (algorithms.py).
"""

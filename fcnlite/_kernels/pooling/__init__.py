"""Pooling: of N×C×H×W arrays (nchw), and in the fast path of blocked ones (max.pxi, average.pxi)."""

"""Pooling. One module, nchw, for N×C×H×W arrays; the other files are parts of the fast path's modules."""

"""Fuzzing of the readers of untrusted files: `make fuzz`; the tests replay a small corpus and damage some files."""

NAMES = (
    "net", "solver", "caffemodel", "caffemodel-h5", "solverstate", "solverstate-h5", "binaryproto", "mean", "weights",
    "checkpoint", "keras", "safetensors", "picture", "tiff", "npy", "label", "matlab", "colors", "classes", "remap",
    "names", "run",
)  # fmt: skip
"""The targets, in the order of tests.fuzz.targets, known without importing the readers."""

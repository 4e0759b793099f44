"""Fuzzing of the readers of untrusted files: `make fuzz`; the tests replay a small corpus and damage some files."""

NAMES = (
    "net", "solver", "caffemodel", "caffemodel-h5", "solverstate", "solverstate-h5", "binaryproto", "mean", "weights",
    "checkpoint", "keras", "safetensors", "picture", "tiff", "npy", "label", "matlab", "colors", "classes", "remap",
    "labelme", "coco", "names", "run",
)  # fmt: skip
"""The targets, in the order of tests.fuzz.targets, known without importing the readers."""

INSTRUMENTED = {
    "net": ("fcnlite",),
    "solver": ("fcnlite.formats", "google"),
    "picture": ("fcnlite.data", "PIL"),
    "label": ("fcnlite.data", "PIL"),
    "tiff": ("fcnlite.data", "tifffile"),
    "run": ("fcnlite.train",),
    "checkpoint": ("fcnlite.formats", "fcnlite.description", "fcnlite.train", "fcnlite.solver"),
    **dict.fromkeys(
        ("npy", "matlab", "colors", "classes", "remap", "labelme", "coco", "names"), ("fcnlite.data", "fcnlite.files")
    ),
}
"""The packages whose coverage guides a target, `FORMATS` for the others: instrumenting all takes half a minute."""

FORMATS = ("fcnlite.formats", "fcnlite.description")

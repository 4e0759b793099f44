"""Fuzzing of the readers of untrusted files: `make fuzz`; the tests replay a small corpus and damage some files."""

FILES = {
    "picture": "PNG, JPEG, BMP, GIF, WebP, PPM, TIFF",
    "tiff": "TIFF of bands",
    "label": "label PNGs",
    "npy": "`.npy` of bands",
    "mean": "a mean in `.npy`",
    "caffemodel": "`.caffemodel`",
    "caffemodel-h5": "`.caffemodel.h5`",
    "weights": "our weight files, and a forward pass",
    "checkpoint": "checkpoints",
    "keras": "Keras' `.h5`",
    "matlab": "`.mat`",
    "safetensors": "`.safetensors`",
    "solverstate": "`.solverstate`",
    "solverstate-h5": "`.solverstate.h5`",
    "binaryproto": "`.binaryproto`",
    "net": "prototxt of a net, and its forward pass on both paths",
    "solver": "prototxt of a solver",
    "colors": "colour tables",
    "classes": "lists of classes",
    "remap": "tables of values",
    "labelme": "LabelMe's JSON",
    "coco": "COCO's JSON",
    "names": "lists of names",
    "camvid": "lists of pictures and labels",
    "list": "lists of pictures and label maps, as Caffe's forks read them",
    "datum": "records of Caffe's databases",
    "hdf5-arrays": "HDF5 files of pictures and labels",
    "run": "logs and plans of a run",
    "message": "what the page of the explorer sends",
}
"""The targets, known without importing the readers, and the files that they read; binary files of strangers first."""

INSTRUMENTED = {
    "net": ("fcnlite",),
    "solver": ("fcnlite.formats", "google"),
    "picture": ("fcnlite.data", "PIL"),
    "label": ("fcnlite.data", "PIL"),
    "tiff": ("fcnlite.data", "tifffile"),
    "run": ("fcnlite.train",),
    "message": ("fcnlite.explore",),
    "checkpoint": ("fcnlite.formats", "fcnlite.description", "fcnlite.train", "fcnlite.solver"),
    **dict.fromkeys(
        (
            "npy",
            "matlab",
            "colors",
            "classes",
            "remap",
            "labelme",
            "coco",
            "names",
            "camvid",
            "list",
            "datum",
            "hdf5-arrays",
        ),
        ("fcnlite.data", "fcnlite.files"),
    ),
}
"""The packages whose coverage guides a target, `FORMATS` for the others: instrumenting all takes half a minute."""

FORMATS = ("fcnlite.formats", "fcnlite.description")

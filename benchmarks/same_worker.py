"""Everything that `benchmarks.same` compares, computed by one version of fcnlite, as digests by name.

`python same_worker.py PATH THREADS FOLDER` runs the zoo, the cases and the solvers in FOLDER on one path of the package
that PYTHONPATH names, and on the fast path short trainings too. It prints a JSON object on its last line. Only public
names of fcnlite are used, because two versions run this file.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np

import fcnlite

LABELS = {"label": 0, "sem": 0, "geo": 1}
"""The label blobs of the zoo's nets, and the head that reads each."""
WIDTHS = (0.0625, 0.1, 0.25)
"""Factors on the channels of the zoo's nets, in turn: multiples of 16 channels, odd counts, and more."""
SIZES = ((37, 53), (70, 41), (37, 53))
"""Height and width of the pictures that a net of any size is given in turn; the first size comes twice."""
SOLVER_OPTIONS: dict[str, dict[str, Any]] = {
    "SGD": {"momentum": 0.9, "weight_decay": 0.001, "clip_gradients": 3.0},
    "Nesterov": {"momentum": 0.9, "regularization_type": "L1", "weight_decay": 0.001},
}
TRAININGS: dict[str, tuple[str, ...]] = {
    "plain options": ("--batch-size", "2", "--width", "0.1"),
    "all options": (
        *("--model", "lite-fcn4s", "--batch-size", "3", "--iter-size", "2", "--width", "0.2", "--solver", "Adam"),
        *("--class-balance", "1.1", "--loss-sampling", "0.7", "--flip", "--turn", "--scale", "0.75", "1.5"),
        *("--crop", "40", "40", "--brightness", "0.2", "--clip-gradients", "5", "--seed", "5"),
    ),
    "recipe": ("--recipe", "voc-fcn-alexnet-batch", "--width", "0.1", "--no-validation"),
}
"""Options of the short trainings on generated pictures."""
COMMON = (
    "--data",
    "shapes",
    "--data-option",
    "count=8",
    "--data-option",
    "size=48",
    "--iterations",
    "4",
    "--check-every",
    "4",
)

Digests = dict[str, str]


def digest(values: Any) -> str:
    """The SHA-256 of an array's type, shape and bytes."""
    array = np.ascontiguousarray(values)
    return hashlib.sha256(f"{array.dtype.str}{array.shape}".encode() + array.tobytes()).hexdigest()


def record(found: Digests, prefix: str, compute: Callable[[], Mapping[str, Any]]) -> None:
    """Add the digests of the arrays that `compute` returns; the type of an error counts as a result."""
    try:
        arrays = compute()
    except fcnlite.FcnliteError as error:
        found[prefix] = f"error {type(error).__name__}"
        return
    found.update({f"{prefix} {name}": digest(array) for name, array in arrays.items()})


def parameters(net: Any, attribute: str) -> dict[str, Any]:
    """`data` or `grad` of all parameters by layer and index."""
    return {
        f"{layer}[{i}]": getattr(each, attribute) for layer, all_ in net.params.items() for i, each in enumerate(all_)
    }


def run(found: Digests, prefix: str, net: Any, inputs: Mapping[str, Any], wrt: Iterable[str]) -> None:
    """Forward, forward with `keep`, backward from the losses and backward from gradients of the outputs."""
    rng = np.random.default_rng(11)
    outputs: dict[str, Any] = {}

    def forward() -> dict[str, Any]:
        return net.forward(inputs)

    def keep() -> dict[str, Any]:
        outputs.update(net.forward(inputs, keep=True))
        return {**outputs, **{f"blob {name}": blob for name, blob in net.blobs.items()}, "sum of losses": net.loss}

    def backward(tops: Mapping[str, Any]) -> dict[str, Any]:
        net.backward(tops, wrt=list(wrt))
        return {**parameters(net, "grad"), **{f"blob {name}": grad for name, grad in net.grads.items()}}

    record(found, f"{prefix} forward", forward)
    record(found, f"{prefix} keep", keep)
    if outputs:
        record(found, f"{prefix} backward", lambda: backward({}))
        tops = {name: rng.normal(size=array.shape).astype(np.float32) for name, array in outputs.items()}
        record(found, f"{prefix} backward from outputs", lambda: backward(tops))
        record(found, f"{prefix} statistics", lambda: parameters(net, "data"))


# The zoo


def input_shapes(net: Any) -> dict[str, list[int]]:
    """The described shapes of the net's inputs by blob."""
    return {layer.top[0]: layer.options["shape"][0]["dim"] for layer in net.spec.layers if not layer.bottom}


def fill_zeros(net: Any, seed: int) -> None:
    """Draw the parameters that start at zero, such as biases and scores: otherwise many results would be zero."""
    rng = np.random.default_rng(seed)
    for all_ in net.params.values():
        for each in all_:
            if not each.data.any():
                each.data = rng.uniform(0.05, 0.5, each.data.shape)


def zoo_inputs(net: Any, size: tuple[int, int], classes: list[int], seed: int) -> dict[str, Any]:
    """Pictures and labels, of height and width `size` if the net takes any; the shape of its labels shows this."""
    rng = np.random.default_rng(seed)
    shapes = input_shapes(net)
    any_size = any(name in LABELS and len(shape) == 4 for name, shape in shapes.items())
    inputs: dict[str, Any] = {}
    for name, shape in shapes.items():
        wanted = (*shape[:2], *size) if any_size else tuple(shape)
        if name in LABELS:
            inputs[name] = rng.integers(0, classes[LABELS[name]], wanted)
        else:
            inputs[name] = rng.normal(0, 50, wanted).astype(np.float32)
    return inputs


def zoo_net(found: Digests, name: str, path: str, width: float, sizes: Iterable[tuple[int, int]]) -> None:
    """A net by name: inference at several sizes, gradients, and two steps of training."""
    seed = len(name)
    classes = [7, 5] if name.startswith("siftflow") else [7]
    options = {"classes": classes, "width": width, "path": path, "seed": seed}
    net = fcnlite.models.build(name, phase="TEST", **options)
    record(found, f"{name} fillers", lambda: parameters(net, "data"))
    fill_zeros(net, seed)
    for i, size in enumerate(sizes):
        pictures = {k: v for k, v in zoo_inputs(net, size, classes, seed + i).items() if k not in LABELS}
        record(found, f"{name} TEST {i}", lambda: net.forward(pictures))  # noqa: B023
    if "pool3" in {top for layer in net.spec.layers for top in layer.top}:
        record(found, f"{name} TEST pool3", lambda: net.forward(pictures, outputs=["pool3"]))

    net = fcnlite.models.build(name, phase="TRAIN", **options)
    fill_zeros(net, seed)
    inputs = zoo_inputs(net, (41, 59), classes, seed)
    pictures = {k: v for k, v in inputs.items() if k not in LABELS}
    run(found, f"{name} TRAIN", net, inputs, pictures)
    if "pool3" in net.blobs:
        record(found, f"{name} TRAIN gradient", lambda: gradient(net, inputs, "pool3"))
    solver = fcnlite.SGD(net, base_lr=1e-6, momentum=0.9, weight_decay=0.001)
    for i in range(2):
        record(found, f"{name} step {i}", lambda: {"loss": solver.step(inputs)})
    record(found, f"{name} after steps", lambda: parameters(net, "data"))


def gradient(net: Any, inputs: Mapping[str, Any], blob: str) -> dict[str, Any]:
    """The losses' gradient with respect to a blob that is not an input.

    Where `keep=True` does not keep the blob in full, versions before the argument `keep=[blob]` repeated the pass with
    all blobs in full.
    """
    iteration = net.iteration
    net.forward(inputs, keep=True)
    try:
        net.backward(wrt=[blob])
    except fcnlite.FcnliteError:
        net.iteration = iteration
        net.forward(inputs, keep=list(net.blobs))
        net.backward(wrt=[blob])
    return {blob: net.grads[blob]}


def zoo(found: Digests, path: str) -> None:
    for i, name in enumerate(fcnlite.models.names()):
        zoo_net(found, name, path, WIDTHS[i % len(WIDTHS)], SIZES)
    if path == "fast":
        zoo_net(found, "voc-fcn8s", path, 0.5, [(61, 83)])


def files(found: Digests) -> None:
    """The files of the zoo's nets: weight files, Caffe's files and ONNX."""
    for name in fcnlite.models.names():
        net = fcnlite.models.build(name, width=0.0625, seed=1)
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            net.save(place / "net.h5")
            record(found, f"{name} written", lambda: datasets(place / "net.h5"))  # noqa: B023
            fcnlite.caffe.save(net, place / "net.prototxt", place / "net.caffemodel")
            record(found, f"{name} written", lambda: contents(place / "net.prototxt", place / "net.caffemodel"))  # noqa: B023
            record(found, f"{name} written", lambda: exported(net, place / "net.onnx"))  # noqa: B023


def exported(net: Any, path: Path) -> dict[str, Any]:
    """The bytes of the net's ONNX file."""
    fcnlite.interop.save_onnx(net, path)
    return contents(path)


def contents(*paths: Path) -> dict[str, Any]:
    """The bytes of files by name."""
    return {path.name: np.frombuffer(path.read_bytes(), np.uint8) for path in paths}


# Cases and solvers in files


def cases(found: Digests, path: str, folder: Path) -> None:
    """Nets in prototxts, with `in.BLOB` and `param.LAYER.INDEX` in an archive beside each."""
    for place in sorted(folder.iterdir()):
        case = json.loads((place / "case.json").read_text())
        arrays = dict(np.load(place / "arrays.npz"))
        inputs = {name[3:]: array for name, array in arrays.items() if name.startswith("in.")}
        files = [place / name if not Path(name).is_absolute() else Path(name) for name in case["files"]]
        for phase in case["phases"]:
            prefix = f"{place.name} {phase}"
            try:
                net = fcnlite.load(*files, path=path, phase=phase, seed=case["seed"])
            except fcnlite.FcnliteError as error:
                found[prefix] = f"error {type(error).__name__}"
                continue
            for name, array in arrays.items():
                if name.startswith("param."):
                    layer, index = name[6:].rsplit(".", 1)
                    parameter = net.params[layer][int(index)]
                    parameter.data = array.reshape(parameter.shape)
            run(found, prefix, net, inputs, [name for name in inputs if name != "label"])


def solvers(found: Digests, path: str, folder: Path) -> None:
    """Every solver type on a narrow net, then the solver prototxts of the folder, if it is there."""
    rng = np.random.default_rng(4)
    batches = [
        {"data": rng.normal(size=(3, 1, 28, 28)).astype(np.float32), "label": rng.integers(0, 10, 3)} for _ in range(3)
    ]
    for name in ("SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam", "AdamW"):
        net = fcnlite.models.build("lenet", width=0.3, phase="TRAIN", path=path, seed=2)
        solver = getattr(fcnlite, name)(net, **{"weight_decay": 0.001, **SOLVER_OPTIONS.get(name, {})})
        steps(found, f"{name} steps", solver, batches)
    for file in sorted(folder.glob("*.npz")) if folder.is_dir() else ():
        arrays = dict(np.load(file))
        solver = fcnlite.solver.load(file.with_suffix(".prototxt"), path=path)
        for name, array in arrays.items():
            if name.startswith("init."):
                layer, index = name[5:].rsplit(".", 1)
                parameter = solver.net.params[layer][int(index)]
                parameter.data = array.reshape(parameter.shape)
        steps(found, file.stem, solver, [given_batch(arrays, f"step{i}.") for i in range(8)])


def given_batch(arrays: Mapping[str, Any], prefix: str) -> Any:
    """The argument of `Solver.step` for the arrays of one step: a batch, or one for each pass."""
    passes = []
    while f"{prefix}pass{len(passes)}.data" in arrays:
        passes.append({name: arrays[f"{prefix}pass{len(passes)}.{name}"] for name in ("data", "label")})
    return passes or {name: arrays[f"{prefix}{name}"] for name in ("data", "label")}


def steps(found: Digests, prefix: str, solver: Any, batches: Iterable[Any]) -> None:
    """The losses of steps on these batches, the parameters after them, and the arrays of a snapshot."""
    for i, batch in enumerate(batches):
        record(found, f"{prefix} {i}", lambda: {"loss": solver.step(batch)})  # noqa: B023
    record(found, f"{prefix} after", lambda: parameters(solver.net, "data"))
    with tempfile.TemporaryDirectory() as folder:
        solver.snapshot(Path(folder, "snapshot.h5"))
        record(found, f"{prefix} snapshot", lambda: datasets(Path(folder, "snapshot.h5")))


def segmenters(found: Digests, folder: Path) -> None:
    """Labels and probabilities of a picture by each shipped weight file."""
    rng = np.random.default_rng(6)
    picture = rng.integers(0, 256, (57, 75, 3)).astype(np.uint8)
    for place in sorted(folder.glob("shipped *")):
        (weights,) = json.loads((place / "case.json").read_text())["files"]
        segment = fcnlite.Segmenter(weights)
        image = picture if fcnlite.load(weights).info.preprocessing.color in ("BGR", "RGB") else picture[..., 0]
        for name, call in (("labels", segment), ("probabilities", segment.probabilities)):
            record(found, f"Segmenter {place.name}", lambda: {name: call(image)})  # noqa: B023


# Trainings


def datasets(path: Path) -> dict[str, Any]:
    """All data sets of an HDF5 file by name."""
    arrays: dict[str, Any] = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return arrays


def trainings(found: Digests) -> None:
    """Short trainings by the command: their weights, checkpoints and logs, which do not hold times."""
    for name, options in TRAININGS.items():
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "fcnlite.train", *COMMON, *options, "--out", "run"]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"the training {name!r} ended with status {done.returncode}: {done.stderr}")
            for file in ("last.h5", "best.h5"):
                if Path(folder, "run", file).exists():
                    record(found, f"training {name}: {file}", lambda: datasets(Path(folder, "run", file)))  # noqa: B023
            for file in ("log.csv", "log.jsonl"):
                if Path(folder, "run", file).exists():
                    found[f"training {name}: {file}"] = digest(
                        np.frombuffer(Path(folder, "run", file).read_bytes(), "u1")
                    )


def main(path: str, threads: str, place: str) -> None:
    folder = Path(place)
    fcnlite.set_num_threads(int(threads))
    found: Digests = {"version": str(Path(fcnlite.__file__).parents[1])}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        zoo(found, path)
        if path == "plain":
            files(found)
        cases(found, path, folder / "cases")
        solvers(found, path, folder / "solvers")
        if path == "fast":
            segmenters(found, folder / "cases")
            trainings(found)
    print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])

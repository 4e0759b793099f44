"""Every reader of untrusted files: examples to start from, how they are damaged, and what reads them."""

from __future__ import annotations

import contextlib
import random
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fcnlite import caffe, data
from fcnlite.data import (
    bands,
    camvid,
    color_table,
    datum,
    label_files,
    label_tables,
    matlab,
    pictures,
    published,
    splits,
)
from fcnlite.data.problems import raise_if_any
from fcnlite.description.model_info import Preprocessing
from fcnlite.errors import FcnliteError, FileError
from fcnlite.explore import messages
from fcnlite.formats import storage
from fcnlite.formats.interop import keras, safetensors, torchvision
from fcnlite.net import Net
from fcnlite.train import config_file
from fcnlite.train.checkpoint import Progress, read_options
from fcnlite.train.fingerprint import Fingerprint
from fcnlite.train.plan import TrainingPlan
from fcnlite.train.run_folder import RunFolder
from tests.data import drawn
from tests.fuzz import examples
from tests.fuzz.mutations import damaged_bytes, damaged_text

SECONDS = 10
"""A file that takes more processor time counts as one that hangs; other programs on the machine do not count."""
MESSAGE = 2500
"""The greatest number of characters of an error."""
SMALL = 1 << 16
"""The greatest number of values of a net that runs forward here."""


class Target(NamedTuple):
    """A reader, and what the fuzzer needs to know about its files."""

    read: Callable[[Path], object]
    examples: Callable[[], list[bytes]]
    damage: Callable[[bytes, random.Random], bytes] = damaged_bytes
    suffix: str = ""


def under(folder: Path, target: Target) -> Path:
    """The path in `folder` at which the target reads its files; some readers expect a name or a suffix."""
    return folder / (target.suffix[1:] if target.suffix.startswith("/") else f"file{target.suffix}")


def survives(target: Target, path: Path, content: bytes) -> bool:
    """Write `content` to `path` and read it. False for an error of ours; any other error and slowness are raised."""
    path.write_bytes(content)
    began = time.process_time()
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            target.read(path)
        return True
    except FcnliteError as error:
        assert len(str(error)) <= MESSAGE, str(error)
        return False
    finally:
        assert time.process_time() - began < SECONDS, "took too long"


def _net(path: Path) -> None:
    """Read a net. A small one runs on both paths, which must agree."""
    spec = caffe.read_net(path)
    fast = Net(spec)
    if not fast.sized or sum(each.array.size for parameters in fast.params.values() for each in parameters) > SMALL:
        return
    shapes = {top: shape for layer in fast.layers if not layer.spec.bottom for top, shape in _tops(layer)}
    tops = [shape for _, _, found in fast.shapes(shapes) for shape in found]
    if any(np.prod([float(size) for size in shape]) > SMALL for shape in (*shapes.values(), *tops)):
        return
    rng = np.random.default_rng(0)
    feeds = {name: rng.integers(0, 2, shape).astype(np.float32) for name, shape in shapes.items()}
    fast_tops, plain_tops = _tops_of(fast, feeds), _tops_of(Net(spec, path="plain"), feeds)
    assert type(fast_tops) is type(plain_tops), (fast_tops, plain_tops)
    if isinstance(fast_tops, dict) and isinstance(plain_tops, dict):
        for name, expected in plain_tops.items():
            largest = np.abs(expected).max(initial=1e-3)
            if np.isfinite(largest) and largest < 1e30:
                assert np.abs(fast_tops[name] - expected).max(initial=0) < 1e-2 * largest, name


def _tops(layer: Any) -> Any:
    return zip(layer.spec.top, layer.top_shapes(), strict=True)


def _tops_of(net: Net, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray] | FcnliteError:
    try:
        return net.forward(feeds)
    except FcnliteError as error:
        return error


def _weights(path: Path) -> None:
    """A weight file of ours as the commands open it."""
    if storage.is_weight_file(path):
        from fcnlite.segmentation.segmenter import Segmenter

        content = storage.load(path)
        if sum(array.size for arrays in content.params.values() for array in arrays) < SMALL:
            Segmenter(path)(np.zeros((8, 8, 3), np.uint8))


def _checkpoint(path: Path) -> None:
    """A checkpoint as --resume reads it."""
    read_options(path)
    Progress.from_json(storage.load(path).progress, path)
    examples.solver().restore(path)


def _keras(path: Path) -> None:
    if keras.is_weight_file(path):
        keras.read_weights(path)


def _safetensors(path: Path) -> None:
    safetensors.read(path)
    with contextlib.suppress(FileError):  # names that VGG-16 does not have
        torchvision.read_weights(path)


def _picture(path: Path) -> None:
    pictures.orientation_of(path)
    pictures.count_pages(path)
    pictures.show(bands.read_bands(path)[0])
    pictures.read_image(path, preprocessing=Preprocessing())


def _bands(path: Path) -> None:
    bands.read_format(path)
    values, orientation = bands.read_bands(path)
    pictures.show(bands.upright(values, orientation))


def _label(path: Path) -> None:
    for look in (label_files.holds_colors, label_files.palette_used, lambda path: color_table.colors_found([path])):
        look(path)  # they leave errors to the readers
    readers: tuple[Callable[[Path], object], ...] = (
        label_files.read_label,
        label_files.read_nonzero,
        lambda path: label_files.read_threshold(path, 128),
        label_files.read_colors,
    )
    _all(readers, path)


def _all(readers: tuple[Callable[[Path], object], ...], path: Path) -> None:
    """Call all readers; if none can read the file, raise the error of the first."""
    errors = []
    for read in readers:
        try:
            read(path)
        except FcnliteError as error:
            errors.append(error)
    if len(errors) == len(readers):
        raise errors[0]


def _matlab(path: Path) -> None:
    found = matlab.read_mat(path, "S")
    names = getattr(found, "dtype", np.dtype(int)).names or ()
    if names and found.size:
        found = found[names[0]].flat[0]
    matlab.label_map(path, found, "S")


def _colors(path: Path) -> None:
    color_table.ColorTable.read(path, ("sky", "road"))


def _classes(path: Path) -> None:
    label_tables.meaning_of(label_tables.read_classes(path), str(path), lambda _: None)


def _remap(path: Path) -> None:
    label_tables.read_remap(path, (), False, lambda _: None)


def _labelme(path: Path) -> None:
    _objects("labelme", path)


def _coco(path: Path) -> None:
    _objects("coco", path)


def _objects(name: str, path: Path) -> None:
    """A file of objects as the commands open it, strictly and leniently."""
    if not (path.parent / "a.png").exists():
        drawn.picture(path.parent / "a.png")
    for skip_bad in (True, False):
        dataset = data.open(name, path.parent, val=0, skip_bad=skip_bad)
        dataset.usable()
    dataset[0]


def _names(path: Path) -> None:
    for name in published.read_list(path):
        assert (path.parent / name).absolute().is_relative_to(path.parent) and ".." not in name.split("/"), name
    splits.divide({"a", "b"}, path.parent, None, "train", lambda _: None)


def _camvid(path: Path) -> None:
    """The list of a split of CamVid; the file that it names is there."""
    (path.parent / "a.png").touch()
    files, problems = camvid._read(path.parent, path)
    for each in files:
        assert each.images["data"].is_relative_to(path.parent), each
    raise_if_any(str(path), problems)


def _config(path: Path) -> None:
    config_file.read(path, ())


def _listed(path: Path) -> None:
    """A list, with the files that it names if they are undamaged names."""
    from PIL import Image

    Image.fromarray(np.eye(4, dtype=np.uint8)).save(path.parent / "a.png")
    dataset = data.open("list", path.parent, train=path.name, classes=2)
    for _, problem in zip(range(3), dataset.usable()[1], strict=False):
        raise_if_any(str(path), [problem])


def _datum(path: Path) -> None:
    values = datum.read_datum(path.read_bytes(), str(path))
    assert values.ndim == 3


def _hdf5_arrays(path: Path) -> None:
    (path.parent / "files.txt").write_text(path.name)
    dataset = data.open("hdf5", path.parent, train="files.txt", classes=2)
    dataset[len(dataset) - 1]


def _run(path: Path) -> None:
    """The texts of a run folder, each read as all of them."""
    folder = path.parent / "run"
    folder.mkdir(exist_ok=True)
    content = path.read_bytes()
    for name in ("log.csv", "log.jsonl", "speed.jsonl", "data.json", "stages.json"):
        (folder / name).write_bytes(content)
    run = RunFolder(folder)
    Fingerprint.read(run.data, "0")
    _all(
        tuple(
            lambda _, read=read: read()
            for read in (
                run.read_log,
                run.read_checks,
                run.read_speed,
                lambda: TrainingPlan._read(run),
                lambda: _config(path),
            )
        ),
        path,
    )


TARGETS: dict[str, Target] = {
    "picture": Target(_picture, examples.pictures),
    "tiff": Target(_bands, examples.tiffs),
    "label": Target(_label, examples.labels),
    "npy": Target(_bands, examples.arrays, suffix=".npy"),
    "mean": Target(caffe.mean_of, examples.means, suffix=".npy"),
    "caffemodel": Target(caffe.read_weights, examples.caffemodels),
    "caffemodel-h5": Target(caffe.read_weights, examples.caffemodels_hdf5),
    "weights": Target(_weights, examples.weights, suffix=".h5"),
    "checkpoint": Target(_checkpoint, examples.checkpoints, suffix=".h5"),
    "keras": Target(_keras, examples.keras_files),
    "matlab": Target(_matlab, examples.matlab_files),
    "safetensors": Target(_safetensors, examples.safetensors_files),
    "solverstate": Target(caffe.read_solver_state, examples.solver_states),
    "solverstate-h5": Target(caffe.read_solver_state, examples.solver_states_hdf5),
    "binaryproto": Target(caffe.read_blob, examples.blobs),
    "net": Target(_net, examples.nets, damaged_text),
    "solver": Target(caffe.read_solver, examples.solvers, damaged_text),
    "colors": Target(_colors, examples.color_tables, damaged_text),
    "classes": Target(_classes, examples.class_lists, damaged_text),
    "remap": Target(_remap, examples.remap_tables, damaged_text),
    "labelme": Target(_labelme, examples.labelme_files, damaged_text, "/a.json"),
    "coco": Target(_coco, examples.coco_files, damaged_text, "/a.json"),
    "names": Target(_names, examples.name_lists, damaged_text, "/train.txt"),
    "camvid": Target(_camvid, examples.picture_lists, damaged_text, "/train.txt"),
    "list": Target(_listed, examples.pair_lists, damaged_text, "/pairs.txt"),
    "datum": Target(_datum, examples.data),
    "hdf5-arrays": Target(_hdf5_arrays, examples.hdf5_arrays, suffix="/a.h5"),
    "run": Target(_run, examples.run_texts, damaged_text),
    "message": Target(lambda path: messages.unpack(path.read_bytes()), examples.messages),
}
"""By name."""

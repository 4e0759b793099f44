<<<<<<< HEAD
"""What the pages of documentation name, made small: folders in each set's layout, nets and weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

import fcnlite
from fcnlite import caffe, models
from fcnlite.net import Net
from tests.data import layouts

SIZE = (24, 32)
WIDTH = 0.02
"""Of the zoo's nets: large ones would need gigabytes."""
CLASSIFIER = "VGG_ILSVRC_16_layers.caffemodel"


def photos(root: Path, block: str) -> None:
    """A folder of one's own as `block` has it: names with suffixes, numbers of objects, or classes."""
    shutil.rmtree(root, ignore_errors=True)
    image, label = ("_im", "_mask") if "label_suffix" in block else ("", "")
    numbers = (0, 1, 2, 3) if "masks=" in block else (0, 0, 1)
    for seed in range(6):
        layouts.picture(root / "images" / f"p{seed}{image}.png", seed, SIZE)
        found = layouts.bands(*numbers[: 2 + seed % len(numbers)], size=SIZE)
        layouts.png(root / "labels" / f"p{seed}{label}.png", found)


def material(folder: Path) -> None:
    """Everything that a page may name, in `folder`."""
    photos(folder / "photos", "")
    for i, name in enumerate(("street.jpg", "photo.jpg", "holiday/beach.jpg", "holiday/hill.jpg")):
        layouts.picture(folder / name, i, SIZE)
    label = layouts.bands(0, 1, 2, size=SIZE)
    layouts.voc(folder / "VOCdevkit" / "VOC2011", label, train=["a"], val=["b"])
    layouts.sbd(folder / "SBD", layouts.bands(0, 1, 2), train=["a"], val=["c"])
    depth = layouts.bands(1000, 2000, size=SIZE, dtype=np.uint16)
    layouts.nyud(folder / "nyud", layouts.bands(1, 2, size=SIZE), depth, trainval=["1", "2"], test=["3", "4"])
    for split in ("train", "val", "test"):
        layouts.picture(folder / "camvid" / split / f"{split}.png", 0, SIZE)
        layouts.png(folder / "camvid" / f"{split}annot" / f"{split}.png", layouts.bands(0, 1, 11, size=SIZE))
        layouts.lines(folder / "camvid" / f"{split}.txt", [f"/x/{split}/{split}.png /x/{split}annot/{split}.png"])
    for seed in range(5):
        values = np.random.default_rng(seed).integers(0, 4096, (*SIZE, 6)).astype(np.uint16)
        (folder / "field" / "images").mkdir(parents=True, exist_ok=True)
        np.save(folder / "field" / "images" / f"{seed}.npy", values)
        layouts.png(folder / "field" / "labels" / f"{seed}.png", layouts.bands(0, 0, 1, size=SIZE))
    nets(folder)


def nets(folder: Path) -> None:
    """Caffe's files of a small FCN with its solver, VGG-16 and an FCN-16s, all narrow, and a mean."""
    caffe.write_weights(folder / CLASSIFIER, arrays(models.build("vgg16", width=WIDTH)))
    models.build("voc-fcn16s", width=WIDTH).save(folder / "fcn16s.h5")
    net = models.build("lite-fcn8s", classes=2, width=WIDTH, phase="TRAIN")
    caffe.save(net, folder / "train.prototxt", folder / "weights.caffemodel")
    (folder / "solver.prototxt").write_text('net: "train.prototxt" base_lr: 0.01 lr_policy: "fixed" momentum: 0.9')
    shutil.copy(folder / "train.prototxt", folder / "net.prototxt")
    shutil.copy(folder / "train.prototxt", folder / "deploy.prototxt")
    shutil.copy(folder / "weights.caffemodel", folder / "fcn8s.caffemodel")
    fcnlite.solver.load(folder / "solver.prototxt").snapshot(folder / "fcn8s_iter_4000.solverstate")
    write_mean(folder / "mean.binaryproto")
    (folder / "weights").mkdir()
    shutil.copy(Path(fcnlite.__file__).parents[1] / "weights" / "camvid-fcn8s.h5", folder / "weights")


def write_mean(path: Path) -> None:
    from tests.caffe.test_preprocessing import binaryproto

    binaryproto(path, np.full((3, *SIZE), 100.0))


def arrays(net: Net) -> dict[str, list[np.ndarray]]:
    return {name: [each.array for each in parameters] for name, parameters in net.params.items()}
=======
"""Running what README.md and docs/*.md show: Python blocks in one interpreter a document, commands in a shell.

Both run in a folder of their own, where `scenery.py` has made the files that a block speaks of. Commands run as they are
written, by a Python that shortens trainings (SHORTER) and leaves the benchmarks out, which take half an hour.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

SHORTER = "--iterations 1 --check-every 8 --width 0.0625"
"""Added to trainings but those that go on: of options given twice the last one counts."""

PYTHON = f"""#!/bin/sh
case " $* " in
    *" -m benchmarks "*) exit 0 ;;
    *" --resume "*) ;;
    *" -m fcnlite.train "*) set -- "$@" {SHORTER} ;;
esac
exec "{sys.executable}" "$@"
"""
FCNLITE = """#!/bin/sh
exec python -m "fcnlite.$@"
"""
INTERPRETER = """
import json, sys, traceback
names, out = {"__name__": "document"}, sys.stdout
sys.stdout = sys.stderr
sys.path.insert(0, "")
for line in sys.stdin:
    try:
        exec(compile(json.loads(line), "the block", "exec"), names)
        said = ""
    except BaseException:
        said = traceback.format_exc()
    print(json.dumps(said), file=out, flush=True)
"""


class Block(NamedTuple):
    language: str
    code: str


def blocks(document: Path) -> list[Block]:
    """The fenced blocks, those in lists too."""
    found = re.findall(r"^( *)```(\w*)\n(.*?)^\1```$", document.read_text(), re.M | re.S)
    return [Block(language, textwrap.dedent(code)) for _, language, code in found]


def commands(folder: Path) -> Path:
    """Put `python`, `fcnlite` and `make` into a folder for the shell to find, and `.venv/bin/python`."""
    bin_ = folder / ".venv" / "bin"
    bin_.mkdir(parents=True)
    for name, script in (("python", PYTHON), ("fcnlite", FCNLITE), ("make", "#!/bin/sh\n")):
        (bin_ / name).write_text(script)
        (bin_ / name).chmod(0o755)
    return bin_


@contextmanager
def runner(folder: Path) -> Iterator[Callable[[Block], str]]:
    """A function that runs a block in `folder` and returns what went wrong."""
    path = f"{commands(folder)}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with (
        (folder / "said").open("w+") as said,
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", INTERPRETER],
            cwd=folder,
            env=env,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
        ) as interpreter,
    ):
        assert interpreter.stdin is not None and interpreter.stdout is not None

        def run(block: Block) -> str:
            if block.language == "sh":
                shell = ["bash", "-e", "-c", block.code]
                ended = subprocess.run(shell, cwd=folder, env=env, text=True, capture_output=True, timeout=120)
                return f"status {ended.returncode}\n{ended.stdout[-2000:]}{ended.stderr[-2000:]}" * bool(ended.returncode)
            print(json.dumps(block.code), file=interpreter.stdin, flush=True)
            return str(json.loads(interpreter.stdout.readline()))

        try:
            yield run
        finally:
            interpreter.stdin.close()
>>>>>>> h6
